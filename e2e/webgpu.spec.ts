import { tinyTango } from '../src/testing/tiny-tango';
import { expect, PROMPT, quickSettings, test, untilReady } from './studio';

/**
 * On Chromium's emulated adapter, so with the tiny model: the same shaders, a thousandth of the work. What no other
 * test can show is the browser's own GPU process dying under a running generation.
 */
test('a crashed GPU process is said, the engine rebuilt, and the job can be tried again', async ({
  studio: page,
  browser,
}) => {
  await untilReady(page);
  const { files } = await tinyTango();
  const encoded = await Promise.all(
    files.map(async ({ path, blob }) => ({
      path,
      base64: Buffer.from(await blob.arrayBuffer()).toString('base64'),
    })),
  );
  await page.evaluate(async (parts) => {
    const models = parts.map(({ path, base64 }) => ({
      path: `tiny-tango/${path}`,
      blob: new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))]),
    }));
    const { id } = await window.studio.models.importFiles(models);
    await window.studio.models.use(id);
  }, encoded);
  await page.getByRole('button', { name: /WebAssembly/ }).click();
  await page.getByRole('radio', { name: 'WebGPU' }).click();
  await expect
    .poll(() => page.evaluate(async () => (await window.studio.info()).backend), { timeout: 120_000 })
    .toBe('webgpu');
  await page.keyboard.press('Escape');

  await page.getByRole('textbox', { name: 'Prompt', exact: true }).fill(PROMPT);
  await quickSettings(page, { steps: 900, seconds: 1 });
  await page.getByRole('button', { name: /^Generate/ }).click();
  await expect(page.getByText(/Step [1-9]\d* of 900/).first()).toBeVisible({ timeout: 120_000 });
  const devtools = await browser.newBrowserCDPSession();
  // The command's answer is lost with the process that it ends.
  void devtools.send('Browser.crashGpuProcess').catch(() => {});
  await expect(page.getByRole('alert').filter({ hasText: 'The GPU was lost' })).toBeVisible();
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByText(/Step [1-9]\d* of 900/).first()).toBeVisible({ timeout: 120_000 });
  await page.getByRole('button', { name: /^Cancel/ }).click();
  await expect(page.getByText('Cancelled').first()).toBeVisible();
  expect(await page.evaluate(async () => (await window.studio.info()).backend)).toBe('webgpu');
});
