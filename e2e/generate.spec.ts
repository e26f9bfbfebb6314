import { readFile } from 'node:fs/promises';
import { engineWorker, expect, PROMPT, quickSettings, test, untilReady, wavLevel } from './studio';

test('a prompt becomes a sound that plays and downloads, with no network and no GPU', async ({
  studio: page,
}) => {
  await untilReady(page);
  await expect(page.getByRole('button', { name: /WebAssembly/ })).toBeVisible();

  await page.getByRole('textbox', { name: 'Prompt', exact: true }).fill(PROMPT);
  await quickSettings(page, { steps: 8, seconds: 5.12 });
  await page.keyboard.press('ControlOrMeta+Enter');

  await expect(page.getByRole('progressbar', { name: 'Generation', exact: true })).toBeVisible();
  await expect(page.getByRole('img', { name: 'Preview of the take being made' })).toBeVisible();
  const take = page.getByRole('region', { name: /^Take, seed \d+/ });
  await expect(take).toBeVisible({ timeout: 90_000 });
  await expect(take.getByRole('img', { name: 'Spectrogram of Take' })).toBeVisible();

  // Space plays what is selected, from anywhere but a text field.
  await take.getByText('Take', { exact: true }).click();
  await page.keyboard.press('Space');
  await expect(take.getByRole('button', { name: 'Pause Take' })).toBeVisible();
  const position = take.getByRole('slider', { name: 'Position in Take' });
  await expect.poll(async () => Number(await position.getAttribute('aria-valuenow'))).toBeGreaterThan(0);
  await page.keyboard.press('Space');
  await expect(take.getByRole('button', { name: 'Play Take' })).toBeVisible();

  const [download] = await Promise.all([
    page.waitForEvent('download'),
    take.getByRole('button', { name: 'Download WAV' }).click(),
  ]);
  expect(download.suggestedFilename()).toMatch(/dog.*\.wav$/);
  const wav = await readFile((await download.path())!);
  expect(wav.subarray(0, 4).toString()).toBe('RIFF');
  expect(wav.readUInt16LE(22), 'channels').toBe(1);
  expect(wav.readUInt32LE(24), 'sample rate').toBe(16_000);
  expect((wav.byteLength - 44) / 2, 'samples').toBeCloseTo(5.12 * 16_000, -3);
  expect(wavLevel(wav), 'not silent').toBeGreaterThan(0.003);
});

test('takes arrive one by one, each with its seed, and its settings can be used again', async ({
  studio: page,
}) => {
  await untilReady(page);
  await page.getByRole('textbox', { name: 'Prompt', exact: true }).fill('rain');
  await quickSettings(page);
  await page.getByRole('textbox', { name: 'Seed', exact: true }).fill('4294967295');
  await page.getByRole('group', { name: 'Takes' }).getByRole('radio', { name: '3' }).check({ force: true });
  await page.getByRole('button', { name: /^Generate/ }).click();
  await expect(page.getByRole('region', { name: 'Take 1, seed 4294967295' })).toBeVisible({
    timeout: 60_000,
  });
  await expect(page.getByRole('region', { name: /^Take 2, seed 0/ })).toBeVisible({ timeout: 60_000 });
  await expect(page.getByRole('region', { name: /^Take 3, seed 1/ })).toBeVisible({ timeout: 60_000 });

  await page.getByRole('button', { name: 'Use the settings of Take 3' }).click();
  await expect(page.getByRole('textbox', { name: 'Seed', exact: true })).toHaveValue('1');
});

test('cancelling takes effect within a UNet pass and keeps the studio usable', async ({ studio: page }) => {
  await untilReady(page);
  await page.getByRole('textbox', { name: 'Prompt', exact: true }).fill(PROMPT);
  await quickSettings(page, { steps: 200, seconds: 5.12 });
  await page.getByRole('button', { name: /^Generate/ }).click();
  await expect(page.getByText(/Step \d+ of 200/).first()).toBeVisible();
  await page.getByRole('button', { name: /^Cancel/ }).click();
  await expect(page.getByText('Cancelled').first()).toBeVisible({ timeout: 15_000 });
  await quickSettings(page);
  await page.getByRole('button', { name: /^Generate/ }).click();
  await expect(page.getByRole('region', { name: /^Take, seed/ })).toBeVisible({ timeout: 60_000 });
});

test('the same seed makes the same sound again; leaks nothing', async ({ studio: page }) => {
  await untilReady(page);
  const runs = await page.evaluate(async (prompt) => {
    const request = { prompt, steps: 4, seed: 11, durationSeconds: 2 };
    const results = [];
    for (let i = 0; i < 3; i++) {
      const [sound] = await window.studio.generate(request);
      const { memory } = await window.studio.info();
      results.push({ audio: Array.from(sound?.audio ?? []), tensors: memory.tensorCount });
    }
    return results;
  }, PROMPT);
  expect(runs[1]?.audio).toEqual(runs[0]?.audio);
  expect(runs[2]?.tensors).toBe(runs[1]?.tensors);
  expect(runs[0]?.audio.length).toBe(32_000);
});

test('a killed worker is said, replaced, and the job can be tried again', async ({ studio: page }) => {
  await untilReady(page);
  await page.getByRole('textbox', { name: 'Prompt', exact: true }).fill(PROMPT);
  await quickSettings(page, { steps: 60, seconds: 5.12 });
  await page.getByRole('button', { name: /^Generate/ }).click();
  await expect(page.getByText(/Step [2-9] of 60/).first()).toBeVisible();
  const worker = await engineWorker(page);
  await worker.evaluate(() => self.close());
  await expect(page.getByRole('alert').filter({ hasText: 'The engine stopped' })).toBeVisible();
  await quickSettings(page);
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByText(/Step \d+ of 60/).first()).toBeVisible({ timeout: 30_000 });
  await page.getByRole('button', { name: /^Cancel/ }).click();
  await expect(page.getByText('Cancelled').first()).toBeVisible({ timeout: 15_000 });
});
