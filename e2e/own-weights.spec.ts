import { readdirSync, readFileSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { COMMIT, type FakeHub, startFakeHub } from '../src/testing/fake-hub';
import { storedZip } from '../src/testing/stored-zip';
import { tinyAudioldm2 } from '../src/testing/tiny-tango';
import { openSafetensors } from '../src/weights/formats/safetensors';
import { openZipDirectory, readZipEntry } from '../src/weights/formats/zip-directory';
import { expect, PROMPT, quickSettings, test, untilReady, wavLevel } from './studio';

const FOLDER = new URL('../src/testing/fixtures/tango-released/', import.meta.url);
const PANN_FOLDER = new URL('../src/models/pann-cnn14/fixtures/', import.meta.url);
const TOKENIZER = new URL('../src/text/fixtures/byte-level-bpe-tokenizer.json', import.meta.url);
/** The studio asks for a file in ranges of so many bytes. */
const CHUNK_BYTES = 16 * 2 ** 20;
const MAIN = 'pytorch_model_main.bin';
const REPO = 'declare-lab/tango2';
const AUDIOLDM2 = 'cvssp/audioldm2';

/** What declare-lab publishes, of a tiny model, and FLAN-T5's tokenizer beside it. */
function publishedFiles(): Map<string, Buffer> {
  const names = readdirSync(FOLDER).filter((name) => /\.bin$|_config\.json$/.test(name));
  const files = new Map(names.map((name) => [name, readFileSync(new URL(name, FOLDER))]));
  return files.set('tokenizer.json', readFileSync(TOKENIZER));
}

const openModels = (page: Page) =>
  page.getByRole('navigation', { name: 'Panels' }).getByRole('link', { name: 'Models' }).click();

/** The row of an installed model, or of a download. */
const row = (page: Page, name: string) => page.getByRole('listitem').filter({ hasText: name }).first();

async function chooseFiles(page: Page, files: ReadonlyMap<string, Buffer>): Promise<void> {
  // While a model loads nobody can choose.
  await expect(page.getByRole('button', { name: 'Choose files…' })).toBeEnabled();
  const payloads = [...files].map(([name, buffer]) => ({
    name,
    buffer,
    mimeType: 'application/octet-stream',
  }));
  await page.getByLabel('Model files').setInputFiles(payloads);
}

/** A sound is made with the model in use, as a person does it, and is one. */
async function hearSomething(page: Page): Promise<void> {
  await page.getByRole('navigation', { name: 'Panels' }).getByRole('link', { name: 'Generate' }).click();
  await page.getByRole('textbox', { name: 'Prompt', exact: true }).fill(PROMPT);
  await quickSettings(page, { steps: 3, seconds: 1 });
  await page.getByRole('button', { name: /^Generate/ }).click();
  const take = page.getByRole('region', { name: /^Take, seed/ }).first();
  await expect(take).toBeVisible();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    take
      .getByRole('button', { name: /Download/ })
      .first()
      .click(),
  ]);
  expect(wavLevel(readFileSync(await download.path()))).toBeGreaterThan(1e-4);
}

test('Tango’s three .bin files are chosen, kept, heard, checked and removed', async ({ studio: page }) => {
  const files = publishedFiles();
  expect([...files.keys()].filter((name) => name.endsWith('.bin'))).toHaveLength(3);
  await untilReady(page);
  await openModels(page);

  const incomplete = new Map(files);
  incomplete.delete('vae_config.json');
  await chooseFiles(page, incomplete);
  await expect(page.getByText(/vae_config\.json is not among them/)).toBeVisible();
  expect(await page.evaluate(async () => (await window.studio.models.list()).length)).toBe(1);

  await chooseFiles(page, files);
  const imported = row(page, 'Imported model');
  await expect(imported).toContainText('In use');
  await expect(imported).toContainText(/parameters, .* MB, 32-bit/);
  await expect(imported).toContainText(/Text encoder .* UNet .* VAE .* Vocoder/);
  const { id, components } = (await page.evaluate(async () => (await window.studio.info()).model))!;
  expect(components.map(({ className }) => className)).toEqual([
    'T5EncoderModel',
    'UNet2DConditionModel',
    'AutoencoderKL',
    'SpeechT5HifiGan',
  ]);
  await hearSomething(page);
  expect(await differenceFromPyTorch(page)).toBeLessThan(1e-3);

  await page.reload();
  await untilReady(page);
  await expect.poll(() => page.evaluate(async () => (await window.studio.info()).model?.id)).toBe(id);
  await openModels(page);
  await imported.getByRole('button', { name: /^Check/ }).click();
  await expect(imported).toContainText('every byte is as it was kept');
  await imported.getByRole('button', { name: /^Remove/ }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Remove' }).click();
  await expect(page.getByRole('listitem').filter({ hasText: 'Imported model' })).toHaveCount(0);
  expect(await keptKeys(page)).toEqual([]);
});

test('PANNs as published are chosen, say what is in a take, are kept over a reload and removed', async ({
  studio: page,
}) => {
  await untilReady(page);
  await hearSomething(page);
  const take = page.getByRole('region', { name: /^Take, seed/ }).first();
  await take.getByRole('button', { name: 'What PANNs hear' }).click();
  await take.getByRole('button', { name: 'Get them in Models' }).click();

  const list = page.getByRole('region', { name: /^PANNs/ });
  const pth = readFileSync(new URL('cnn14-16k.pth', PANN_FOLDER));
  await chooseFiles(page, new Map([['Cnn14_16k_mAP=0.438.pth', pth.subarray(0, 9000)]]));
  await expect(page.getByText(/Cnn14_16k_mAP=0\.438\.pth/).first()).toBeVisible();
  expect(await page.evaluate(() => window.studio.panns.models())).toEqual([]);
  await chooseFiles(page, new Map([['Cnn14_16k_mAP=0.438.pth', pth]]));
  await expect(list).toContainText('PANNs Cnn14, 16 kHz');
  await page.getByRole('navigation', { name: 'Panels' }).getByRole('link', { name: 'Generate' }).click();
  await take.getByRole('button', { name: 'What PANNs hear' }).click();
  await expect(take.getByLabel('What PANNs hear').getByRole('term')).toHaveCount(5);

  await page.reload();
  await untilReady(page);
  const reference = await openSafetensors(
    new Blob([new Uint8Array(readFileSync(new URL('cnn14-16k.safetensors', PANN_FOLDER)))]),
    'reference',
  );
  const refusal = await page.evaluate(() =>
    window.studio.panns
      .importFiles([new File(['<!doctype html>'], 'Cnn14_mAP=0.431.pth')])
      .catch((error: { code: string; message: string }) => `${error.code}: ${error.message}`),
  );
  expect(refusal).toMatch(/^weights-format: Cnn14_mAP=0\.431\.pth: .*web page/);
  const valuesOf = async (name: string) =>
    new Float32Array((await reference.read(name)).bytes.slice().buffer);
  const probabilities = (await valuesOf('clipwise_output')).toSorted((a, b) => b - a);
  const heard = await page.evaluate(
    async (samples) => {
      const audio = Float32Array.from(samples);
      const tags = await window.studio.panns.tag({ audio, sampleRateHz: 16_000, count: 527 });
      return tags.map(({ probability }) => probability);
    },
    [...(await valuesOf('wave'))],
  );
  expect(heard).toHaveLength(probabilities.length);
  for (const [i, probability] of heard.entries()) expect(probability).toBeCloseTo(probabilities[i]!, 3);

  await openModels(page);
  await list.getByRole('button', { name: /^Check/ }).click();
  await expect(list).toContainText('every byte is as it was kept');
  await list.getByRole('button', { name: /^Remove/ }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Remove' }).click();
  await expect(list.getByRole('listitem')).toHaveCount(0);
});

/** The waveform's error beside upstream's own code (tools/fixtures/tango_released.py), relative to its RMS. */
async function differenceFromPyTorch(page: Page): Promise<number> {
  const bytes = readFileSync(new URL('reference.safetensors', FOLDER));
  const reference = await openSafetensors(new Blob([new Uint8Array(bytes)]), 'reference');
  const raw = (await reference.read('waveform')).bytes.slice();
  const expected = new Float32Array(raw.buffer);
  const request = {
    prompt: reference.metadata.get('prompt')!,
    ...(JSON.parse(reference.metadata.get('request')!) as object),
  };
  const came = await page.evaluate(async (given) => {
    const [sound] = await window.studio.generate({ ...given, returnStages: true });
    return [...sound!.stages!.waveform.data];
  }, request);
  expect(came).toHaveLength(expected.length);
  const square = (sum: number, value: number): number => sum + value ** 2;
  const error = came.map((value, i) => value - expected[i]!).reduce(square, 0);
  return Math.sqrt(error / expected.reduce(square, 0));
}

/** Keys that the models' storage holds. */
function keptKeys(page: Page): Promise<unknown[]> {
  return page.evaluate(
    () =>
      new Promise<unknown[]>((resolve, reject) => {
        const opening = indexedDB.open('tango-studio-models');
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const keys = opening.result.transaction('values').objectStore('values').getAllKeys();
          keys.onsuccess = () => resolve(keys.result);
          keys.onerror = () => reject(keys.error);
        };
      }),
  );
}

/** The same checkpoint with an entry beside its tensors that makes it as many bytes larger. */
async function padded(checkpoint: Buffer, bytes: number): Promise<Uint8Array> {
  const zip = await openZipDirectory(new Blob([new Uint8Array(checkpoint)]), MAIN);
  const entries = [...zip.entries.values()];
  const read = await Promise.all(
    entries.map(async (entry) => [entry.name, await readZipEntry(zip, entry, MAIN)] as const),
  );
  const root = entries[0]!.name.split('/')[0];
  const padding = [`${root}/padding`, new Uint8Array(bytes).fill(7)] as const;
  return new Uint8Array(await storedZip([...read, padding]).arrayBuffer());
}

test.describe('from a hub', () => {
  test.use({ hosts: ['127.0.0.1'] });
  let hub: FakeHub;

  test.beforeAll(async () => {
    const files = new Map<string, Uint8Array>(publishedFiles());
    const tokenizer = new Map([['tokenizer.json', files.get('tokenizer.json')!]]);
    files.delete('tokenizer.json');
    files.set(MAIN, await padded(Buffer.from(files.get(MAIN)!), 2 * CHUNK_BYTES));
    const audioldm2 = await Promise.all(
      (await tinyAudioldm2()).files.map(
        async ({ path, blob }) => [path, new Uint8Array(await blob.arrayBuffer())] as const,
      ),
    );
    hub = await startFakeHub(
      new Map([
        [AUDIOLDM2, { license: 'cc-by-nc-sa-4.0', files: new Map(audioldm2) }],
        [REPO, { license: 'cc-by-nc-sa-4.0', files }],
        ['google/flan-t5-large', { license: 'apache-2.0', files: tokenizer }],
      ]),
    );
  });
  test.beforeEach(() => hub.reset());
  test.afterAll(() => hub.close());

  async function askFor(page: Page, repo: string): Promise<void> {
    await page.getByLabel('Another repository').fill(repo);
    await page.getByText('Revision, another hub, access token').click();
    await page.getByLabel('Hub', { exact: true }).fill(hub.url);
    await page.locator('form').getByRole('button', { name: 'What it costs' }).click();
  }

  test('AudioLDM 2 is downloaded, says its seven parts, and is heard', async ({ studio: page }) => {
    await untilReady(page);
    await openModels(page);
    await askFor(page, AUDIOLDM2);
    const asked = page.getByRole('list', { name: 'Downloads' }).getByRole('listitem');
    const parts = /Text encoder .* Text encoder 2 .* Projection .* Language model .* UNet .* VAE .* Vocoder/;
    await expect(asked).toContainText(parts);
    await asked.getByRole('button', { name: 'Download' }).click();
    const kept = page.getByRole('listitem').filter({ hasText: 'downloaded from 127.0.0.1' });
    await expect(kept).toContainText('licence cc-by-nc-sa-4.0');
    await expect(kept).toContainText(parts);
    await kept.getByRole('button', { name: 'Use' }).click();
    await expect(kept).toContainText('In use');
    await hearSomething(page);
    const { fixture, prompt, requests } = await tinyAudioldm2();
    const came = await page.evaluate(
      async (request) => [...(await window.studio.generate(request))[0]!.audio],
      { prompt, ...requests.guided },
    );
    const { data } = fixture.values('guided/audio');
    const square = (sum: number, value: number): number => sum + value ** 2;
    const error = came.map((value, i) => value - data[i]!).reduce(square, 0);
    expect(Math.sqrt(error / [...data].reduce(square, 0))).toBeLessThan(1e-3);
  });

  const rangesOfMain = () =>
    hub.requests
      .filter(({ host, path }) => host === 'files' && path.startsWith(`/${MAIN}`))
      .map(({ range }) => range);

  test('a download says what it costs, is cut off by a reload, and goes on where it was', async ({
    studio: page,
    context,
  }) => {
    await untilReady(page);
    await openModels(page);
    await askFor(page, REPO);
    const asked = page.getByRole('list', { name: 'Downloads' }).getByRole('listitem');
    await expect(asked).toContainText('not downloaded');
    await expect(asked).toContainText(/34\.\d MB to download/);
    await expect(asked).toContainText('licence cc-by-nc-sa-4.0');
    await expect(asked).toContainText(`commit ${COMMIT.slice(0, 7)}`);
    await expect(asked).toContainText(/tokenizer\.json.* from google\/flan-t5-large \(apache-2\.0\)/);
    expect(hub.requests.filter(({ host }) => host === 'files')).toEqual([]);

    hub.fault = (path, count) => (path === MAIN && count > 0 ? 'silence' : undefined);
    await asked.getByRole('button', { name: 'Download' }).click();
    const loaded = () => page.evaluate(async () => (await window.studio.models.downloads())[0]?.loadedBytes);
    await expect.poll(loaded).toBeGreaterThanOrEqual(CHUNK_BYTES);

    // Another tab is told who downloads, and keeps its hands off.
    const other = await context.newPage();
    await other.goto('/');
    const refusal = await other.evaluate(
      ([repo, hubUrl]) =>
        window.studio.models.download({ repo, hubUrl }).then(
          () => 'it was downloaded',
          (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
        ),
      [REPO, hub.url] as const,
    );
    expect(refusal).toMatch(/^invalid-input: Another tab .* is downloading this model/);
    await other.close();

    await page.reload();
    await untilReady(page);
    hub.reset();
    await openModels(page);
    await expect(asked).toContainText('partial');
    await expect(asked).toContainText(/1\d\.\d MB of 34\.\d MB are here/);
    await asked.getByRole('button', { name: 'Resume' }).click();
    const kept = page.getByRole('listitem').filter({ hasText: 'downloaded from 127.0.0.1' });
    await expect(kept).toContainText('licence cc-by-nc-sa-4.0');
    expect(rangesOfMain()).not.toContain(`bytes=0-${CHUNK_BYTES - 1}`);
    expect(rangesOfMain()).toContain(`bytes=${CHUNK_BYTES}-${2 * CHUNK_BYTES - 1}`);
    expect(await page.evaluate(() => window.studio.models.downloads())).toEqual([]);

    await kept.getByRole('button', { name: 'Use' }).click();
    await expect(kept).toContainText('In use');
    await hearSomething(page);
  });
});
