import * as tf from '@tensorflow/tfjs-core';
import { type LogMelConfig, logMelSpectrogram, TANGO_LOG_MEL } from '../../audio';
import { InvalidInputError } from '../../common/errors';
import { TorchGenerator } from '../../common/random';
import { compileAhead, giveIdleBuffersBack } from '../../gpu/device';
import type { UNet2DConditionModel } from '../../models/unet-2d-condition';
import type { Parameter } from '../../nn';
import type { ModelFolder } from '../../weights';
import { createScheduler, type Scheduler, SchedulerRun } from '../schedulers';
import { checkedShape, nchwToNhwc, nhwcToNchw, readTensor, type TensorData } from '../tensor-layout';
import { TensorScope } from '../tensor-scope';
import { type ClipSize, clipSize } from './clip-size';
import type { ComponentName } from './model-index';
import { PreviewBudget } from './preview-budget';
import { PromptEncoder } from './prompt-encoder';
import { beginCheck, checkFinite, finiteProbe, letMessagesIn, settle, throwIfCancelled } from './settle';
import { type LoadOptions, loadTangoComponents, type TangoComponents } from './tango-components';
import { checkLatents, checkTangoRequest, type TangoRequest } from './tango-request';
import { type Conditioning, type EncodedText, tensorsOf, UNetCondition } from './text-conditioning';

export type TangoStage = 'encode-text' | 'denoise' | 'decode' | 'vocode';

/** A natural-log mel spectrogram, row-major [frames, melBins]. */
export interface MelSpectrogram {
  readonly data: Float32Array;
  readonly frames: number;
  readonly melBins: number;
}

export interface TangoHooks {
  /** A stage begins; `denoise` begins once for each step. */
  readonly onStage?: ((stage: TangoStage, stepIndex: number, stepCount: number) => void) | undefined;
  /** The clip as the model sees it now. */
  readonly onPreview?: ((mel: MelSpectrogram) => void) | undefined;
  /** Takes effect within one UNet pass. */
  readonly signal?: AbortSignal | undefined;
}

/** Every stage's tensor, in PyTorch's order. */
export interface TangoStages {
  readonly textStates: TensorData; // [2 or 1, L, D], unconditional first
  readonly textMask: TensorData; // [2 or 1, L]
  /** AudioLDM 2's T5 states and their mask. */
  readonly textStates1?: TensorData; // [2 or 1, S, D]
  readonly textMask1?: TensorData; // [2 or 1, S]
  readonly initialLatents: TensorData; // [1, C, H, W]
  readonly latents: readonly TensorData[]; // [1, C, H, W] after each step
  readonly timesteps: readonly number[];
  readonly mel: TensorData; // [1, 1, T, F]
  readonly waveform: TensorData; // [1, samples], untrimmed
}

export interface TangoOutput {
  /** Mono, −1…1, of the duration asked for. */
  readonly audio: Float32Array;
  readonly mel: MelSpectrogram;
  /** Whether an end of the prompt or of the negative prompt was cut off: text encoders read so many tokens. */
  readonly truncated: boolean;
  readonly stages?: TangoStages;
}

export interface ComponentSummary {
  readonly name: ComponentName;
  readonly className: string;
  readonly parameterCount: number;
  /** On the backend. */
  readonly bytes: number;
}

/**
 * Beside 2.25 GB of weights a pass of Tango's UNet over 10.24 s and the decoder (0.75 GB) stay within 3 GB, which most
 * cards can give a page.
 */
const RESIDENT_BYTES = 2.25e9;

/** Of mel, 2.56 s: Tango's vocoder takes 0.27 GB beside its weights for that, where 10.24 s as a whole take 0.88 GB. */
const FRAMES_PER_TILE = 256;

/**
 * Text to sound as the released Tango does it: text states → guided denoising of mel latents → mel → waveform. AudioLDM
 * and AudioLDM 2 differ in what the text states are; see `TextConditioner`.
 *
 * Stages can be asked for one by one, with plain numbers in PyTorch's order; `run` goes through all of them and keeps
 * everything on the backend in between.
 */
export class TangoPipeline {
  readonly sampleRateHz: number;
  readonly melConfig: LogMelConfig;

  readonly components: readonly ComponentSummary[];
  readonly #prompts: PromptEncoder;
  /** The text encoders leave while the UNet runs, and a clip is decoded piece by piece. */
  readonly #memoryIsShort: boolean;

  private constructor(
    private readonly parts: TangoComponents,
    residentBytes: number,
  ) {
    const { text, vocoder } = parts;
    this.components = parts.plans.map(({ component, className, parameters }) => ({
      name: component,
      className,
      parameterCount: parameters.parameterCount,
      bytes: parameters.byteLength,
    }));
    const bytes = this.components.reduce((sum, component) => sum + component.bytes, 0);
    this.#memoryIsShort = bytes > residentBytes;
    this.#prompts = new PromptEncoder(text, this.#memoryIsShort);
    this.sampleRateHz = vocoder.model.sampleRateHz;
    this.melConfig = {
      ...TANGO_LOG_MEL,
      sampleRateHz: this.sampleRateHz,
      hopLengthSamples: vocoder.model.samplesPerFrame,
      melBins: vocoder.model.config.modelInDim,
      maxFrequencyHz: this.sampleRateHz / 2,
    };
  }

  /**
   * Loads a diffusers folder onto the current backend.
   *
   * @throws ModelNotFoundError, InvalidConfigError, StateDictError, WeightsFormatError, OutOfMemoryError,
   *   JobCancelledError; nothing stays on the backend then
   */
  static async load(folder: ModelFolder, options: LoadOptions = {}): Promise<TangoPipeline> {
    const parts = await loadTangoComponents(folder, options);
    return new TangoPipeline(parts, options.residentBytes ?? RESIDENT_BYTES);
  }

  /** What training needs: the UNet, and scheduler_config.json of the process that it reverses. */
  get denoiser(): { readonly unet: UNet2DConditionModel; readonly schedulerConfig: unknown } {
    return { unet: this.parts.unet.model, schedulerConfig: this.parts.schedulerConfig };
  }

  /** What prompts are to the UNet. */
  get conditioning(): Conditioning {
    return this.parts.text.conditioning;
  }

  /** Frees the UNet's weights. It runs then with others in their place only, until `restoreUNet`. */
  releaseUNet(): void {
    const { parameters } = this.parts.unet;
    if (parameters.byteLength === 0) return;
    parameters.dispose();
    giveIdleBuffersBack();
  }

  /** Loads the UNet's weights again where they are gone. @throws the signal's reason, and what reading them throws */
  async restoreUNet(signal?: AbortSignal): Promise<void> {
    const { parameters, stateDict, ignoreUnexpected } = this.parts.unet;
    if (parameters.byteLength > 0) return;
    giveIdleBuffersBack();
    await parameters.load(stateDict, { ignoreUnexpected, ...(signal ? { signal } : {}) });
  }

  /** The UNet's parameters, to be written to a file. */
  get unetParameters(): readonly Parameter[] {
    return this.parts.unet.parameters.list();
  }

  /**
   * Compiles what a guided clip of this length asks for, so that its first step is as quick as the others. On WebGPU
   * only; nothing is computed.
   *
   * @throws BackendUnavailableError when the adapter refuses a kernel
   */
  async compileAhead(durationSeconds: number): Promise<void> {
    const { latentShape } = this.clipSize(durationSeconds);
    const scheduler = createScheduler('dpm-solver++', this.parts.schedulerConfig);
    scheduler.setTimesteps(3); // its first, second and last steps have terms of their own
    const shapes: { first: [number, number, number]; second: [number, number, number] | null } = {
      first: [0, 0, 0],
      second: null,
    };
    await compileAhead(() => {
      const prompts = ['a dog barks and then a telephone rings'];
      const { states, mask, second } = this.#prompts.encodeNow({ negativePrompts: [''], prompts });
      shapes.first = states.shape;
      shapes.second = second?.states.shape ?? null;
      tf.dispose([mask, second?.states ?? [], second?.mask ?? []]);
      return [finiteProbe(states)];
    });
    this.#prompts.makeRoom();
    await compileAhead(() => {
      const text = (shape: [number, number, number]) => ({
        states: tf.zeros<tf.Rank.R3>(shape),
        mask: tf.zeros<tf.Rank.R2>([shape[0], shape[1]]),
      });
      const second = shapes.second && text(shapes.second);
      const condition = UNetCondition.of(this.parts.unet.model, { ...text(shapes.first), second });
      const run = new SchedulerRun(scheduler, new TorchGenerator(0));
      let latents = initialLatents(undefined, latentShape, new TorchGenerator(0), scheduler.initNoiseSigma);
      for (const [step, timestep] of scheduler.timesteps.entries()) {
        latents = run.step(this.#guidedPrediction(latents, timestep, condition, 3), step, latents);
      }
      run.dispose();
      const mel = this.#decode(latents);
      return [finiteProbe(latents), finiteProbe(mel), this.#vocode(mel)];
    });
  }

  /** Latents of a clip, and what is cut off again; see `clipSize`. */
  clipSize(durationSeconds: number): ClipSize {
    const { unet, vae } = this.parts;
    return clipSize(durationSeconds, {
      sampleRateHz: this.sampleRateHz,
      hopLengthSamples: this.melConfig.hopLengthSamples,
      melBins: this.melConfig.melBins,
      latentChannels: vae.model.config.latentChannels,
      vaeFactor: vae.model.downsamplingFactor,
      unetFactor: 2 ** (unet.model.config.blockOutChannels.length - 1),
    });
  }

  /**
   * One take.
   *
   * @throws InvalidInputError, JobCancelledError, NonFiniteError (naming the stage); no tensor stays behind then
   */
  async run(request: TangoRequest, hooks: TangoHooks = {}): Promise<TangoOutput> {
    checkTangoRequest(request);
    const size = this.clipSize(request.durationSeconds);
    if (request.latents) checkLatents(request.latents, size.latentShape);
    const scheduler = createScheduler(request.scheduler, this.parts.schedulerConfig);
    scheduler.setTimesteps(request.steps);
    const stepCount = scheduler.timesteps.length;
    const scope = new TensorScope();
    try {
      // 1. Text: the negative prompt first.
      throwIfCancelled(hooks.signal);
      hooks.onStage?.('encode-text', 0, stepCount);
      const guided = request.guidanceScale !== 1;
      const texts = {
        negativePrompts: guided ? [request.negativePrompt] : [],
        prompts: [request.prompt],
      };
      const text = await this.#prompts.encode(texts, hooks.signal);
      for (const tensor of tensorsOf(text)) scope.own(tensor);
      await settle(text.states, 'The text encoder', hooks.signal);
      this.#prompts.makeRoom();
      const condition = scope.own(UNetCondition.of(this.parts.unet.model, text));

      // 2. Noise: drawn as torch.randn([1, C, H, W]) does, scaled to what the scheduler starts from.
      const generator = new TorchGenerator(request.seed);
      const initial = scope.own(
        initialLatents(request.latents, size.latentShape, generator, scheduler.initNoiseSigma),
      );
      const record = request.returnStages ? await beginRecord(text, initial) : null;

      // 3. Denoising.
      const latents = await this.#denoise(initial, {
        scope,
        scheduler,
        generator,
        condition,
        guidanceScale: request.guidanceScale,
        size,
        hooks,
        onLatents: async (tensor) => void record?.latents.push(await nhwcToNchw(tensor)),
      });
      scope.release(condition);

      // 4. Latents → mel.
      hooks.onStage?.('decode', stepCount, stepCount);
      const mel = scope.own(this.#decode(latents)); // [1, T, F, 1]
      await settle(mel, 'The autoencoder’s decoder', hooks.signal);

      // 5. Mel → waveform, of which the padding is cut off.
      hooks.onStage?.('vocode', stepCount, stepCount);
      const waveform = scope.own(this.#vocode(mel)); // [1, samples]
      const waveformData = await readTensor(waveform);
      checkFinite(waveformData.data, 'The vocoder');
      throwIfCancelled(hooks.signal);
      return {
        audio: waveformData.data.slice(0, size.samples),
        mel: await trimmedMel(mel, size.frames),
        truncated: text.prompts.prompts.some((prompt) => prompt.truncated),
        ...(record && {
          stages: {
            ...record,
            timesteps: scheduler.timesteps,
            mel: await nhwcToNchw(mel),
            waveform: waveformData,
          },
        }),
      };
    } finally {
      scope.dispose();
    }
  }

  /** Texts → states, padded to the longest. */
  async encodeText(texts: readonly string[]): Promise<{
    states: TensorData; // [B, L, D]
    mask: TensorData; // [B, L]
    states1?: TensorData; // [B, S, D], AudioLDM 2's T5 states
    mask1?: TensorData; // [B, S]
    inputIds: readonly (readonly number[])[];
    truncated: readonly boolean[];
  }> {
    if (texts.length === 0) throw new InvalidInputError('encodeText takes at least one text, but none came.');
    const text = await this.#prompts.encode({ negativePrompts: [], prompts: texts });
    const { states, mask, second, prompts } = text;
    try {
      return {
        states: await readTensor(states),
        mask: await readTensor(mask),
        ...(second && { states1: await readTensor(second.states), mask1: await readTensor(second.mask) }),
        inputIds: texts.map((_, row) => [
          ...prompts.inputIds.subarray(row * prompts.length, (row + 1) * prompts.length),
        ]),
        truncated: prompts.prompts.map((prompt) => prompt.truncated),
      };
    } finally {
      tf.dispose([...tensorsOf(text)]);
    }
  }

  /** One UNet pass: sample [B, C, H, W] at one timestep for all or one for each → prediction [B, C, H, W]. */
  async predict(input: {
    readonly sample: TensorData;
    readonly timestep: number | readonly number[];
    readonly textStates: TensorData;
    readonly textMask?: TensorData | undefined;
    readonly textStates1?: TensorData | undefined;
    readonly textMask1?: TensorData | undefined;
  }): Promise<TensorData> {
    const { unet } = this.parts;
    this.#prompts.makeRoom();
    const scope = new TensorScope();
    try {
      const sample = scope.own(nchwToNhwc(input.sample));
      const text = (states: TensorData, mask: TensorData | undefined) => ({
        states: scope.own(statesTensor(states)),
        mask: mask && scope.own(maskTensor(mask)),
      });
      const second = input.textStates1 ? text(input.textStates1, input.textMask1) : null;
      const first = text(input.textStates, input.textMask);
      const { encoder, inputs } = scope.own(UNetCondition.of(unet.model, { ...first, second }));
      const timesteps = typeof input.timestep === 'number' ? [input.timestep] : input.timestep;
      return await nhwcToNchw(scope.own(unet.model.forward(sample, timesteps, encoder, inputs)));
    } finally {
      scope.dispose();
    }
  }

  /** Mel [B, 1, T, F] → the posterior's mean times the scaling factor [B, C, H, W]. */
  async encode(mel: TensorData): Promise<TensorData> {
    const { model } = this.parts.vae;
    const latents = tf.tidy(() =>
      tf.mul<tf.Tensor4D>(model.encode(nchwToNhwc(mel)).mean, model.scalingFactor),
    );
    return readAndDispose(latents, nhwcToNchw);
  }

  /** Scaled latents [B, C, H, W] → mel [B, 1, T, F]. */
  async decode(latents: TensorData): Promise<TensorData> {
    return readAndDispose(
      tf.tidy(() => this.#decode(nchwToNhwc(latents))),
      nhwcToNchw,
    );
  }

  /** Mel [B, 1, T, F] → waveform [B, samples], untrimmed. */
  async vocode(mel: TensorData): Promise<TensorData> {
    const [, channels] = checkedShape(mel, ['B', '1', 'T', 'F']);
    if (channels !== 1)
      throw new InvalidInputError(`A mel has one channel, but ${channels} came: give [B, 1, T, F].`);
    return readAndDispose(
      tf.tidy(() => this.#vocode(nchwToNhwc(mel))),
      readTensor,
    );
  }

  /** Waveform [samples] at `sampleRateHz` → natural-log mel [1, 1, T, F]; see `logMelSpectrogram`. */
  mel(waveform: TensorData): TensorData {
    checkedShape(waveform, ['samples']);
    const { data, frames, melBins } = logMelSpectrogram(waveform.data, this.melConfig);
    return { data, shape: [1, 1, frames, melBins] };
  }

  /** Frees every parameter. */
  dispose(): void {
    for (const { parameters } of this.parts.plans) parameters.dispose();
  }

  /**
   * A step is encoded while the GPU computes the one before: whether that gave finite numbers is asked one step late.
   *
   * @returns the last latents [1, H, W, C], owned by the scope
   */
  async #denoise(initial: tf.Tensor4D, job: DenoisingJob): Promise<tf.Tensor4D> {
    const { scope, scheduler, generator, condition, guidanceScale, size, hooks } = job;
    const { onPreview, signal } = hooks;
    const run = scope.own(new SchedulerRun(scheduler, generator));
    const budget = new PreviewBudget();
    const stepCount = scheduler.timesteps.length;
    let latents = initial; // [1, H, W, C]
    let check = Promise.resolve();
    try {
      for (const [step, timestep] of scheduler.timesteps.entries()) {
        hooks.onStage?.('denoise', step, stepCount);
        const next = tf.tidy(() => {
          const prediction = this.#guidedPrediction(latents, timestep, condition, guidanceScale);
          return run.step(prediction, step, latents);
        });
        scope.release(latents);
        latents = scope.own(next);
        const stepBefore = check;
        check = beginCheck(latents, `Denoising step ${step + 1} of ${stepCount} (timestep ${timestep})`);
        check.catch(() => {}); // it is awaited one step later
        await letMessagesIn(signal);
        await stepBefore;
        await job.onLatents(latents);
        if (onPreview && run.predictedX0 && budget.isDue(step, stepCount)) {
          const x0 = run.predictedX0;
          await budget.spend(async () => onPreview(await this.#preview(x0, size.frames)));
          throwIfCancelled(signal);
        }
      }
      await check;
    } finally {
      await check.catch(() => {}); // of a step that a cancellation came behind
    }
    scope.release(run);
    return latents;
  }

  /** eps_u + g (eps_c − eps_u), from one pass over a batch of two. */
  #guidedPrediction(
    latents: tf.Tensor4D,
    timestep: number,
    { encoder, inputs }: UNetCondition,
    guidanceScale: number,
  ): tf.Tensor4D {
    const { model } = this.parts.unet;
    if (guidanceScale === 1) return model.forward(latents, [timestep], encoder, inputs);
    const both = model.forward(tf.concat([latents, latents]), [timestep], encoder, inputs); // [2, H, W, C]
    const [unconditional, conditional] = tf.split(both, 2) as [tf.Tensor4D, tf.Tensor4D];
    return tf.add(unconditional, tf.mul(tf.sub(conditional, unconditional), guidanceScale));
  }

  async #preview(x0: tf.Tensor4D, frames: number): Promise<MelSpectrogram> {
    return readAndDispose(this.#decode(x0), (mel) => trimmedMel(mel, frames));
  }

  /** Scaled latents [B, H, W, C] → mel [B, T, F, 1]. */
  #decode(latents: tf.Tensor4D): tf.Tensor4D {
    const { model } = this.parts.vae;
    const afterLayer = this.#memoryIsShort ? giveIdleBuffersBack : undefined;
    return tf.tidy(() => model.decode(tf.div(latents, model.scalingFactor), afterLayer));
  }

  /** Mel [B, T, F, 1] → waveform [B, samples]. */
  #vocode(mel: tf.Tensor4D): tf.Tensor2D {
    const { model } = this.parts.vocoder;
    return tf.tidy(() => {
      const bins = tf.squeeze<tf.Tensor3D>(mel, [3]); // [B, T, F]
      return this.#memoryIsShort
        ? model.forwardInTiles(bins, FRAMES_PER_TILE, giveIdleBuffersBack)
        : model.forward(bins);
    });
  }
}

interface DenoisingJob {
  readonly scope: TensorScope;
  readonly scheduler: Scheduler;
  readonly generator: TorchGenerator;
  readonly condition: UNetCondition;
  readonly guidanceScale: number;
  readonly size: ClipSize;
  readonly hooks: TangoHooks;
  readonly onLatents: (latents: tf.Tensor4D) => Promise<void>;
}

function initialLatents(
  given: TensorData | undefined,
  shape: ClipSize['latentShape'],
  generator: TorchGenerator,
  sigma: number,
): tf.Tensor4D {
  return tf.tidy(() => {
    const noise = given ?? { data: generator.randn(shape.reduce((a, b) => a * b)), shape };
    const tensor = nchwToNhwc(noise); // [1, H, W, C]
    return sigma === 1 ? tensor : tf.mul(tensor, sigma);
  });
}

async function beginRecord(
  text: EncodedText,
  initial: tf.Tensor4D,
): Promise<{
  textStates: TensorData;
  textMask: TensorData;
  textStates1?: TensorData;
  textMask1?: TensorData;
  initialLatents: TensorData;
  latents: TensorData[];
}> {
  return {
    textStates: await readTensor(text.states),
    textMask: await readTensor(text.mask),
    ...(text.second && {
      textStates1: await readTensor(text.second.states),
      textMask1: await readTensor(text.second.mask),
    }),
    initialLatents: await nhwcToNchw(initial),
    latents: [],
  };
}

/** The first `frames` frames of a mel [1, T, F, 1]. */
async function trimmedMel(mel: tf.Tensor4D, frames: number): Promise<MelSpectrogram> {
  const melBins = mel.shape[2];
  const { data } = await readTensor(mel);
  return { data: data.slice(0, frames * melBins), frames, melBins };
}

function statesTensor(states: TensorData): tf.Tensor3D {
  const [batch, tokens, width] = checkedShape(states, ['B', 'L', 'D']);
  return tf.tensor3d(states.data, [batch!, tokens!, width!]);
}

function maskTensor(mask: TensorData): tf.Tensor2D {
  const [batch, tokens] = checkedShape(mask, ['B', 'L']);
  return tf.tensor2d(mask.data, [batch!, tokens!]);
}

async function readAndDispose<T extends tf.Tensor, R>(
  tensor: T,
  read: (tensor: T) => Promise<R>,
): Promise<R> {
  try {
    return await read(tensor);
  } finally {
    tensor.dispose();
  }
}
