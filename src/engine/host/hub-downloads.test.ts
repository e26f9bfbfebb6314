import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { InvalidInputError, JobCancelledError, NetworkError, StorageError } from '../../common/errors';
import { readBlob, tangoReleased } from '../../testing';
import { COMMIT, type HubFault, startFakeHub } from '../../testing/fake-hub';
import { tinyGte } from '../../testing/tiny-gte';
import { openTorchCheckpoint, renameStateDict, writeSafetensors } from '../../weights';
import { hubAccess } from '../../weights/hub';
import type { LoadProgress } from '../protocol';
import { EngineHost } from './engine-host';
import { HubDownloads } from './hub-downloads';
import { MemoryStore, type StoreKey } from './key-value-store';
import { ModelStore, storedChunk } from './model-store';
import { SentenceEmbedders } from './sentence-embeddings';

const REPO = 'declare-lab/tango2';
const TOKEN = 'hf_secret';
const CHUNK_BYTES = 40_000;
const CLAP_FILES = ['config.json', 'preprocessor_config.json', 'tokenizer.json', 'model.safetensors'];
const WEIGHTS = 'pytorch_model_vae.bin';

const released = await tangoReleased();
const contents = new Map<string, Uint8Array>();
for (const { path, blob } of released.files) contents.set(path, new Uint8Array(await blob.arrayBuffer()));
const tokenizer = new Map(
  ['tokenizer.json', 'tokenizer_config.json'].map((path) => [path, contents.get(path)!]),
);
const own = new Map([...contents].filter(([path]) => !tokenizer.has(path)));
own.set('samples/dog.wav', new Uint8Array(500));

/** A repository of transformers, with what the studio has no use for. */
const clap = new Map<string, Uint8Array>([
  ['vocab.json', new Uint8Array(700)],
  ['pytorch_model.bin', new Uint8Array(900)],
]);
for (const path of CLAP_FILES)
  clap.set(path, await readFile(new URL(`../../../public/models/default-clap-1/${path}`, import.meta.url)));

const PTH = await readBlob(new URL('../../models/pann-cnn14/fixtures/cnn14-16k.pth', import.meta.url));
const pth = new Uint8Array(await PTH.arrayBuffer());

/** A Cnn14 as a wrapper saved it: each name behind `backbone.`. */
async function wrappedPann(): Promise<Uint8Array> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const wrapped = renameStateDict(await openTorchCheckpoint(PTH, 'a.pth'), (name) =>
    name.endsWith('num_batches_tracked') ? null : `backbone.${name}`,
  );
  const head = await writeSafetensors(wrapped, async (bytes) => {
    parts.push(bytes.slice());
  });
  return new Uint8Array(await new Blob([head, ...parts]).arrayBuffer());
}
/** As Xenova/gte-large is listed, with formats that the studio does not choose. */
const tiny = await tinyGte();
const gte = new Map<string, Uint8Array>([['onnx/model_fp16.onnx', new Uint8Array(900)]]);
for (const [path, blob] of tiny.files) gte.set(path, new Uint8Array(await blob.arrayBuffer()));
const gteWithout = (...left: readonly string[]) => new Map([...gte].filter(([path]) => !left.includes(path)));
const GTE_TAGS = ['transformers.js', 'onnx', 'bert', 'feature-extraction'];

const hub = await startFakeHub(
  new Map([
    [REPO, { license: 'cc-by-nc-sa-4.0', files: own }],
    ['google/flan-t5-large', { license: 'apache-2.0', files: tokenizer }],
    ['someone/private', { token: TOKEN, files: contents }],
    ['someone/other', { files: new Map([['README.md', new Uint8Array(3)]]) }],
    ['laion/clap', { license: 'apache-2.0', tags: ['transformers', 'clap'], files: clap }],
    [
      'someone/panns_Cnn14',
      {
        license: 'mit',
        files: new Map([
          ['config.json', new Uint8Array(2)],
          ['model.safetensors', await wrappedPann()],
        ]),
      },
    ],
    [
      'someone/audio',
      {
        files: new Map([
          ['Cnn14_mAP=0.431.pth', pth],
          ['Cnn14_16k_mAP=0.438.pth', pth],
          ['Cnn14_DecisionLevelMax_mAP=0.385.pth', pth],
        ]),
      },
    ],
    [
      'laion/large',
      { tags: ['clap'], files: new Map([...clap, ['model.safetensors', new Uint8Array(130e6)]]) },
    ],
    [
      'laion/no-tokenizer',
      { tags: ['clap'], files: new Map([...clap].filter(([path]) => path !== 'tokenizer.json')) },
    ],
    ['Xenova/gte-large', { license: 'mit', tags: GTE_TAGS, files: gte }],
    ['someone/float32', { tags: GTE_TAGS, files: gteWithout('onnx/model_quantized.onnx') }],
    [
      'someone/no-onnx',
      {
        tags: ['bert', 'sentence-similarity'],
        files: gteWithout(...[...gte.keys()].filter((path) => path.endsWith('onnx'))),
      },
    ],
    ['someone/other-kind', { tags: ['onnx', 'mpnet', 'sentence-similarity'], files: gte }],
    ['someone/no-words', { tags: GTE_TAGS, files: gteWithout('tokenizer.json') }],
    [
      'laion/no-weights',
      { tags: ['clap'], files: new Map([...clap].filter(([path]) => path.endsWith('.json'))) },
    ],
  ]),
);
afterAll(() => hub.close());

/** Every pause that was asked for, none of them waited for. */
const pauses: number[] = [];
const access: typeof hubAccess = (hubUrl, token) => ({
  ...hubAccess(hubUrl, token),
  pause: async (ms, signal) => {
    pauses.push(ms);
    signal?.throwIfAborted();
  },
});
const source = { repo: REPO, hubUrl: hub.url };

beforeEach(() => {
  pauses.length = 0;
  hub.reset();
});

function open(values = new MemoryStore()): HubDownloads {
  return new HubDownloads(values, access, CHUNK_BYTES);
}

const fileRequests = () => hub.requests.filter(({ host }) => host === 'files');
const rangesOf = (path: string) =>
  fileRequests()
    .filter((request) => request.path.startsWith(`/${path}?`))
    .map(({ range }) => range);

async function expectWhole(downloads: HubDownloads): Promise<void> {
  const { files } = await downloads.fetch(source);
  expect(files.length).toBeGreaterThan(6);
  for (const { path, blob } of files) {
    expect(Buffer.from(await blob.arrayBuffer()).equals(contents.get(path)!), path).toBe(true);
  }
}

/** `fault` for the first `times` answers about the weights. */
function failing(fault: HubFault, times = 1): (path: string, count: number) => HubFault | undefined {
  let left = times;
  return (path) => (path === WEIGHTS && left-- > 0 ? fault : undefined);
}

describe('before the first byte', () => {
  it('says commit, size, licence and where the tokenizer comes from, and fetches no file', async () => {
    const plan = await open().inspect(source);
    expect(plan).toMatchObject({ repo: REPO, commit: COMMIT, license: 'cc-by-nc-sa-4.0', loadedBytes: 0 });
    expect(plan.files.map(({ path }) => path)).not.toContain('samples/dog.wav');
    expect(plan.files.map(({ path }) => path)).not.toContain('pytorch_model_stft.bin');
    expect(plan.totalBytes).toBe(
      plan.files.reduce((sum, { path }) => sum + contents.get(path)!.byteLength, 0),
    );
    expect(plan.notes.join(' ')).toMatch(/tokenizer.json.*google\/flan-t5-large \(apache-2.0\)/);
    expect(fileRequests()).toEqual([]);
  });

  it.each([
    ['tango2', InvalidInputError, /owner\/name/],
    ['../../etc/passwd', InvalidInputError, /owner\/name/],
    ['someone/other', InvalidInputError, /no model that the studio reads.*README.md/],
    ['someone/nothing', NetworkError, /answered 401.*check the name/],
  ] as const)('refuses %s in words', async (repo, type, words) => {
    const asking = open().inspect({ ...source, repo });
    await expect(asking).rejects.toBeInstanceOf(type);
    await expect(asking).rejects.toThrow(words);
  });

  it.each(['ftp://hub', 'http://hub.example', 'https://a:b@hub', 'nonsense'])(
    'refuses the address %s',
    async (hubUrl) => {
      await expect(open().inspect({ ...source, hubUrl })).rejects.toThrow(/address should begin with https/);
    },
  );

  it('waits when the hub asks it to, and says so when a sign-in page answers in its place', async () => {
    hub.apiFault = (_path, count) => (count === 0 ? 429 : undefined);
    await open().inspect(source);
    expect(pauses).toContain(0);
    hub.apiFault = () => 'web-page';
    await expect(open().inspect(source)).rejects.toThrow(/did not answer.*sign-in page/);
  });
});

describe('a CLAP', () => {
  const ofClap = { ...source, repo: 'laion/clap' };

  it('is told from a model that makes sounds; one set of its weights and its documents are its files', async () => {
    const plan = await open().inspect(ofClap);
    expect(plan).toMatchObject({ kind: 'clap', license: 'apache-2.0' });
    expect(plan.files.map(({ path }) => path).toSorted()).toEqual(CLAP_FILES.toSorted());
    expect((await open().inspect(source)).kind).toBe('text-to-audio');
  });

  it('above 32 M parameters is kept in half precision, and the cost says so', async () => {
    const plan = await open().inspect({ ...source, repo: 'laion/large' });
    expect(plan.memoryBytes).toBe(plan.totalBytes / 2);
    expect(plan.notes.join(' ')).toMatch(/float16/);
    expect((await open().inspect(ofClap)).notes).toEqual([]);
  });

  it.each(['laion/no-tokenizer', 'laion/no-weights'])(
    'that lacks what it needs is refused before the first byte: %s',
    async (repo) => {
      await expect(open().inspect({ ...source, repo })).rejects.toThrow(
        /CLAP of transformers.*tokenizer.json, weights/,
      );
      expect(fileRequests()).toEqual([]);
    },
  );

  it('comes, scores under its repository’s name, and lets the download go', async () => {
    const values = new MemoryStore();
    const claps = new MemoryStore();
    const options = { backend: 'wasm', modelsUrl: 'http://127.0.0.1:9/models/', modelId: null } as const;
    const host = await EngineHost.open(
      options,
      () => {},
      new ModelStore(values),
      undefined,
      undefined,
      new ModelStore(claps),
    );
    try {
      const model = await host.models.download(ofClap);
      expect(model).toMatchObject({ name: 'laion/clap', license: 'apache-2.0', source: 'imported' });
      expect(await host.clap.models()).toEqual([model]);
      expect(await values.keys()).toEqual([]);
      const audio = Float32Array.from({ length: 16_000 }, (_, i) => Math.sin(i * i * 1e-6) / 2);
      const items = [{ prompt: 'a dog barks', audio, sampleRateHz: 16_000 }];
      const [[score] = []] = await host.clap.score({ items, modelIds: [model.id] });
      expect(score).toMatchObject({ modelId: model.id, modelName: 'laion/clap' });
      expect(Math.abs(score!.score)).toBeLessThanOrEqual(1);
    } finally {
      host.dispose();
    }
  });
});

describe('PANNs', () => {
  const ofPann = { ...source, repo: 'someone/panns_Cnn14' };

  it('are told by the name of the repository or of the file; one file is fetched', async () => {
    const plan = await open().inspect(ofPann);
    expect(plan).toMatchObject({ kind: 'pann', license: 'mit' });
    expect(plan.files.map(({ path }) => path)).toEqual(['model.safetensors']);
    const published = await open().inspect({ ...source, repo: 'someone/audio' });
    expect(published.kind).toBe('pann');
    expect(published.files.map(({ path }) => path)).toEqual(['Cnn14_16k_mAP=0.438.pth']);
    expect([plan.notes, published.notes]).toEqual([[], [expect.stringMatching(/torch before 1\.6/)]]);
  });

  it('come, hear under their repository’s name, and let the download go', async () => {
    const values = new MemoryStore();
    const options = { backend: 'wasm', modelsUrl: 'http://127.0.0.1:9/models/', modelId: null } as const;
    const stores = [undefined, undefined, undefined] as const;
    const host = await EngineHost.open(
      options,
      () => {},
      new ModelStore(values),
      ...stores,
      new ModelStore(new MemoryStore()),
    );
    try {
      const model = await host.models.download(ofPann);
      expect(model).toMatchObject({
        name: 'someone/panns_Cnn14',
        license: 'mit',
        origin: { hubUrl: hub.url, repo: 'someone/panns_Cnn14', commit: COMMIT },
        sampleRateHz: 16_000,
      });
      expect(await host.panns.models()).toEqual([model]);
      expect(await values.keys()).toEqual([]);
      const audio = Float32Array.from({ length: 16_000 }, (_, i) => Math.sin(i * i * 1e-6) / 2);
      expect(await host.panns.tag({ audio, sampleRateHz: 16_000 })).toHaveLength(5);
      await host.setBackend('auto');
      expect(await host.panns.tag({ audio, sampleRateHz: 16_000, count: 2 })).toHaveLength(2);
    } finally {
      host.dispose();
    }
  });
});

describe('a sentence embedder', () => {
  const ofGte = { ...source, repo: 'Xenova/gte-large' };
  const KEPT = [
    'README.md',
    'config.json',
    'onnx/model_quantized.onnx',
    'tokenizer.json',
    'tokenizer_config.json',
  ];

  it('is told by its tags; one ONNX file of several is taken, and the plan says which and why', async () => {
    const plan = await open().inspect(ofGte);
    expect(plan).toMatchObject({ kind: 'sentence-embeddings', license: 'mit' });
    expect(plan.files.map(({ path }) => path).toSorted()).toEqual(KEPT.toSorted());
    expect(plan.notes).toEqual([
      expect.stringMatching(/model_quantized.onnx is taken: 8-bit weights, a quarter/),
    ]);
    expect(plan.memoryBytes).toBe(3.5 * gte.get('onnx/model_quantized.onnx')!.byteLength);
    const float32 = await open().inspect({ ...source, repo: 'someone/float32' });
    expect(float32.files.map(({ path }) => path)).toContain('onnx/model.onnx');
    expect(float32.notes.join(' ')).toMatch(/float32 weights only. Xenova\/gte-large has 8-bit ones/);
    expect(fileRequests()).toEqual([]);
  });

  it.each([
    ['someone/no-onnx', /reads from ONNX: onnx\/model_quantized.onnx or onnx\/model.onnx is not there/],
    ['someone/other-kind', /another architecture than BERT.*onnx, mpnet, sentence-similarity/],
    ['someone/no-words', /tokenizer.json is not there/],
  ])('that lacks what it needs is refused before the first byte: %s', async (repo, words) => {
    await expect(open().inspect({ ...source, repo })).rejects.toThrow(words);
    expect(fileRequests()).toEqual([]);
  });

  it('comes, is tried, kept under its repository’s name, checked, and removed', async () => {
    const values = new MemoryStore();
    const sentences = new MemoryStore();
    const tried: string[][] = [];
    let closed = 0;
    const embedders = new SentenceEmbedders(new ModelStore(sentences), async (files) => ({
      embed: async (texts) => {
        tried.push(files.map(({ path }) => path).toSorted(), [...texts]);
        return new Float32Array(32 * texts.length).fill(32 ** -0.5);
      },
      close: () => {
        closed += 1;
      },
    }));
    const options = { backend: 'wasm', modelsUrl: 'http://127.0.0.1:9/models/', modelId: null } as const;
    const host = await EngineHost.open(
      options,
      () => {},
      new ModelStore(values),
      ...([undefined, undefined, undefined, undefined] as const),
      embedders,
    );
    try {
      const model = await host.models.download(ofGte);
      expect(model).toMatchObject({
        name: 'Xenova/gte-large',
        license: 'mit',
        onnxFile: 'onnx/model_quantized.onnx',
        origin: { hubUrl: hub.url, repo: 'Xenova/gte-large', commit: COMMIT },
      });
      expect(tried).toEqual([KEPT.toSorted(), ['a dog barks']]);
      expect(closed).toBe(1);
      expect(await host.sentenceEmbeddings.models()).toEqual([model]);
      expect(await host.models.downloads()).toEqual([]);
      expect(await host.sentenceEmbeddings.verify(model.id)).toEqual({ damaged: [] });
      const key = (await sentences.keys()).find(([, , path]) => path === 'onnx/model_quantized.onnx')!;
      await sentences.set(key, await storedChunk(new Blob([new Uint8Array(79_000)])));
      expect(await host.sentenceEmbeddings.verify(model.id)).toEqual({
        damaged: ['onnx/model_quantized.onnx'],
      });
      await expect(host.sentenceEmbeddings.embed({ texts: ['rain'] })).rejects.toThrow(
        /lost a part of the model/,
      );
      await host.sentenceEmbeddings.remove(model.id);
      expect(await sentences.keys()).toEqual([]);
      await expect(host.sentenceEmbeddings.embed({ texts: ['rain'] })).rejects.toThrow(
        /No sentence embedder is installed. Download Xenova\/gte-large/,
      );
    } finally {
      host.dispose();
    }
  });
});

describe('the token', () => {
  it('goes to the hub only, never to where the files are, and nothing of it is kept', async () => {
    const values = new MemoryStore();
    await open(values).fetch({ ...source, repo: 'someone/private', token: TOKEN });
    const sent = (host: string) =>
      hub.requests.filter((request) => request.host === host).map(({ authorization }) => authorization);
    expect(new Set(sent('hub'))).toEqual(new Set([`Bearer ${TOKEN}`]));
    expect(new Set(sent('files'))).toEqual(new Set([undefined]));
    const kept = await Promise.all((await values.keys()).map((key) => values.get(key)));
    expect(JSON.stringify(kept)).not.toContain(TOKEN);
  });

  it('that may not read the repository is told from one that is missing', async () => {
    const asking = (token?: string) =>
      open().inspect({ ...source, repo: 'someone/private', ...(token ? { token } : {}) });
    await expect(asking()).rejects.toThrow(/give an access token/);
    await expect(asking('hf_other')).rejects.toThrow(/token may not read/);
  });
});

describe('a download', () => {
  it('comes whole, in ranges of a chunk, several at a time', async () => {
    const seen: LoadProgress[] = [];
    await open().fetch(source, { onProgress: (progress) => seen.push(progress) });
    await expectWhole(open());
    expect(rangesOf(WEIGHTS)).toContain(`bytes=0-${CHUNK_BYTES - 1}`);
    expect(rangesOf(WEIGHTS).length).toBeGreaterThanOrEqual(3);
    expect(seen.at(-1)!.loadedBytes).toBe(seen.at(-1)!.totalBytes);
  });

  it.each([
    ['429 with Retry-After', { status: 429, retryAfter: '7' }, [7000]],
    ['503', { status: 503 }, [1000]],
    ['an expired signed address', { status: 403 }, [1000]],
    ['a wrong Content-Range', 'wrong-range', [1000]],
    ['a connection that ends at once', { cutAfter: 0 }, [1000]],
  ] as const)('goes on after %s', async (_name, fault, expected) => {
    hub.fault = failing(fault);
    await expectWhole(open());
    expect(pauses).toEqual(expected);
  });

  it('cut at any byte goes on at that byte', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: CHUNK_BYTES - 1 }), async (cutAfter) => {
        hub.requests.length = 0;
        hub.fault = failing({ cutAfter });
        await expectWhole(open());
        expect(rangesOf(WEIGHTS)).toContain(`bytes=${cutAfter}-${CHUNK_BYTES - 1}`);
      }),
      { numRuns: 6 },
    );
  });

  it('from a server without ranges comes in one piece, also when that breaks off', async () => {
    hub.fault = () => 'ignore-range';
    await expectWhole(open());
    let broken = 0;
    hub.fault = (path, count) =>
      path === WEIGHTS && count > 0 && broken++ === 1 ? { cutAfter: 50_000 } : 'ignore-range';
    await expectWhole(open());
  });

  it('refuses a web page in place of weights at once', async () => {
    hub.fault = failing('web-page', 9);
    const downloading = open().fetch(source);
    await expect(downloading).rejects.toBeInstanceOf(NetworkError);
    await expect(downloading).rejects.toThrow(/a web page came.*sign-in/);
  });

  it('begins a file anew when it changes on the way, and gives up when it changes again', async () => {
    hub.fault = (path, count) => (path === WEIGHTS && count === 1 ? 'other-etag' : undefined);
    await expectWhole(open());
    let asked = 0;
    hub.fault = (path) => (path === WEIGHTS && asked++ % 2 === 1 ? 'other-etag' : undefined);
    await expect(open().fetch(source)).rejects.toThrow(/has changed while it was downloaded/);
    hub.fault = failing('other-size', 9);
    await expect(open().fetch(source)).rejects.toThrow(/should have \d+ bytes, but now has/);
  });

  it.each(['flipped-bit', 'zero-tail'] as const)(
    'with a %s is thrown away, and comes whole the next time',
    async (fault) => {
      const values = new MemoryStore();
      hub.fault = failing(fault, 99);
      await expect(open(values).fetch(source)).rejects.toThrow(
        /its SHA-256 is .* and should be .*thrown away/,
      );
      expect((await values.keys()).filter(([, kind, path]) => kind === 'file' && path === WEIGHTS)).toEqual(
        [],
      );
      hub.fault = null;
      await expectWhole(open(values));
    },
  );

  it('gives up after six tries without a byte, and goes on later where it was', async () => {
    const values = new MemoryStore();
    hub.fault = (path, count) => (path === WEIGHTS && count > 0 ? { status: 503 } : undefined);
    await expect(open(values).fetch(source)).rejects.toThrow(/answered 503.*already is kept/);
    expect(pauses.slice(0, 3).every((ms) => ms >= 1000)).toBe(true);
    const [partial] = await open(values).list();
    expect(partial).toMatchObject({ repo: REPO, commit: COMMIT });
    expect(partial!.loadedBytes).toBeGreaterThanOrEqual(CHUNK_BYTES);
    hub.fault = null;
    hub.requests.length = 0;
    await expectWhole(open(values));
    expect(rangesOf(WEIGHTS)).not.toContain(`bytes=0-${CHUNK_BYTES - 1}`);
  });

  it('stopped by its signal keeps what is here', async () => {
    const values = new MemoryStore();
    const controller = new AbortController();
    const downloading = open(values).fetch(source, {
      signal: controller.signal,
      onProgress: ({ loadedBytes }) => {
        if (loadedBytes > 3 * CHUNK_BYTES) controller.abort(new JobCancelledError('Stopped.'));
      },
    });
    await expect(downloading).rejects.toBeInstanceOf(JobCancelledError);
    expect((await open(values).list())[0]!.loadedBytes).toBeGreaterThan(0);
    await expectWhole(open(values));
  });

  it('that storage has no room for says so, keeps the chunks before, and is forgotten by remove', async () => {
    class FullStore extends MemoryStore {
      limit = 6;
      override async set(key: StoreKey, value: unknown): Promise<void> {
        if ((await this.keys()).length >= this.limit)
          throw new StorageError('The browser gives the studio no more storage.');
        await super.set(key, value);
      }
    }
    const values = new FullStore();
    await expect(open(values).fetch(source)).rejects.toBeInstanceOf(StorageError);
    const [partial] = await open(values).list();
    expect(partial!.loadedBytes).toBeGreaterThan(0);
    values.limit = 1000;
    await expectWhole(open(values));
    expect(await open(values).remove(partial!.id)).toBe(true);
    expect(await open(values).remove(partial!.id)).toBe(false);
    expect(await values.keys()).toEqual([]);
  });
});

describe('EngineHost.models.download', () => {
  it('keeps the model with its licence and origin, and lets the download go', async () => {
    const values = new MemoryStore();
    const options = { backend: 'wasm', modelsUrl: 'http://127.0.0.1:9/models/', modelId: null } as const;
    const host = await EngineHost.open(options, () => {}, new ModelStore(values));
    try {
      const model = await host.models.download(source);
      expect(model).toMatchObject({
        name: REPO,
        license: 'cc-by-nc-sa-4.0',
        origin: { repo: REPO, commit: COMMIT, hubUrl: hub.url },
      });
      expect(await host.models.list()).toEqual([model]);
      expect(await host.models.downloads()).toEqual([]);
      expect((await values.keys()).every(([id]) => id === model.id)).toBe(true);
      expect(await host.models.verify(model.id)).toEqual({ damaged: [] });
      await host.models.use(model.id);
      expect((await host.info()).model?.id).toBe(model.id);
      await host.models.unload();
      expect((await host.info()).model).toBeNull();
    } finally {
      host.dispose();
    }
  });
});
