import { beforeAll, describe, expect, it } from 'vitest';
import { required } from '../../common/assert';
import {
  InvalidConfigError,
  InvalidInputError,
  JobCancelledError,
  WeightsFormatError,
} from '../../common/errors';
import { expectClose } from '../../testing/expect-close';
import { fakeClap } from '../../testing/fake-clap';
import { type TinyGte, type TinyGteFile, tinyGte } from '../../testing/tiny-gte';
import type { ModelFile } from '../protocol';
import { openEmbedderWorker } from './embedder-worker';
import { MemoryStore } from './key-value-store';
import { ModelStore } from './model-store';
import { PreferenceStore } from './preference-store';
import { Preferences } from './preferences';
import { SentenceEmbedders } from './sentence-embeddings';

const DOCUMENTS = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'README.md'] as const;

let tiny: TinyGte;
beforeAll(async () => {
  tiny = await tinyGte();
});

function open(values = new MemoryStore()) {
  return { values, embedders: new SentenceEmbedders(new ModelStore(values), openEmbedderWorker) };
}

const flat = (rows: readonly Float32Array[]) => Float32Array.from(rows.flatMap((row) => [...row]));

describe('a sentence embedder in its worker', () => {
  it('gives PyTorch’s embeddings of float32 weights, in batches and one by one', async () => {
    const { embedders } = open();
    const model = await embedders.importFiles(tiny.folder(...DOCUMENTS, 'onnx/model.onnx'));
    expect(model).toMatchObject({
      name: 'tiny-gte',
      license: 'mit',
      onnxFile: 'onnx/model.onnx',
      hiddenSize: 32,
      maxTokens: 512,
      bytes: tiny.files.get('onnx/model.onnx')!.size,
    });
    const reference = tiny.fixture.values('embeddings');
    const seen: number[] = [];
    const { embeddings, modelName } = await embedders.embed(
      { texts: tiny.captions },
      { onProgress: ({ index }) => seen.push(index) },
    );
    expect(modelName).toBe('tiny-gte');
    expect(seen).toEqual([8, tiny.captions.length]);
    await expectClose(flat(embeddings), reference, { relativeToRms: 1e-4 });
    const { embeddings: alone } = await embedders.embed({ texts: tiny.captions.slice(0, 1) });
    await expectClose(alone[0]!, { shape: [32], data: reference.data.slice(0, 32) }, { relativeToRms: 1e-4 });
  });

  it('takes the 8-bit file of two, whose embeddings are near and do not depend on their neighbours', async () => {
    const { embedders } = open();
    const model = await embedders.importFiles(
      tiny.folder(...DOCUMENTS, 'onnx/model.onnx', 'onnx/model_quantized.onnx'),
    );
    expect(model.onnxFile).toBe('onnx/model_quantized.onnx');
    const { embeddings } = await embedders.embed({ texts: tiny.captions });
    const { data } = tiny.fixture.values('embeddings');
    embeddings.forEach((row, i) => {
      const cosine = row.reduce((sum, x, d) => sum + x * data[32 * i + d]!, 0);
      expect(cosine, tiny.captions[i]!.slice(0, 40)).toBeGreaterThan(0.99);
    });
    const { embeddings: alone } = await embedders.embed({ texts: tiny.captions.slice(2, 3) });
    expect(alone[0]).toEqual(embeddings[2]);
  });

  it('takes the onnx/ folder of a repository by itself, and keeps one model of the same files', async () => {
    const { embedders, values } = open();
    const inside = tiny
      .folder('config.json', 'tokenizer.json', 'tokenizer_config.json', 'onnx/model.onnx')
      .map(({ path, blob }) => ({ path: `onnx/${path.split('/').at(-1)}`, blob }));
    const model = await embedders.importFiles(inside);
    expect(await embedders.importFiles(inside)).toEqual(model);
    expect(await embedders.models()).toEqual([model]);
    expect(await embedders.verify(model.id)).toEqual({ damaged: [] });
    await embedders.remove(model.id);
    expect(await values.keys()).toEqual([]);
  });

  it('is ended at once by the signal, loading or embedding', async () => {
    const { embedders } = open();
    const folder = tiny.folder(...DOCUMENTS, 'onnx/model.onnx');
    const early = new AbortController();
    const loading = embedders.importFiles(folder, { signal: early.signal });
    setTimeout(() => early.abort(), 50);
    await expect(loading).rejects.toBeInstanceOf(JobCancelledError);
    expect(await embedders.models()).toEqual([]);

    await embedders.importFiles(folder);
    const late = new AbortController();
    const texts = Array.from({ length: 4000 }, (_, i) => `${tiny.captions[0]} ${i}`);
    let index = 0;
    const embedding = embedders.embed(
      { texts },
      {
        signal: late.signal,
        onProgress: (progress) => {
          index = progress.index;
          late.abort();
        },
      },
    );
    await expect(embedding).rejects.toBeInstanceOf(JobCancelledError);
    expect(index).toBe(8);
  });
});

describe('a folder that is no sentence embedder', () => {
  const without = (...left: readonly TinyGteFile[]) =>
    tiny.folder(...[...DOCUMENTS, 'onnx/model.onnx' as const].filter((path) => !left.includes(path)));
  const replaced = async (path: TinyGteFile, change: (text: string) => BlobPart) => {
    const text = await tiny.files.get(path)!.text();
    return without().map(
      (file): ModelFile =>
        file.path === `tiny-gte/${path}` ? { ...file, blob: new Blob([change(text)]) } : file,
    );
  };
  const config = (change: object) => (text: string) =>
    JSON.stringify({ ...(JSON.parse(text) as object), ...change });
  const truncated = async () => {
    const onnx = tiny.files.get('onnx/model.onnx')!;
    return without().map((file) =>
      file.path.endsWith('.onnx') ? { ...file, blob: onnx.slice(0, onnx.size / 2) } : file,
    );
  };

  it.each([
    [
      'without ONNX',
      () => without('onnx/model.onnx'),
      InvalidInputError,
      /onnx\/model_quantized.onnx or onnx\/model.onnx is not among/,
    ],
    [
      'without a tokenizer',
      () => without('tokenizer.json'),
      InvalidInputError,
      /tokenizer.json is not among/,
    ],
    [
      'of another architecture',
      () => replaced('config.json', config({ model_type: 'roberta' })),
      InvalidConfigError,
      /"roberta" for "model_type".*bert/,
    ],
    [
      'of another width',
      () => replaced('config.json', config({ hidden_size: 64 })),
      WeightsFormatError,
      /should give 64 finite numbers.*gave 32/,
    ],
    [
      'with a tokenizer of another kind',
      () => replaced('tokenizer.json', () => '{"model":{}}'),
      InvalidConfigError,
      /tokenizer.json cannot be used/,
    ],
    [
      'with half of its ONNX file',
      truncated,
      WeightsFormatError,
      /onnx\/model.onnx does not open in ONNX Runtime.*protobuf/,
    ],
    [
      'with a web page in place of ONNX',
      () => replaced('onnx/model.onnx', () => '<!doctype html>'),
      WeightsFormatError,
      /does not open in ONNX Runtime/,
    ],
  ] as const)('%s is refused in words, and nothing is kept', async (_name, folder, type, words) => {
    const { embedders, values } = open();
    const importing = embedders.importFiles(await folder());
    await expect(importing).rejects.toBeInstanceOf(type);
    await expect(importing).rejects.toThrow(words);
    expect(await values.keys()).toEqual([]);
  });
});

it('prompts are clustered by it through the preferences', async () => {
  const { embedders } = open();
  const unused = (): never => {
    throw new Error('not called in this test');
  };
  const preferences = new Preferences(
    {
      generate: unused,
      modelId: unused,
      backend: unused,
      clap: { ...fakeClap(), embedText: unused },
      sentenceEmbeddings: embedders,
    },
    new PreferenceStore(new MemoryStore()),
  );
  const model = await embedders.importFiles(tiny.folder(...DOCUMENTS, 'onnx/model_quantized.onnx'));
  const prompts = ['dog', 'bell', 'rain'].flatMap((word) => [`${word} ${word}`, `${word} ${word} ${word}`]);
  const found = await preferences.clusterPrompts({
    prompts,
    clusters: 3,
    perCluster: 1,
    embeddings: model.id,
  });
  expect(found).toMatchObject({ modelId: model.id, modelName: 'tiny-gte' });
  expect(found.picked).toHaveLength(3);
  const [dog, , bell, , rain] = found.clusterOf;
  expect(found.clusterOf).toEqual(
    [dog, dog, bell, bell, rain, rain].map((one) => required(one, 'a cluster')),
  );
});
