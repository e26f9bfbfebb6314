/**
 * What the page and the engine say to each other: types only, no code. `StudioEngine` is the one interface; the
 * host (worker side) implements it, the client (page side) implements it by asking the host, and fakes in tests
 * implement it too. Tensors cross in PyTorch order (NCHW).
 */

import type { Benchmark } from './protocol-benchmark';
import type { ClapApi, ClapModelSummary } from './protocol-clap';
import type { HubOrigin, HubPlan, HubSource, ModelCheck, StorageReport } from './protocol-hub';
import type { JobOptions, ModelFile } from './protocol-jobs';
import type { PannModelSummary, PannsApi } from './protocol-panns';
import type { PreferencesApi } from './protocol-preferences';
import type { SentenceEmbeddingsApi, SentenceModelSummary } from './protocol-sentence-embeddings';
import type { AdapterLineage, TrainApi, TrainRun } from './protocol-training';

export type { HubOrigin, HubPlan, HubSource, ModelCheck, StorageReport } from './protocol-hub';
export type { JobOptions, ModelFile } from './protocol-jobs';

export type BackendName = 'webgpu' | 'wasm';
/** `auto` takes WebGPU when an adapter is there, else WebAssembly. */
export type BackendChoice = 'auto' | BackendName;
export type SchedulerName = 'ddpm' | 'ddim' | 'dpm-solver++';

export interface TensorData {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

export interface EngineInfo {
  readonly backend: BackendName;
  readonly backendChoice: BackendChoice;
  /** Why this backend and not the other, in words for a person. */
  readonly backendReason: string;
  readonly adapter: { vendor: string; architecture: string; description: string } | null;
  readonly features: readonly string[];
  /** Bytes of the largest buffer and of the largest part of one that a shader sees; null without WebGPU. */
  readonly limits: { maxBufferSize: number; maxStorageBufferBindingSize: number } | null;
  readonly wasm: { simd: boolean; threads: number };
  readonly memory: {
    /** GPU buffers that tensors hold. */
    gpuBytes: number;
    /** All GPU buffers, with those kept for the next tensor of their size. */
    gpuBytesReserved: number;
    /** The most that `gpuBytesReserved` has been since the backend was opened. */
    gpuBytesPeak: number;
    wasmHeapBytes: number;
    tensorCount: number;
  };
  readonly versions: { studio: string; tfjs: string };
  readonly model: ModelSummary | null;
}

export interface ModelComponent {
  readonly name:
    | 'text_encoder'
    | 'text_encoder_2'
    | 'projection_model'
    | 'language_model'
    | 'unet'
    | 'vae'
    | 'vocoder';
  readonly className: string;
  readonly parameterCount: number;
  readonly bytes: number;
  /** Elements of its largest tensor, which has to fit one buffer of the GPU; absent in models kept long ago. */
  readonly largestTensorElements?: number;
}

export interface ModelSummary {
  readonly id: string;
  readonly name: string;
  readonly source: 'bundled' | 'imported';
  /** Where it was downloaded from; absent: it came from files. */
  readonly origin?: HubOrigin;
  /** Of the run that its UNet was merged from, where its files say so. */
  readonly lineage?: AdapterLineage;
  /** `broken`: the browser has lost a part of it, or it did not pass `verify`. Absent: nothing is known to be wrong. */
  readonly state?: 'broken';
  readonly description: string;
  readonly license: string | null;
  readonly precision: 'float16' | 'float32' | 'mixed';
  readonly bytes: number;
  readonly parameterCount: number;
  readonly components: readonly ModelComponent[];
  readonly sampleRateHz: number;
  readonly minDurationSeconds: number;
  readonly maxDurationSeconds: number;
}

export interface AdapterUse {
  /** A run or an imported adapter of `train.runs()`. */
  readonly id: string;
  /** 0…2, factor of its share: 1 is the adapter as it was trained, 0 leaves it out. */
  readonly strength: number;
}

export interface GenerateRequest {
  readonly prompt: string;
  readonly negativePrompt?: string;
  /** 1…1000; default 20. */
  readonly steps?: number;
  /** 1…20; 1 means no guidance; default 3. */
  readonly guidanceScale?: number;
  readonly scheduler?: SchedulerName;
  /** 0…2^32−1: the seed of `torch.Generator("cpu")`; take k uses seed + k (mod 2^32). Default: random. */
  readonly seed?: number;
  /** Seconds of sound, within the model's bounds; default 5.12. */
  readonly durationSeconds?: number;
  /** Takes: 1…4; default 1. */
  readonly count?: number;
  /** Starting noise instead of the seed's, [1, C, H, W] of unit variance. */
  readonly latents?: TensorData;
  /** Return every stage's tensor with each sound. */
  readonly returnStages?: boolean;
  /** Model the request was made for; an engine that holds another one loads this first. Default: the one in use. */
  readonly modelId?: string;
  /** A run or an imported adapter of `train.runs()`, of the same model; default: the model as it is. */
  readonly adapters?: readonly AdapterUse[];
}

/** Every default filled in: with these values the same sound is made again. */
export type ResolvedGenerateRequest = Required<
  Omit<GenerateRequest, 'latents' | 'returnStages' | 'adapters'>
> &
  Pick<GenerateRequest, 'adapters'>;

export interface MelSpectrogram {
  /** Natural-log mel, row-major [frames, melBins]. */
  readonly data: Float32Array;
  readonly frames: number;
  readonly melBins: number;
}

export interface Sound {
  readonly id: string;
  /** Mono, −1…1. */
  readonly audio: Float32Array;
  readonly sampleRateHz: number;
  readonly seed: number;
  readonly takeIndex: number;
  readonly parameters: ResolvedGenerateRequest;
  /** Of `parameters.adapters`, one each; absent where there are none. */
  readonly lineage?: readonly AdapterLineage[];
  /** Of the model, where its UNet was merged from a run. */
  readonly modelLineage?: AdapterLineage;
  /**
   * The prompt or the negative prompt was longer than the text encoder takes (AudioLDM 2: the negative prompt longer than
   * the prompt): its end was not heard.
   */
  readonly truncated: boolean;
  readonly melSpectrogram: MelSpectrogram;
  readonly backend: BackendName;
  readonly elapsedSeconds: number;
  readonly stages?: GenerateStages;
}

export interface GenerateStages {
  /** [2 or 1, L, D]: unconditional first when guided. */
  readonly textStates: TensorData;
  readonly textMask: TensorData;
  /** AudioLDM 2's T5 states, [2 or 1, S, D], and their mask: `textStates` are its language model's. */
  readonly textStates1?: TensorData;
  readonly textMask1?: TensorData;
  /** [1, C, H, W] before the first step. */
  readonly initialLatents: TensorData;
  /** The latents after each step. */
  readonly latents: readonly TensorData[];
  readonly timesteps: readonly number[];
  /** [1, 1, T, F] */
  readonly mel: TensorData;
  /** [1, samples] untrimmed */
  readonly waveform: TensorData;
}

export type GenerateStageName =
  | 'queued'
  | 'load-model'
  | 'encode-text'
  | 'denoise'
  | 'decode'
  | 'vocode'
  | 'done';

export interface GenerateProgress {
  readonly stage: GenerateStageName;
  readonly takeIndex: number;
  readonly takeCount: number;
  readonly stepIndex: number;
  readonly stepCount: number;
  /** 0…1 of the whole request. */
  readonly fraction: number;
  /** Estimate from measured speed; null before there is one. */
  readonly remainingSeconds: number | null;
  /** The take as it looks now, when a preview was decoded at this step. */
  readonly preview?: MelSpectrogram;
  /** A take that has just been finished. */
  readonly sound?: Sound;
}

export interface LoadProgress {
  readonly loadedBytes: number;
  readonly totalBytes: number;
  readonly label: string;
}

export interface ModelsApi {
  list(): Promise<readonly ModelSummary[]>;
  /** Checks every file, then keeps the model in IndexedDB; nothing is kept when anything is wrong. */
  importFiles(files: readonly ModelFile[], options?: JobOptions<LoadProgress>): Promise<ModelSummary>;
  /** Loads the model and makes it the one in use. */
  load(id: string, options?: JobOptions<LoadProgress>): Promise<ModelSummary>;
  /** The same as `load`. */
  use(id: string, options?: JobOptions<LoadProgress>): Promise<ModelSummary>;
  /** Frees the model's memory; the next job loads it again. */
  unload(): Promise<void>;
  /** Forgets a model, or a download that was begun. */
  remove(id: string): Promise<void>;
  /** Reads every byte of a kept model and compares its hashes. */
  verify(id: string, options?: JobOptions<LoadProgress>): Promise<ModelCheck>;
  /** What a repository's model costs, before its first byte. @throws InvalidInputError, NetworkError */
  inspect(source: HubSource): Promise<HubPlan>;
  /**
   * Fetches a model, a CLAP, PANNs or a sentence embedder of a hub and keeps it. Stopped by the signal, a closed tab or an
   * error it goes on at the same byte
   * when it is called again.
   * @throws InvalidInputError, NetworkError, StorageError, and all that `importFiles` throws
   */
  download(
    source: HubSource,
    options?: JobOptions<LoadProgress>,
  ): Promise<ModelSummary | ClapModelSummary | PannModelSummary | SentenceModelSummary>;
  /** Downloads that were begun and are no models yet. */
  downloads(): Promise<readonly HubPlan[]>;
  storage(): Promise<StorageReport>;
  /**
   * What can hang in the model (default: the one in use): imported LoRAs, and runs that have a checkpoint. `generate`
   * takes their ids in `adapters`, each with a strength of 0 to 2, and does not load the model again for them.
   */
  adapters(modelId?: string): Promise<readonly TrainRun[]>;
}

export interface EncodedText {
  /** [B, L, D] */
  readonly states: TensorData;
  /** [B, L], 1 = token, 0 = padding */
  readonly mask: TensorData;
  /** AudioLDM 2's T5 states, [B, S, D], and their mask. */
  readonly states1?: TensorData;
  readonly mask1?: TensorData;
  readonly inputIds: readonly (readonly number[])[];
}

export interface StagesApi {
  /** Prompts padded to the longest. */
  encodeText(prompts: readonly string[]): Promise<EncodedText>;
  /** One UNet pass: sample [B, C, H, W], one timestep for each or for all → [B, C, H, W]. */
  predict(input: {
    sample: TensorData;
    timestep: number | readonly number[];
    textStates: TensorData;
    textMask?: TensorData;
    textStates1?: TensorData;
    textMask1?: TensorData;
  }): Promise<TensorData>;
  /** Mel [B, 1, T, F] → the posterior's mean times the scale factor, [B, C, H, W]. */
  encode(mel: TensorData): Promise<TensorData>;
  /** Scaled latents [B, C, H, W] → mel [B, 1, T, F]. */
  decode(latents: TensorData): Promise<TensorData>;
  /** Mel [B, 1, T, F] → waveform [B, samples]. */
  vocode(mel: TensorData): Promise<TensorData>;
  /** Waveform [samples] at the model's rate → log-mel [1, 1, T, F]. */
  mel(waveform: TensorData): Promise<TensorData>;
}

export interface StudioEngine {
  info(): Promise<EngineInfo>;
  /** Moves to another backend; the model in use is loaded again there. */
  setBackend(choice: BackendChoice): Promise<EngineInfo>;
  readonly models: ModelsApi;
  generate(request: GenerateRequest, options?: JobOptions<GenerateProgress>): Promise<readonly Sound[]>;
  readonly stages: StagesApi;
  readonly train: TrainApi;
  readonly preferences: PreferencesApi;
  readonly clap: ClapApi;
  readonly panns: PannsApi;
  readonly sentenceEmbeddings: SentenceEmbeddingsApi;
  /** Times each stage of the model in use. */
  readonly benchmark: Benchmark;
}

/** What the client tells the page about the engine's life. */
export type EngineStatus =
  | { readonly state: 'starting' }
  | { readonly state: 'ready' }
  | { readonly state: 'restarting'; readonly reason: string }
  | { readonly state: 'failed'; readonly code: string; readonly message: string };
