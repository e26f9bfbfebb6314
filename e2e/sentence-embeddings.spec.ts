import { readFileSync } from 'node:fs';
import { COMMIT, type FakeHub, startFakeHub } from '../src/testing/fake-hub';
import { openSafetensors } from '../src/weights/formats/safetensors';
import { expect, test, untilReady } from './studio';

const FOLDER = new URL('../src/testing/fixtures/tiny-gte/', import.meta.url);
const FILES = [
  'README.md',
  'config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'onnx/model.onnx',
  'onnx/model_quantized.onnx',
];
const REPO = 'Xenova/gte-large';
const PROMPTS = ['a dog barks', 'a dog barks twice', 'rain falls', 'rain falls on a roof', 'a bell rings'];
/** What only embedding needs. */
const LAZY = /sentence-embedder|ort-wasm/;

const contentOf = (path: string) => readFileSync(new URL(path, FOLDER));
const panel = (name: string) => ({ name, exact: true }) as const;

test.use({ hosts: ['127.0.0.1'] });
let hub: FakeHub;
test.beforeEach(async () => {
  hub = await startFakeHub(
    new Map([
      [
        REPO,
        {
          license: 'mit',
          tags: ['transformers.js', 'onnx', 'bert', 'feature-extraction'],
          files: new Map(FILES.map((path) => [path, new Uint8Array(contentOf(path))])),
        },
      ],
    ]),
  );
});
test.afterEach(() => hub.close());

test('gte-large is downloaded, and without its hub prompts are clustered by it', async ({ studio: page }) => {
  const lazy: string[] = [];
  page.on('request', (request) => {
    if (LAZY.test(request.url())) lazy.push(new URL(request.url()).origin);
  });
  await untilReady(page);
  const panels = page.getByRole('navigation', { name: 'Panels' });
  const embeddings = page.getByRole('combobox', { name: 'Embeddings' });
  const cluster = page.getByRole('button', { name: `Cluster ${PROMPTS.length} prompts` });

  // Before: CLAP embeds, the hint leads to the models, and nothing of transformers.js has come.
  await panels.getByRole('link', panel('Preferences')).click();
  await page.getByRole('textbox', { name: 'Prompts, one a line' }).fill(PROMPTS.join('\n'));
  await page.getByText('Pick a balanced part').click();
  await expect(embeddings.getByRole('option', { name: /^CLAP text tower/ })).toHaveCount(2);
  await cluster.click();
  await expect(page.getByRole('img', { name: /^Map of 5 prompts/ })).toBeVisible();
  expect(lazy).toEqual([]);
  await page.getByRole('button', { name: 'Get it in Models' }).click();

  await page.getByLabel('Another repository').fill(REPO);
  await page.getByText('Revision, another hub, access token').click();
  await page.getByLabel('Hub', { exact: true }).fill(hub.url);
  await page.locator('form').getByRole('button', { name: 'What it costs' }).click();
  const asked = page.getByRole('list', { name: 'Downloads' }).getByRole('listitem');
  await expect(asked).toContainText(/kB to download .* of memory to run .* licence mit/);
  await expect(asked).toContainText('onnx/model_quantized.onnx is taken: 8-bit weights');
  await expect(asked).toContainText(`commit ${COMMIT.slice(0, 7)}`);
  expect(hub.requests.filter(({ host }) => host === 'files')).toEqual([]);
  await asked.getByRole('button', { name: 'Download' }).click();
  const kept = page.getByRole('region', { name: /^Sentence embeddings/ }).getByRole('listitem');
  await expect(kept).toContainText('downloaded from 127.0.0.1');
  await kept.getByRole('button', { name: /^Check/ }).click();
  await expect(kept).toContainText('every byte is as it was kept');

  // After: no hub, a new visit.
  await hub.close();
  await page.reload();
  await untilReady(page);
  lazy.length = 0;
  await panels.getByRole('link', panel('Preferences')).click();
  await page.getByText('Pick a balanced part').click();
  await expect(embeddings).toHaveValue(/^xenova-gte-large-/);
  await cluster.click();
  await expect(page.getByText(`by ${REPO}. Point at a dot to read it.`)).toBeVisible();
  expect(lazy.length).toBeGreaterThanOrEqual(3);
  expect(new Set(lazy)).toEqual(new Set([new URL(page.url()).origin]));

  await panels.getByRole('link', panel('Models')).click();
  await kept.getByRole('button', { name: /^Remove/ }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Remove' }).click();
  await expect(kept).toHaveCount(0);
  expect(await page.evaluate(() => window.studio.sentenceEmbeddings.models())).toEqual([]);
});

test('gte-large’s files are chosen in Models, and give PyTorch’s embeddings', async ({ studio: page }) => {
  await untilReady(page);
  await page.getByRole('navigation', { name: 'Panels' }).getByRole('link', panel('Models')).click();
  const choose = async (paths: readonly string[]) => {
    await expect(page.getByRole('button', { name: 'Choose files…' })).toBeEnabled();
    const named = paths.map((path) => ({
      name: path.split('/').at(-1)!,
      mimeType: 'application/octet-stream',
      buffer: contentOf(path),
    }));
    await page.getByLabel('Model files').setInputFiles(named);
  };
  await choose(['config.json', 'onnx/model.onnx']);
  await expect(
    page.getByText(/tokenizer.json, tokenizer_config.json are not among these files/),
  ).toBeVisible();
  await choose(FILES.filter((path) => path !== 'onnx/model_quantized.onnx'));
  await expect(page.getByRole('region', { name: /^Sentence embeddings/ })).toContainText(
    '32 numbers a prompt · onnx/model.onnx',
  );

  const reference = await openSafetensors(
    new Blob([new Uint8Array(contentOf('reference.safetensors'))]),
    'reference',
  );
  const expected = new Float32Array((await reference.read('embeddings')).bytes.slice().buffer);
  const texts = JSON.parse(reference.metadata.get('captions')!) as string[];
  const came = await page.evaluate(async (given) => {
    const { embeddings } = await window.studio.sentenceEmbeddings.embed({ texts: given });
    return embeddings.flatMap((row) => [...row]);
  }, texts);
  expect(came).toHaveLength(expected.length);
  const rms = Math.sqrt(expected.reduce((sum, value) => sum + value ** 2, 0) / expected.length);
  const largest = came.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
  expect(largest / rms).toBeLessThan(1e-4);
});
