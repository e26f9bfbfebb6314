import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { InvalidInputError } from '../../common/errors';
import { TangoPipeline } from '../../diffusion/pipelines/tango-pipeline';
import { expectClose, readBlob, startBackend, tinyAudioldm2 } from '../../testing';
import { COMMIT, startFakeHub } from '../../testing/fake-hub';
import { openTinyEngine, type TinyEngine } from '../../testing/tiny-engine';
import { openSafetensors } from '../../weights';
import { convertModel } from './convert-model';
import { EngineHost } from './engine-host';
import { MemoryStore } from './key-value-store';
import { ModelStore } from './model-store';

const tiny = await tinyAudioldm2();
const contents = new Map<string, Uint8Array>();
for (const { path, blob } of tiny.files) contents.set(path, new Uint8Array(await blob.arrayBuffer()));

/** What cvssp/audioldm2 has besides, which no sound is made of. */
const published = new Map([
  ...contents,
  ...[
    'text_encoder/pytorch_model.bin',
    'language_model/pytorch_model.bin',
    'feature_extractor/preprocessor_config.json',
    'tokenizer_2/spiece.model',
    'audio.wav',
  ].map((path) => [path, new Uint8Array(9)] as const),
]);
const hub = await startFakeHub(
  new Map([
    ['cvssp/audioldm2', { license: 'cc-by-nc-sa-4.0', files: published }],
    [
      'someone/audioldm2-speech',
      { files: new Map([...published].filter(([path]) => path !== 'tokenizer_2/tokenizer.json')) },
    ],
  ]),
);
afterAll(() => hub.close());

const opened: Pick<EngineHost, 'dispose'>[] = [];
afterEach(() => {
  for (const host of opened.splice(0)) host.dispose();
});

async function open(): Promise<TinyEngine> {
  const engine = await openTinyEngine(tiny);
  opened.push(engine.host);
  return engine;
}

async function openEmpty(): Promise<EngineHost> {
  const options = { backend: 'wasm', modelsUrl: 'http://127.0.0.1:9/models/', modelId: null } as const;
  const host = await EngineHost.open(options, () => {}, new ModelStore(new MemoryStore()));
  opened.push(host);
  return host;
}

const { requests, prompt, fixture } = tiny;

describe('AudioLDM 2 in the engine', () => {
  it('generates the sound of AudioLDM2Pipeline, and gives its stages', async () => {
    const { host, modelId } = await open();
    const [sound] = await host.generate({ prompt, ...requests.guided, modelId, returnStages: true });
    const audio = fixture.values('guided/audio');
    await expectClose({ data: sound!.audio, shape: audio.shape }, audio, { relativeToRms: 1e-3 });
    expect(sound!.stages!.textStates1!.shape).toEqual(fixture.values('guided/text_states').shape);
    const { states, mask, states1, mask1 } = await host.stages.encodeText([prompt]);
    const sample = { data: new Float32Array(4 * 32 * 4).fill(0.1), shape: [1, 4, 32, 4] };
    const first = { sample, timestep: 1, textStates: states, textMask: mask };
    const both = await host.stages.predict({ ...first, textStates1: states1!, textMask1: mask1! });
    expect(both.data.every(Number.isFinite)).toBe(true);
    await expect(host.stages.predict(first)).rejects.toBeInstanceOf(InvalidInputError);
    const bad = { data: new Float32Array(3), shape: [3] };
    await expect(host.stages.predict({ ...first, textStates1: bad })).rejects.toThrow(/textStates1/);
  });

  it('takes a LoRA of PEFT, at a strength', async () => {
    const { host } = await open();
    const file = async (name: string) => ({
      path: `dog/${name}`,
      blob: await readBlob(
        name.endsWith('.json')
          ? new URL('../../training/fixtures/audioldm2-lora/adapter_config.json', import.meta.url)
          : new URL('../../training/fixtures/audioldm2-lora/adapter_model.safetensors', import.meta.url),
      ),
    });
    const files = [await file('adapter_model.safetensors'), await file('adapter_config.json')];
    const { id } = await host.train.importAdapter(files);
    const request = { prompt, ...requests.guided!, steps: 2 };
    const heard = async (strength: number) => {
      const [sound] = await host.generate({ ...request, adapters: [{ id, strength }] });
      return sound!.audio;
    };
    const [plain] = await host.generate(request);
    expect(await heard(0)).toEqual(plain!.audio);
    expect(await heard(1)).not.toEqual(plain!.audio);

    const merged = await host.train.exportMerged(id, 'diffusers');
    expect(merged.path).toBe('unet/diffusion_pytorch_model.safetensors');
    const unet = await openSafetensors(merged.blob, merged.path);
    const shapes = fixture.metadata<Record<string, object>>('state_dicts').unet!;
    expect(unet.names().toSorted()).toEqual(Object.keys(shapes).toSorted());
    await expect(host.train.exportMerged(id, 'tango')).rejects.toThrow(/Tango family's files/);
  });

  it('times each of its stages', async () => {
    const { host } = await open();
    const { stages } = await host.benchmark({ runs: 1, durationSeconds: 1.28 });
    expect(stages.map(({ stage }) => stage)).toEqual(['encode-text', 'denoise', 'decode', 'vocode']);
    expect(stages.every(({ gigaflop }) => gigaflop > 0)).toBe(true);
  });
});

describe('AudioLDM 2 of a hub', () => {
  const source = { repo: 'cvssp/audioldm2', hubUrl: hub.url };

  it('costs the files that it is read from, one set of weights a component, and comes', async () => {
    const host = await openEmpty();
    const plan = await host.models.inspect(source);
    expect(plan).toMatchObject({ kind: 'text-to-audio', license: 'cc-by-nc-sa-4.0', commit: COMMIT });
    const wanted = [...contents.keys(), 'tokenizer_2/spiece.model'];
    expect(plan.files.map(({ path }) => path).toSorted()).toEqual(wanted.toSorted());
    const model = await host.models.download(source);
    expect(model).toMatchObject({ name: 'cvssp/audioldm2', license: 'cc-by-nc-sa-4.0' });
    await host.models.use(model.id);
    const [sound] = await host.generate({ prompt, ...requests.unguided });
    const audio = fixture.values('unguided/audio');
    await expectClose({ data: sound!.audio, shape: audio.shape }, audio, { relativeToRms: 1e-3 });
  });

  it('that reads texts aloud is refused before its first byte', async () => {
    hub.reset();
    const host = await openEmpty();
    const asking = host.models.inspect({ ...source, repo: 'someone/audioldm2-speech' });
    await expect(asking).rejects.toBeInstanceOf(InvalidInputError);
    await expect(asking).rejects.toThrow(/reads texts aloud \(VITS\).*cvssp\/audioldm2-music/);
    expect(hub.requests.filter(({ host: kind }) => kind === 'files')).toEqual([]);
  });
});

it('AudioLDM 2 kept in half precision gives the numbers of diffusers with halves', async () => {
  await startBackend('wasm');
  const { folder, large } = await convertModel(tiny.folder, { float32Parameters: 0 });
  expect(large).toBe(true);
  const pipeline = await TangoPipeline.load(folder);
  const { audio } = await pipeline.run({ prompt, ...requests.unguided! });
  const expected = fixture.values('unguided-f16/audio');
  await expectClose({ data: audio, shape: expected.shape }, expected, { relativeToRms: 1e-2 });
  pipeline.dispose();
});
