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

/** Layers that get an adapter: the attentions' projections, beside them those of the feed-forwards, the convolutions. */
export type TrainTargets =
  | 'attention'
  | 'attention-and-feed-forward'
  | 'attention-and-convolutions'
  | 'attention-feed-forward-and-convolutions';

export interface TrainSettings {
  /** A LoRA beside the frozen UNet, or every weight of the UNet, as the paper has it. */
  readonly trains: 'lora' | 'unet';
  /** Of a LoRA, as `alpha` and `targets`: rank of its matrices; 1…the narrowest layer's width. */
  readonly rank: number;
  /** The adapter's share is scaled by alpha / rank. */
  readonly alpha: number;
  readonly targets: TrainTargets;
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
  /** 0…0.5: share of the prompts that are kept out of training, to measure the run on; none of fewer than five. */
  readonly heldOutShare: number;
  /** Steps between two measurements on the held-out pairs. */
  readonly validateEverySteps: number;
  /** Prompts whose sounds are made before the first step and on the way, to hear what changes. */
  readonly samplePrompts: readonly string[];
  readonly sampleEverySteps: number;
  /** Of the first prompt's sounds; the next prompt has the next seed. */
  readonly sampleSeed: number;
  /** Decay of an average of the weights, which is what the run then gives; 0: the last weights. */
  readonly emaDecay: number;
  /** Computes activations again in the backward pass instead of keeping them: less memory, more time. */
  readonly recompute: boolean;
  /** 0…2^32−1: initial weights, order, timesteps, noise. */
  readonly seed: number;
  readonly checkpointEverySteps: number;
}

/** Where a run's pairs come from, for its lineage. */
export interface TrainDataset {
  readonly id: string;
  readonly name: string;
}

/** The pairs that a run was made with. */
export interface PairsLineage {
  readonly count: number;
  readonly heldOut: number;
  /** Over ids, prompts and both sounds of every pair, in their order: the same for the same pairs. */
  readonly sha256: string | null;
}

/** Where an adapter comes from: what files of it, and sounds made with it, say of themselves. */
export interface AdapterLineage {
  readonly run: {
    readonly id: string;
    readonly name: string;
    readonly notes: string;
    /** ISO 8601. */
    readonly createdAt: string;
    readonly step: number;
    readonly stepCount: number;
  };
  readonly model: string;
  readonly dataset: TrainDataset | null;
  /** Null where that is not known: an adapter of another tool. */
  readonly pairs: PairsLineage | null;
  /** As `TrainSettings`; those of another version of the studio may have other fields. */
  readonly settings: Readonly<Record<string, unknown>> | null;
}

export interface TrainRequest extends Partial<TrainSettings> {
  readonly name?: string;
  /** Or `dataOf`. */
  readonly pairs?: readonly TrainingPair[];
  /** Id of a run whose prepared pairs, model and clip length are taken. */
  readonly dataOf?: string;
  readonly dataset?: TrainDataset;
  /** The model to fine-tune; default: the one in use. */
  readonly modelId?: string;
  /** Seconds of sound that each clip is cut or padded to; default: the longest clip, 10.24 at most. */
  readonly durationSeconds?: number;
}

export interface TrainRun {
  readonly id: string;
  readonly name: string;
  /** A person's own words. */
  readonly notes: string;
  readonly modelId: string;
  /**
   * `stopped`: it can be resumed. `imported`: an adapter from a file, without a run. `newer`: a newer studio wrote it;
   * this one can only say so (`failure`).
   */
  readonly state: 'running' | 'stopped' | 'done' | 'imported' | 'newer';
  /** It is trained in another tab of this browser. */
  readonly elsewhere: boolean;
  /** Steps of the last checkpoint. */
  readonly step: number;
  readonly stepCount: number;
  readonly stepsPerEpoch: number;
  readonly pairCount: number;
  readonly heldOutCount: number;
  readonly durationSeconds: number;
  readonly parameterCount: number;
  readonly settings: TrainSettings | null;
  readonly dataset: TrainDataset | null;
  /** Of its pairs (`PairsLineage`); absent in runs kept long ago. */
  readonly pairsSha256?: string;
  /** What the file of an imported adapter says of where it comes from. */
  readonly origin?: AdapterLineage;
  /** What was done to its pairs, in words (cut, converted, repeated); absent in runs kept long ago. */
  readonly remarks?: readonly string[];
  /** ISO 8601. */
  readonly createdAt: string;
  /** Why it stopped, when that was not asked for. */
  readonly failure: string | null;
}

/** The fields of a run that has no steps here: an imported adapter's, and one that a newer studio wrote. */
export const WITHOUT_STEPS = {
  notes: '',
  elsewhere: false,
  step: 0,
  stepCount: 0,
  stepsPerEpoch: 0,
  pairCount: 0,
  heldOutCount: 0,
  durationSeconds: 0,
  settings: null,
  dataset: null,
} as const;

/** One pair at one noise level; DPO's figures are null in a supervised step. */
export interface PairErrors {
  /** Place in the run's data. */
  readonly pair: number;
  /** 0: clean … 999: noise. */
  readonly timestep: number;
  readonly mseWinner: number;
  readonly mseLoser: number | null;
  readonly refMseWinner: number | null;
  readonly refMseLoser: number | null;
  /** −½ β ((mse_w − mse_l) − (ref_w − ref_l)). */
  readonly margin: number | null;
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
  readonly margin: number | null;
  readonly pairs: readonly PairErrors[];
  /** What the step took. */
  readonly seconds: number;
}

/** The held-out pairs at fixed noise levels. */
export interface TrainValidation {
  readonly step: number;
  readonly loss: number;
  readonly implicitAccuracy: number;
  readonly margin: number;
  readonly mseWinner: number;
  readonly mseLoser: number;
}

/** A sample prompt's sound with the weights of a step; step 0 is the model without the adapter. */
export interface TrainSample extends TrainingClip {
  readonly step: number;
  readonly prompt: string;
  readonly seed: number;
}

export interface TrainHistory {
  /** Every step up to the last checkpoint. */
  readonly metrics: readonly TrainMetrics[];
  readonly validations: readonly TrainValidation[];
}

/** `tensorboard`: an event file for a folder that `tensorboard --logdir` is given. */
export type MetricsFormat = 'jsonl' | 'csv' | 'tensorboard';

export interface TrainProgress {
  readonly runId: string;
  /** `reference`: the frozen model's errors are measured, where every weight is trained. */
  readonly stage: 'prepare' | 'reference' | 'train' | 'checkpoint' | 'validate' | 'sample';
  /** Pairs that are prepared, errors that are measured, or steps that are done. */
  readonly index: number;
  readonly count: number;
  readonly remainingSeconds: number | null;
  readonly metrics?: TrainMetrics;
  readonly validation?: TrainValidation;
  readonly sample?: TrainSample;
}

/** A pair of a run, and what the run's adapter makes of it. */
export interface ExaminedPair {
  readonly id: string;
  readonly prompt: string;
  readonly heldOut: boolean;
  /** One for each level. */
  readonly errors: readonly PairErrors[];
}

export interface ExamineProgress {
  readonly index: number;
  readonly count: number;
}

/** About what a run will take, before it starts. */
export interface TrainEstimate {
  readonly parts: readonly { readonly label: string; readonly bytes: number }[];
  readonly totalBytes: number;
  /** What there is: WebAssembly's heap; null where the browser does not say. */
  readonly limitBytes: number | null;
  readonly parameterCount: number;
  /** What to change, in words, when it does not fit. */
  readonly advice: readonly string[];
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
  /** A checkpoint after the step under way, and on. */
  checkpoint(): Promise<void>;
  runs(): Promise<readonly TrainRun[]>;
  /** Every step up to the last checkpoint. */
  metrics(runId: string): Promise<readonly TrainMetrics[]>;
  /** `metrics` and the validations between them. */
  history(runId: string): Promise<TrainHistory>;
  /** The history as a file; all but the CSV hold the run and its settings too. */
  exportMetrics(runId: string, format: MetricsFormat): Promise<ModelFile>;
  /** In the order in which they were made. */
  samples(runId: string): Promise<readonly TrainSample[]>;
  /** Pairs of the run under its adapter, at each noise level (shares of the process, 0…1). */
  examine(
    runId: string,
    levels: readonly number[],
    options?: JobOptions<ExamineProgress>,
  ): Promise<readonly ExaminedPair[]>;
  /** A pair as the run knows it: its latents, decoded. */
  listen(
    runId: string,
    pair: number,
  ): Promise<{ readonly winner: TrainingClip; readonly loser: TrainingClip }>;
  rename(runId: string, texts: { readonly name?: string; readonly notes?: string }): Promise<TrainRun>;
  remove(runId: string): Promise<void>;
  /** For clips of this length and these settings; `modelId` default: the one in use. */
  estimate(
    settings: Partial<TrainSettings>,
    durationSeconds: number,
    modelId?: string,
  ): Promise<TrainEstimate>;
  /** Of a run or an imported adapter; files of other tools say nothing but their name. */
  lineage(runId: string): Promise<AdapterLineage>;
  /** adapter_model.safetensors and adapter_config.json (PEFT), pytorch_lora_weights.safetensors (diffusers). */
  exportAdapter(runId: string): Promise<readonly ModelFile[]>;
  /** The whole UNet with the adapter merged in, as one safetensors file with diffusers' or with Tango's names. */
  exportMerged(runId: string, layout: 'diffusers' | 'tango'): Promise<ModelFile>;
  /**
   * Keeps a LoRA for a model; default: the one in use. PEFT's two files, or one file with the names of diffusers or
   * kohya.
   * @throws StateDictError when it is of another model, naming the layers and the nearest ones of this model
   */
  importAdapter(files: readonly ModelFile[], modelId?: string): Promise<TrainRun>;
}
