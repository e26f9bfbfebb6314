import { logMelSpectrogram } from '../audio';
import { InvalidInputError, JobCancelledError, ModelNotFoundError, type StudioError } from '../common/errors';
import type { EngineClient } from '../engine/client';
import { MemoryStore } from '../engine/host/key-value-store';
import { PreferenceStore } from '../engine/host/preference-store';
import { Preferences } from '../engine/host/preferences';
import type {
  BackendChoice,
  EngineInfo,
  EngineStatus,
  GenerateProgress,
  GenerateRequest,
  HubPlan,
  JobOptions,
  LoadProgress,
  MelSpectrogram,
  ModelSummary,
  ResolvedGenerateRequest,
  Sound,
  StagesApi,
} from '../engine/protocol';
import { fakeBenchmark } from './fake-benchmark';
import { fakeClap } from './fake-clap';
import { fakePanns } from './fake-panns';
import { fakeSentenceEmbeddings } from './fake-sentence-embeddings';
import { createFakeTraining, type FakeTraining } from './fake-training';

const SAMPLE_RATE_HZ = 16_000;

export const fakeModel: ModelSummary = {
  id: 'default',
  name: 'Tango Studio default',
  source: 'bundled',
  description: 'A small model of 50 everyday sounds.',
  license: 'Apache-2.0',
  precision: 'float16',
  bytes: 26_400_000,
  parameterCount: 13_100_000,
  components: [],
  sampleRateHz: SAMPLE_RATE_HZ,
  minDurationSeconds: 1,
  maxDurationSeconds: 10.24,
};

export interface FakeEngineOptions {
  /** Waits between two reports; the tests' own clock, or real time. Default: a turn of the event loop. */
  readonly pause?: () => Promise<void>;
  readonly info?: Partial<EngineInfo>;
  readonly status?: EngineStatus;
  /** Beside the bundled one. */
  readonly models?: readonly ModelSummary[];
}

/** The engine as the page sees it, with synthesised tones for sounds and levers for what can go wrong. */
export interface FakeEngineClient extends EngineClient {
  /** Every request as it came. */
  readonly requests: readonly GenerateRequest[];
  readonly train: FakeTraining;
  setStatus(status: EngineStatus): void;
  /** The job fails with this when it is about to make take `takeIndex` (0 for the first). */
  failAt(takeIndex: number, error: StudioError): void;
  /** The next model load or import fails with this. */
  failModelJob(error: StudioError): void;
}

export function createFakeEngineClient(options: FakeEngineOptions = {}): FakeEngineClient {
  const { pause = () => new Promise((resolve) => setTimeout(resolve, 0)) } = options;
  const requests: GenerateRequest[] = [];
  const train = createFakeTraining(pause);
  const listeners = new Set<(status: EngineStatus) => void>();
  let models: readonly ModelSummary[] = [fakeModel, ...(options.models ?? [])];
  let current: ModelSummary | null = null;
  let backendChoice: BackendChoice = 'auto';
  let status: EngineStatus = options.status ?? { state: 'ready' };
  const clap = fakeClap();
  const sentenceEmbeddings = fakeSentenceEmbeddings();
  let failure: { takeIndex: number; error: StudioError } | null = null;
  let modelFailure: StudioError | null = null;

  function info(): EngineInfo {
    const backend = backendChoice === 'webgpu' ? 'webgpu' : 'wasm';
    return {
      backend,
      backendChoice,
      backendReason:
        backend === 'webgpu'
          ? 'WebGPU was chosen.'
          : 'WebAssembly, because the browser found no GPU it can use. Check that hardware acceleration is on in its settings.',
      adapter: null,
      features: [],
      limits: null,
      wasm: { simd: true, threads: 2 },
      memory: {
        gpuBytes: 0,
        gpuBytesReserved: 0,
        gpuBytesPeak: 0,
        wasmHeapBytes: 134_217_728,
        tensorCount: 412,
      },
      versions: { studio: '0.1.0', tfjs: '4.22.0' },
      model: current,
      ...options.info,
    };
  }

  async function loadModel(
    model: ModelSummary,
    label: string,
    job: JobOptions<LoadProgress> = {},
  ): Promise<void> {
    for (let part = 1; part <= 10; part += 1) {
      await pause();
      if (job.signal?.aborted) throw new JobCancelledError('Cancelled.');
      if (modelFailure) {
        const error = modelFailure;
        modelFailure = null;
        throw error;
      }
      job.onProgress?.({ loadedBytes: (model.bytes * part) / 10, totalBytes: model.bytes, label });
    }
  }

  async function loadAndUse(id: string, job?: JobOptions<LoadProgress>): Promise<ModelSummary> {
    const model = models.find((one) => one.id === id);
    if (!model) throw new ModelNotFoundError(`There is no model "${id}" here. Import it again.`);
    await loadModel(model, model.name, job);
    current = model;
    return model;
  }

  async function generate(
    request: GenerateRequest,
    { onProgress, signal }: JobOptions<GenerateProgress> = {},
  ): Promise<readonly Sound[]> {
    requests.push(request);
    const parameters = resolve(request);
    const { steps, count } = parameters;
    const modelLineage = models.find(({ id }) => id === parameters.modelId)?.lineage;
    const lineage = await Promise.all((request.adapters ?? []).map(({ id }) => train.lineage(id)));
    const sounds: Sound[] = [];
    for (let takeIndex = 0; takeIndex < count; takeIndex += 1) {
      if (failure?.takeIndex === takeIndex) {
        const { error } = failure;
        failure = null;
        throw error;
      }
      const seed = (parameters.seed + takeIndex) % 2 ** 32;
      const audio = synthesise(seed, parameters.durationSeconds);
      const mel = logMelSpectrogram(audio);
      const report = (
        stage: GenerateProgress['stage'],
        stepIndex: number,
        extra: Partial<GenerateProgress> = {},
      ) =>
        onProgress?.({
          stage,
          takeIndex,
          takeCount: count,
          stepIndex,
          stepCount: steps,
          fraction: (takeIndex + stepIndex / (steps + 2)) / count,
          remainingSeconds:
            stepIndex < 2 ? null : (steps - stepIndex) * 0.3 + (count - takeIndex - 1) * steps * 0.3,
          ...extra,
        });
      for (let stepIndex = 0; stepIndex < steps; stepIndex += 1) {
        await pause();
        if (signal?.aborted) throw new JobCancelledError('The job was cancelled.');
        report(
          'denoise',
          stepIndex,
          stepIndex % 3 === 2 ? { preview: noisy(mel, 1 - stepIndex / steps) } : {},
        );
      }
      report('vocode', steps);
      await pause();
      const sound: Sound = {
        id: `sound-${requests.length}-${takeIndex}`,
        audio,
        sampleRateHz: SAMPLE_RATE_HZ,
        seed,
        takeIndex,
        parameters,
        ...(lineage.length > 0 ? { lineage } : {}),
        ...(modelLineage ? { modelLineage } : {}),
        truncated: false,
        melSpectrogram: mel,
        backend: 'wasm',
        elapsedSeconds: steps * 0.3,
      };
      sounds.push(sound);
      report('done', steps + 2, { sound });
    }
    return sounds;
  }

  return {
    get status() {
      return status;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    requests,
    setStatus(next) {
      status = next;
      for (const listener of listeners) listener(next);
    },
    failAt(takeIndex, error) {
      failure = { takeIndex, error };
    },
    failModelJob(error) {
      modelFailure = error;
    },
    info: async () => info(),
    setBackend: async (choice) => {
      await pause();
      backendChoice = choice;
      return info();
    },
    restart: async () => {},
    dispose: () => listeners.clear(),
    models: {
      list: async () => models,
      load: loadAndUse,
      use: loadAndUse,
      adapters: async (modelId = current?.id ?? fakeModel.id) =>
        (await train.runs()).filter(
          (run) => run.modelId === modelId && (run.step > 0 || run.state === 'imported'),
        ),
      importFiles: async (files, job) => {
        const model: ModelSummary = {
          ...fakeModel,
          id: 'imported-1',
          name: 'Imported model',
          source: 'imported',
        };
        if (files.length === 0) throw new InvalidInputError('A model folder holds files, but none came.');
        await loadModel(model, 'unet/diffusion_pytorch_model.safetensors', job);
        models = [...models, model];
        return model;
      },
      unload: async () => {
        current = null;
      },
      verify: async () => ({ damaged: [] }),
      inspect: async ({ repo }) => fakePlan(repo),
      download: async ({ repo }, job) => {
        const { id, ...rest } = fakePlan(repo);
        const model: ModelSummary = { ...fakeModel, id, name: repo, source: 'imported', origin: rest };
        await loadModel({ ...model, bytes: rest.totalBytes }, 'Downloading pytorch_model_main.bin', job);
        models = [...models, model];
        return model;
      },
      downloads: async () => [],
      storage: async () => ({ usedBytes: 3.1e9, quotaBytes: 60e9, unreadable: [] }),
      remove: async (id) => {
        models = models.filter((one) => one.id !== id);
        if (current?.id === id) current = null;
      },
    },
    generate,
    stages: refusingStages(),
    benchmark: fakeBenchmark(info, pause, fakeModel),
    train,
    clap,
    panns: fakePanns(),
    sentenceEmbeddings,
    preferences: new Preferences(
      {
        generate,
        clap,
        sentenceEmbeddings,
        modelId: () => current?.id ?? fakeModel.id,
        backend: () => 'wasm',
      },
      new PreferenceStore(new MemoryStore()),
    ),
  };
}

/** What the hub says of Tango 2. */
export function fakePlan(repo: string): HubPlan {
  return {
    id: `download:huggingface.co/${repo}@0123456`,
    kind: 'text-to-audio',
    hubUrl: 'https://huggingface.co',
    repo,
    commit: '0123456789abcdef0123456789abcdef01234567',
    license: 'cc-by-nc-sa-4.0',
    files: [
      { path: 'pytorch_model_main.bin', size: 4_830_000_000, repo },
      { path: 'pytorch_model_vae.bin', size: 443_000_000, repo },
      { path: 'tokenizer.json', size: 2_400_000, repo: 'google/flan-t5-large' },
    ],
    totalBytes: 5_275_400_000,
    loadedBytes: 0,
    memoryBytes: 2_637_700_000,
    notes: [
      'tokenizer.json comes from google/flan-t5-large (apache-2.0): the repository itself has no tokenizer.',
    ],
  };
}

function resolve(request: GenerateRequest): ResolvedGenerateRequest {
  return {
    prompt: request.prompt,
    negativePrompt: request.negativePrompt ?? '',
    steps: request.steps ?? 20,
    guidanceScale: request.guidanceScale ?? 3,
    scheduler: request.scheduler ?? 'dpm-solver++',
    seed: request.seed ?? 0,
    durationSeconds: request.durationSeconds ?? 5.12,
    count: request.count ?? 1,
    modelId: request.modelId ?? fakeModel.id,
    ...(request.adapters?.length ? { adapters: request.adapters } : {}),
  };
}

/** Two seconds of barks, then a ringing telephone; the seed moves the pitches. */
function synthesise(seed: number, durationSeconds: number): Float32Array {
  const samples = Math.round(durationSeconds * SAMPLE_RATE_HZ);
  const shift = 1 + (seed % 97) / 300;
  return Float32Array.from({ length: samples }, (_, i) => {
    const t = i / SAMPLE_RATE_HZ;
    const hiss = (noise(i) - 0.5) * 0.004;
    if (t < durationSeconds * 0.45) {
      const inBark = t % 0.62;
      const bark = inBark < 0.16 ? Math.sin((inBark / 0.16) * Math.PI) ** 2 : 0;
      const tone = [1, 2, 3, 4, 5, 6].reduce(
        (sum, k) => sum + Math.sin(2 * Math.PI * k * 330 * shift * t) / k,
        0,
      );
      return bark * (0.22 * tone + 0.3 * (noise(i * 3) - 0.5)) + hiss;
    }
    const ringing = t % 1.1 < 0.75 ? 1 : Math.exp(-((t % 1.1) - 0.75) * 14);
    const tremolo = 0.6 + 0.4 * Math.sign(Math.sin(2 * Math.PI * 22 * t));
    const bell = [1, 1.32, 2.4, 3.1, 4.4].reduce(
      (sum, k) => sum + Math.sin(2 * Math.PI * k * 1100 * shift * t) / (k * k),
      0,
    );
    return ringing * tremolo * 0.3 * bell + hiss;
  });
}

/** 0…1, the same for the same index. */
function noise(index: number): number {
  const x = Math.sin(index * 12.9898) * 43_758.5453;
  return x - Math.floor(x);
}

function noisy(mel: MelSpectrogram, amount: number): MelSpectrogram {
  return { ...mel, data: mel.data.map((x, i) => x * (1 - amount) + amount * (-8 + 7 * noise(i))) };
}

function refusingStages(): StagesApi {
  const refuse = () => Promise.reject(new InvalidInputError('The fake engine has no stages.'));
  return { encodeText: refuse, predict: refuse, encode: refuse, decode: refuse, vocode: refuse, mel: refuse };
}
