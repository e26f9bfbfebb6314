import type { JobOptions, ModelFile } from './protocol-jobs';

/** Fine-tuning as the page and scripts see it: types only. */

export interface TrainingClip {
  /** Mono, −1…1. */
  readonly audio: Float32Array;
  readonly sampleRateHz: number;
}

/** Two sounds of one prompt, one of which is liked better. */
export interface TrainingPair {
  /** For messages; default: its place in the list. */
  readonly id?: string;
  readonly prompt: string;
  readonly winner: TrainingClip;
  readonly loser: TrainingClip;
}

export interface TrainSettings {
  /** Rank of the LoRA matrices; 1…the narrowest layer's width. */
  readonly rank: number;
  /** The adapter's share is scaled by alpha / rank. */
  readonly alpha: number;
  readonly targets: 'attention' | 'attention-and-feed-forward';
  /** Tango 2's convention: the paper's 2000 are 1000 of diffusers' `beta_dpo`. */
  readonly beta: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  /** Steps until the rate is reached; then it falls linearly to 0. */
  readonly warmupSteps: number;
  readonly maxGradNorm: number;
  /** Epochs of supervised fine-tuning on the winners, before DPO. */
  readonly sftEpochs: number;
  readonly dpoEpochs: number;
  /** Pairs that go through the UNet together. */
  readonly pairsPerPass: number;
  /** Pairs of one optimiser step (the paper: 32). */
  readonly pairsPerStep: number;
  /** 0…1: share of the pairs that are trained without their prompt. */
  readonly captionDropout: number;
  /** 0…2^32−1: initial weights, order, timesteps, noise. */
  readonly seed: number;
  readonly checkpointEverySteps: number;
}

export interface TrainRequest extends Partial<TrainSettings> {
  readonly name?: string;
  readonly pairs: readonly TrainingPair[];
  /** The model to fine-tune; default: the one in use. */
  readonly modelId?: string;
  /** Seconds of sound that each clip is cut or padded to; default: the longest clip, 10.24 at most. */
  readonly durationSeconds?: number;
}

export interface TrainRun {
  readonly id: string;
  readonly name: string;
  readonly modelId: string;
  /** `stopped`: it can be resumed. `imported`: an adapter from a file, without a run. */
  readonly state: 'running' | 'stopped' | 'done' | 'imported';
  /** Steps of the last checkpoint. */
  readonly step: number;
  readonly stepCount: number;
  readonly pairCount: number;
  readonly parameterCount: number;
  readonly settings: TrainSettings | null;
  /** ISO 8601. */
  readonly createdAt: string;
  /** Why it stopped, when that was not asked for. */
  readonly failure: string | null;
}

/** One optimiser step; DPO's figures are null in a supervised one. Means over the step's pairs. */
export interface TrainMetrics {
  readonly step: number;
  readonly epoch: number;
  readonly phase: 'sft' | 'dpo';
  readonly loss: number;
  readonly learningRate: number;
  readonly gradNorm: number;
  readonly mseWinner: number;
  readonly mseLoser: number | null;
  readonly refMseWinner: number | null;
  readonly refMseLoser: number | null;
  readonly implicitAccuracy: number | null;
  /** −½ β ((mse_w − mse_l) − (ref_w − ref_l)). */
  readonly margin: number | null;
}

export interface TrainProgress {
  readonly runId: string;
  readonly stage: 'prepare' | 'train' | 'checkpoint';
  /** Pairs that are prepared, or steps that are done. */
  readonly index: number;
  readonly count: number;
  readonly remainingSeconds: number | null;
  readonly metrics?: TrainMetrics;
}

export interface TrainApi {
  /**
   * Trains an adapter until its last step, a `pause`, or the signal. Other jobs run between its steps.
   * @throws InvalidInputError; NonFiniteError naming the pair; JobCancelledError: the run stays at its last checkpoint
   */
  start(request: TrainRequest, options?: JobOptions<TrainProgress>): Promise<TrainRun>;
  /** Goes on from the last checkpoint, as if there had been no break. */
  resume(runId: string, options?: JobOptions<TrainProgress>): Promise<TrainRun>;
  /** After the step under way: a checkpoint, and `start` or `resume` resolves. */
  pause(): Promise<void>;
  runs(): Promise<readonly TrainRun[]>;
  /** Every step up to the last checkpoint. */
  metrics(runId: string): Promise<readonly TrainMetrics[]>;
  remove(runId: string): Promise<void>;
  /** adapter_model.safetensors and adapter_config.json (PEFT), pytorch_lora_weights.safetensors (diffusers). */
  exportAdapter(runId: string): Promise<readonly ModelFile[]>;
  /**
   * Keeps a LoRA for a model; default: the one in use. PEFT's two files, or one file with the names of diffusers or
   * kohya.
   * @throws StateDictError when it is of another model, naming the layers and the nearest ones of this model
   */
  importAdapter(files: readonly ModelFile[], modelId?: string): Promise<TrainRun>;
}
