import * as tf from '@tensorflow/tfjs-core';
import { InvalidConfigError, JobCancelledError, OutOfMemoryError } from '../../common/errors';
import { WASM_PARAMETER_BYTES } from '../../common/wasm-memory';
import { AutoencoderKL, autoencoderKLStateDict, parseAutoencoderKLConfig } from '../../models/autoencoder-kl';
import { HifiGan, hifiGanStateDict, parseHifiGanConfig } from '../../models/hifi-gan';
import { parseUNet2DConditionConfig, UNet2DConditionModel } from '../../models/unet-2d-condition';
import { ParameterRoot } from '../../nn';
import { TextTokenizer } from '../../text/text-tokenizer';
import { type ModelFolder, openComponentStateDict, type StateDict } from '../../weights';
import { createScheduler, SCHEDULER_NAMES } from '../schedulers';
import { Audioldm2Text } from './audioldm2-text';
import { type Plan, unmet } from './component-plan';
import { type ComponentName, checkModelIndex, type PipelineFamily } from './model-index';
import { SingleTextEncoder } from './single-text-encoder';
import type { TextConditioner } from './text-conditioning';

export interface LoadProgress {
  readonly loadedBytes: number;
  readonly totalBytes: number;
  /** What is being loaded, in words for a person. */
  readonly label: string;
}

export interface LoadOptions {
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** With more bytes of weights than this, those of the text encoders leave the backend while the UNet runs. */
  readonly residentBytes?: number | undefined;
}

export interface TangoComponents {
  /** With their weights' sources: they may leave the backend and come back. */
  readonly text: TextConditioner;
  readonly unet: Plan<UNet2DConditionModel>;
  readonly vae: Plan<AutoencoderKL>;
  readonly vocoder: Plan<HifiGan>;
  /** All of these, in the order of their use. */
  readonly plans: readonly Plan<unknown>[];
  /** scheduler_config.json as it is: each request reads it for its own scheduler. */
  readonly schedulerConfig: unknown;
}

/**
 * Reads a diffusers folder: configs and headers of every component first, so that whatever does not fit is said before
 * the first gigabyte is read; then the weights, one tensor after another.
 *
 * @throws ModelNotFoundError, InvalidConfigError, StateDictError, WeightsFormatError, OutOfMemoryError, or
 *   JobCancelledError; nothing stays on the backend then.
 */
export async function loadTangoComponents(
  folder: ModelFolder,
  { onProgress, signal }: LoadOptions = {},
): Promise<TangoComponents> {
  const planned = await planTangoComponents(folder);
  const { plans } = planned;
  checkMemory(plans.reduce((sum, { parameters }) => sum + parameters.parameterCount, 0));
  try {
    await fill(plans, onProgress, signal);
  } catch (error) {
    for (const { parameters } of plans) parameters.dispose();
    if (signal?.aborted) throw new JobCancelledError('Loading the model was cancelled.', { cause: error });
    throw error;
  }
  return planned;
}

/** A component's weights under its parameters' names, and which of them it takes. */
export interface ComponentWeights {
  readonly component: ComponentName;
  readonly stateDict: StateDict;
  readonly names: readonly string[];
}

/**
 * Checks a folder without reading a weight: its configs, that the components fit each other, and the name and shape
 * of every tensor.
 *
 * @throws ModelNotFoundError, InvalidConfigError, StateDictError, WeightsFormatError
 */
export async function checkTangoComponents(folder: ModelFolder): Promise<readonly ComponentWeights[]> {
  const { plans } = await planTangoComponents(folder);
  return plans.map(({ component, parameters, stateDict, ignoreUnexpected }) => {
    parameters.check(stateDict, ignoreUnexpected);
    return { component, stateDict, names: parameters.list().map(({ name }) => name) };
  });
}

async function planTangoComponents(folder: ModelFolder): Promise<TangoComponents> {
  const family = await checkModelIndex(folder);
  const schedulerConfig = await folder.json('scheduler/scheduler_config.json');
  for (const name of SCHEDULER_NAMES) createScheduler(name, schedulerConfig);
  const text = await planText(folder, family);
  const unet = await planUNet(folder);
  const vae = await planVae(folder);
  const vocoder = await planVocoder(folder);
  checkFit(text, unet.model, vae.model, vocoder.model);
  return { text, unet, vae, vocoder, schedulerConfig, plans: [...text.plans, unet, vae, vocoder] };
}

async function planText(folder: ModelFolder, family: PipelineFamily): Promise<TextConditioner> {
  const tokenizer = await openTokenizer(folder, 'tokenizer');
  if (family === 'tango') return SingleTextEncoder.plan(folder, tokenizer);
  return Audioldm2Text.plan(folder, tokenizer, await openTokenizer(folder, 'tokenizer_2'));
}

async function openTokenizer(folder: ModelFolder, name: string): Promise<TextTokenizer> {
  const config = `${name}/tokenizer_config.json`;
  return new TextTokenizer(
    await folder.json(`${name}/tokenizer.json`),
    folder.has(config) ? await folder.json(config) : {},
  );
}

async function fill(
  plans: readonly Plan<unknown>[],
  onProgress: LoadOptions['onProgress'],
  signal: AbortSignal | undefined,
): Promise<void> {
  const sizes = plans.map(({ stateDict }) => byteLengthOf(stateDict));
  const totalBytes = sizes.reduce((sum, size) => sum + size, 0);
  let before = 0;
  for (const [i, { label, parameters, stateDict, ignoreUnexpected }] of plans.entries()) {
    await parameters.load(stateDict, {
      ignoreUnexpected,
      onProgress: ({ bytes }) => onProgress?.({ loadedBytes: before + bytes, totalBytes, label }),
      ...(signal ? { signal } : {}),
    });
    before += sizes[i]!;
    // Keys that are not used count as loaded, so that the bar reaches its end.
    onProgress?.({ loadedBytes: before, totalBytes, label });
  }
}

async function planUNet(folder: ModelFolder): Promise<Plan<UNet2DConditionModel>> {
  const parameters = new ParameterRoot();
  const config = parseUNet2DConditionConfig(await folder.json('unet/config.json'));
  return {
    component: 'unet',
    className: config.className,
    label: 'UNet',
    parameters,
    model: new UNet2DConditionModel(config, parameters.scope),
    stateDict: await openComponentStateDict(folder, 'unet'),
    ignoreUnexpected: [],
  };
}

async function planVae(folder: ModelFolder): Promise<Plan<AutoencoderKL>> {
  const parameters = new ParameterRoot();
  const config = parseAutoencoderKLConfig(await folder.json('vae/config.json'));
  return {
    component: 'vae',
    className: 'AutoencoderKL',
    label: 'autoencoder',
    parameters,
    model: new AutoencoderKL(config, parameters.scope),
    stateDict: autoencoderKLStateDict(await openComponentStateDict(folder, 'vae')),
    ignoreUnexpected: [],
  };
}

async function planVocoder(folder: ModelFolder): Promise<Plan<HifiGan>> {
  const parameters = new ParameterRoot();
  const config = parseHifiGanConfig(await folder.json('vocoder/config.json'));
  return {
    component: 'vocoder',
    className: 'SpeechT5HifiGan',
    label: 'vocoder',
    parameters,
    model: new HifiGan(config, parameters.scope),
    stateDict: hifiGanStateDict(await openComponentStateDict(folder, 'vocoder'), config),
    ignoreUnexpected: [],
  };
}

/** @throws InvalidConfigError when the components were not made for each other */
function checkFit(
  text: TextConditioner,
  { config }: UNet2DConditionModel,
  vae: AutoencoderKL,
  vocoder: HifiGan,
): void {
  const latents = ['the autoencoder’s latent_channels', vae.config.latentChannels] as const;
  const problems = [
    ...unmet([
      ['the UNet’s in_channels', config.inChannels, ...latents],
      ['the UNet’s out_channels', config.outChannels, ...latents],
      ['the autoencoder’s in_channels', vae.config.inChannels, 'one mel spectrogram', 1],
      ['the autoencoder’s out_channels', vae.config.outChannels, 'one mel spectrogram', 1],
      [
        'the vocoder’s model_in_dim',
        vocoder.config.modelInDim % vae.downsamplingFactor,
        'a multiple of the autoencoder’s factor',
        0,
      ],
    ]),
    ...text.problemsWith(config),
  ];
  if (problems.length === 0) return;
  throw new InvalidConfigError(
    `The components do not belong together: ${problems.join('; ')}. Use a folder as it was saved, with all its parts from one checkpoint.`,
  );
}

/** @throws OutOfMemoryError when the wasm heap cannot hold the parameters */
function checkMemory(parameterCount: number): void {
  const bytes = parameterCount * 4;
  if (tf.getBackend() !== 'wasm' || bytes <= WASM_PARAMETER_BYTES) return;
  throw new OutOfMemoryError(
    `The model has ${Math.round(parameterCount / 1e6)} million parameters, ${(bytes / 2 ** 30).toFixed(1)} GiB in WebAssembly, whose memory ends at 4 GiB. Use it with WebGPU, or choose a smaller model.`,
  );
}

function byteLengthOf(stateDict: StateDict): number {
  return stateDict.names().reduce((sum, name) => sum + (stateDict.entry(name)?.byteLength ?? 0), 0);
}
