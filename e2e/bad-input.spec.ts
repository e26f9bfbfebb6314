import type { Page } from '@playwright/test';
import { expect, PROMPT, quickSettings, test, untilReady } from './studio';

const promptField = (page: Page) => page.getByRole('textbox', { name: 'Prompt', exact: true });
const generate = (page: Page) => page.getByRole('button', { name: /^Generate/ }).click();
const takeAppears = (page: Page) =>
  expect(page.getByRole('region', { name: /^Take, seed/ })).toBeVisible({ timeout: 60_000 });

test('an empty and an endless prompt are refused in words; odd ones are taken', async ({ studio: page }) => {
  await untilReady(page);
  await quickSettings(page, { steps: 2, seconds: 1 });
  await promptField(page).fill('   ');
  await generate(page);
  await expect(promptField(page)).toHaveAttribute('aria-invalid', 'true');

  await promptField(page).fill('bark '.repeat(20_000));
  await generate(page);
  await expect(promptField(page)).toHaveAttribute('aria-invalid', 'true');
  await expect(page.getByText(/100[,.\s]?000/).first()).toBeVisible();

  await promptField(page).fill('q9 '.repeat(600));
  await generate(page);
  await expect(page.getByText('The end of the prompt was not heard')).toBeVisible();

  await promptField(page).fill('🐕 barks, then ☎️ rings </s> \ud83d');
  await generate(page);
  await expect(page.getByRole('region', { name: /^Take, seed/ })).toHaveCount(2);
});

test('numbers out of range are named before anything is sent', async ({ studio: page }) => {
  await untilReady(page);
  await promptField(page).fill(PROMPT);
  for (const [name, wrong, right] of [
    ['Steps', '0', '2'],
    ['Steps', '1001', '2'],
    ['Duration', '0.2', '1'],
    ['Duration', '60', '1'],
    ['Guidance', '0', '3'],
    ['Seed', '-1', '1'],
    ['Seed', '4294967296', '1'],
    ['Seed', 'abc', '1'],
  ] as const) {
    const field = page.getByRole('textbox', { name, exact: true });
    await field.fill(wrong);
    await expect(field, `${name} ${wrong}`).toHaveAttribute('aria-invalid', 'true');
    await generate(page);
    await expect(page.getByRole('progressbar', { name: 'Generation', exact: true })).toBeHidden();
    await field.fill(right);
    await expect(field).toHaveAttribute('aria-invalid', 'false');
  }
  await generate(page);
  await takeAppears(page);
});

/** What window.studio answers to a request: the error's code and message, or null. */
function refusal(
  page: Page,
  request: Record<string, unknown>,
): Promise<{ code: string; message: string } | null> {
  return page.evaluate(async (input) => {
    try {
      await window.studio.generate(input as unknown as Parameters<typeof window.studio.generate>[0]);
      return null;
    } catch (error) {
      const { code, message } = error as { code: string; message: string };
      return { code, message };
    }
  }, request);
}

test('scripts get the same words: code, what was expected, what came', async ({ studio: page }) => {
  await untilReady(page);
  for (const [request, words] of [
    [{}, /prompt/],
    [{ prompt: '' }, /prompt is empty/],
    [{ prompt: 'x'.repeat(100_000) }, /100,000 characters/],
    [{ prompt: PROMPT, steps: 0 }, /steps must be a whole number from 1/],
    [{ prompt: PROMPT, steps: 2.5 }, /steps/],
    [{ prompt: PROMPT, guidanceScale: '3' }, /guidanceScale/],
    [{ prompt: PROMPT, durationSeconds: 0 }, /durationSeconds/],
    [{ prompt: PROMPT, seed: 2 ** 32 }, /seed/],
    [{ prompt: PROMPT, count: 9 }, /count/],
    [{ prompt: PROMPT, scheduler: 'euler' }, /scheduler must be one of ddpm/],
  ] as const) {
    const error = await refusal(page, request);
    expect(error?.code, JSON.stringify(request).slice(0, 60)).toBe('invalid-input');
    expect(error?.message).toMatch(words);
  }
  expect((await refusal(page, { prompt: PROMPT, modelId: 'nowhere' }))?.code).toBe('model-not-found');
});

/** Imports a copy of the bundled model after a change made to its files, in the page. */
function importDamaged(page: Page, damage: string): Promise<{ code: string; message: string } | string> {
  return page.evaluate(async (kind) => {
    const manifest = await (await fetch('models/default/files.json')).json();
    const files: { path: string; blob: Blob }[] = await Promise.all(
      manifest.files.map(async ({ path }: { path: string }) => ({
        path: `copy/${path}`,
        blob: await (await fetch(`models/default/${path}`)).blob(),
      })),
    );
    const unet = files.find(({ path }) => path.endsWith('unet/diffusion_pytorch_model.safetensors'));
    if (!unet) return 'no UNet weights in the bundled model';
    const bytes = new Uint8Array(await unet.blob.arrayBuffer());
    const headerLength = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerLength)));
    const withHeader = () => {
      const json = new TextEncoder().encode(JSON.stringify(header));
      const length = new Uint8Array(8);
      new DataView(length.buffer).setBigUint64(0, BigInt(json.byteLength), true);
      return new Blob([length, json, bytes.subarray(8 + headerLength)]);
    };
    const key = 'conv_in.weight';
    switch (kind) {
      case 'whole':
        break;
      case 'renamed':
        header['conv_inn.weight'] = header[key];
        delete header[key];
        unet.blob = withHeader();
        break;
      case 'transposed':
        header[key].shape = header[key].shape.toReversed();
        unet.blob = withHeader();
        break;
      case 'truncated':
        unet.blob = unet.blob.slice(0, unet.blob.size - 2);
        break;
      case 'html':
        unet.blob = new Blob(['<!doctype html><title>Not found</title>']);
        break;
      case 'missing-file':
        files.splice(files.indexOf(unet), 1);
        break;
      case 'missing-config':
        files.splice(
          files.findIndex(({ path }) => path.endsWith('unet/config.json')),
          1,
        );
        break;
    }
    try {
      const summary = await window.studio.models.importFiles(files);
      return summary.id;
    } catch (error) {
      const { code, message } = error as { code: string; message: string };
      return { code, message };
    }
  }, damage);
}

test('a damaged model folder is refused by name, nothing is kept, and the studio goes on', async ({
  studio: page,
}) => {
  await untilReady(page);
  for (const [damage, code, words] of [
    ['renamed', 'state-dict', /conv_in\.weight.*conv_inn\.weight|conv_inn\.weight.*conv_in\.weight/s],
    ['transposed', 'state-dict', /conv_in\.weight/],
    ['truncated', 'weights-format', /./],
    ['html', 'weights-format', /./],
    ['missing-file', undefined, /unet/],
    ['missing-config', undefined, /unet/],
  ] as const) {
    const answer = await importDamaged(page, damage);
    expect(typeof answer, `${damage}: ${JSON.stringify(answer)}`).toBe('object');
    if (typeof answer === 'string') continue;
    if (code) expect(answer.code, damage).toBe(code);
    expect(answer.message, damage).toMatch(words);
    expect(await page.evaluate(async () => (await window.studio.models.list()).length)).toBe(1);
  }
  const id = await importDamaged(page, 'whole');
  expect(typeof id).toBe('string');
  await page.reload();
  await untilReady(page);
  const ids = await page.evaluate(async () => (await window.studio.models.list()).map((model) => model.id));
  expect(ids).toContain(id);
  await promptField(page).fill(PROMPT);
  await quickSettings(page, { steps: 2, seconds: 1 });
  await generate(page);
  await takeAppears(page);
});

test.describe('no way to compute', () => {
  test('a browser with neither WebGPU nor wasm SIMD gets a clear word', async ({ page }) => {
    // The engine's worker with a WebAssembly that refuses SIMD, as browsers before 2021 do.
    await page.route('**/assets/engine.worker*.js', async (route) => {
      const response = await route.fetch();
      const body = `WebAssembly.validate = () => false;\n${await response.text()}`;
      await route.fulfill({ response, body });
    });
    await page.goto('/');
    await expect(page.getByRole('alert').filter({ hasText: /WebAssembly SIMD/ })).toBeVisible();
  });
});
