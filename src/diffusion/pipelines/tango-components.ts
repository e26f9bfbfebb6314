import * as tf from '@tensorflow/tfjs-core';
import { InvalidConfigError, JobCancelledError, OutOfMemoryError } from '../../common/errors';
import { AutoencoderKL, autoencoderKLStateDict, parseAutoencoderKLConfig } from '../../models/autoencoder-kl';
import { CLAP_IGNORED_KEYS } from '../../models/clap';
import { HifiGan, hifiGanStateDict, parseHifiGanConfig } from '../../models/hifi-gan';
import { T5_ENCODER_IGNORED_KEYS, t5EncoderStateDict } from '../../models/t5';
import {
  parseUNet2DConditionConfig,
  type UNet2DConditionConfig,
  UNet2DConditionModel,
} from '../../models/unet-2d-condition';
import { ParameterRoot } from '../../nn';
import { TextTokenizer } from '../../text/text-tokenizer';
import { type ModelFolder, openComponentStateDict, type StateDict } from '../../weights';
import { createScheduler, SCHEDULER_NAMES } from '../schedulers';
import { checkModelIndex } from './model-index';
import { buildClap, buildT5, type TextEncoder } from './text-conditioning';

export type ComponentName = 'text_encoder' | 'unet' | 'vae' | 'vocoder';

export interface LoadProgress {
  readonly loadedBytes: number;
  readonly totalBytes: number;
  /** What is being loaded, in words for a person. */
  readonly label: string;
}

export interface LoadOptions {
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** With more bytes of weights than this, those of the text encoder leave the backend while the UNet runs. */
  readonly residentBytes?: number | undefined;
}

/** A model on the backend and the parameters it owns. */
interface LoadedComponent<M> {
  readonly model: M;
  readonly parameters: ParameterRoot;
}

export interface TangoComponents {
  readonly tokenizer: TextTokenizer;
  /** With its weights' source: it may leave the backend and come back. */
  readonly textEncoder: Plan<TextEncoder>;
  /** With its weights' source: they leave the backend while every one of them is trained. */
  readonly unet: Plan<UNet2DConditionModel>;
  readonly vae: LoadedComponent<AutoencoderKL>;
  readonly vocoder: LoadedComponent<HifiGan>;
  /** scheduler_config.json as it is: each request reads it for its own scheduler. */
  readonly schedulerConfig: unknown;
}

/** A component and where its parameters come from. */
export interface Plan<M> extends LoadedComponent<M> {
  readonly component: ComponentName;
  readonly label: string;
  readonly stateDict: StateDict;
  readonly ignoreUnexpected: readonly RegExp[];
}

/** The wasm heap ends at 4 GiB; activations need the rest. */
const WASM_PARAMETER_BYTES = 3 * 2 ** 30;

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
  const { plans, ...planned } = await planTangoComponents(folder);
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

async function planTangoComponents(
  folder: ModelFolder,
): Promise<TangoComponents & { readonly plans: readonly Plan<unknown>[] }> {
  await checkModelIndex(folder);
  const schedulerConfig = await folder.json('scheduler/scheduler_config.json');
  for (const name of SCHEDULER_NAMES) createScheduler(name, schedulerConfig);
  const tokenizer = new TextTokenizer(
    await folder.json('tokenizer/tokenizer.json'),
    folder.has('tokenizer/tokenizer_config.json') ? await folder.json('tokenizer/tokenizer_config.json') : {},
  );
  const textEncoder = await planTextEncoder(folder);
  const unet = await planUNet(folder);
  const vae = await planVae(folder);
  const vocoder = await planVocoder(folder);
  checkFit(tokenizer, textEncoder.model, unet.model, vae.model, vocoder.model);
  const plans = [textEncoder, unet, vae, vocoder];
  return { tokenizer, textEncoder, unet, vae, vocoder, schedulerConfig, plans };
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

async function planTextEncoder(folder: ModelFolder): Promise<Plan<TextEncoder>> {
  const parameters = new ParameterRoot();
  const config = await folder.json('text_encoder/config.json');
  const isClap = Object(config).model_type === 'clap_text_model';
  const weights = await openComponentStateDict(folder, 'text_encoder');
  return {
    component: 'text_encoder',
    label: 'text encoder',
    parameters,
    model: (isClap ? buildClap : buildT5)(config, parameters.scope),
    stateDict: isClap ? weights : t5EncoderStateDict(weights),
    ignoreUnexpected: isClap ? CLAP_IGNORED_KEYS : T5_ENCODER_IGNORED_KEYS,
  };
}

async function planUNet(folder: ModelFolder): Promise<Plan<UNet2DConditionModel>> {
  const parameters = new ParameterRoot();
  const config = parseUNet2DConditionConfig(await folder.json('unet/config.json'));
  return {
    component: 'unet',
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
    label: 'vocoder',
    parameters,
    model: new HifiGan(config, parameters.scope),
    stateDict: hifiGanStateDict(await openComponentStateDict(folder, 'vocoder'), config),
    ignoreUnexpected: [],
  };
}

/** @throws InvalidConfigError when the components were not made for each other */
function checkFit(
  tokenizer: TextTokenizer,
  textEncoder: TextEncoder,
  unet: UNet2DConditionModel,
  vae: AutoencoderKL,
  vocoder: HifiGan,
): void {
  const { config } = unet;
  const expectations: readonly (readonly [string, number, string, number])[] = [
    [
      'the UNet’s in_channels',
      config.inChannels,
      'the autoencoder’s latent_channels',
      vae.config.latentChannels,
    ],
    [
      'the UNet’s out_channels',
      config.outChannels,
      'the autoencoder’s latent_channels',
      vae.config.latentChannels,
    ],
    ['the autoencoder’s in_channels', vae.config.inChannels, 'one mel spectrogram', 1],
    ['the autoencoder’s out_channels', vae.config.outChannels, 'one mel spectrogram', 1],
    [
      'the vocoder’s model_in_dim',
      vocoder.config.modelInDim % vae.downsamplingFactor,
      'a multiple of the autoencoder’s factor',
      0,
    ],
    ...widthsOfText(config).map(
      ([what, width]) => [what, width, 'the text encoder’s width', textEncoder.width] as const,
    ),
  ];
  const problems = expectations
    .filter(([, value, , expected]) => value !== expected)
    .map(([what, value, other, expected]) => `${what} is ${value}, but ${other} makes it ${expected}`);
  if (tokenizer.vocabularySize > textEncoder.vocabSize) {
    problems.push(
      `the tokenizer has ${tokenizer.vocabularySize} tokens, but the text encoder knows ${textEncoder.vocabSize}`,
    );
  }
  if ((config.classEmbedding !== null) !== (textEncoder.conditioning === 'class-embedding')) {
    problems.push(
      `${textEncoder.className} is no text encoder for a UNet ${config.classEmbedding ? 'with' : 'without'} a class embedding`,
    );
  }
  if (problems.length === 0) return;
  throw new InvalidConfigError(
    `The components do not belong together: ${problems.join('; ')}. Use a folder as it was saved, with all its parts from one checkpoint.`,
  );
}

/** What the UNet expects of the text: AudioLDM's attends to none, its cross attentions are a second self attention. */
function widthsOfText(config: UNet2DConditionConfig): readonly (readonly [string, number])[] {
  const { classEmbedding, crossAttentionDim } = config;
  if (classEmbedding === null) {
    return crossAttentionDim.map((width) => ['the UNet’s cross_attention_dim', width] as const);
  }
  return 'inputWidth' in classEmbedding
    ? [['the UNet’s projection_class_embeddings_input_dim', classEmbedding.inputWidth]]
    : [];
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

/** The folder's names and classes of what it holds, for summaries. */
export const COMPONENT_CLASSES: Readonly<Record<ComponentName, string>> = {
  text_encoder: 'T5EncoderModel',
  unet: 'UNet2DConditionModel',
  vae: 'AutoencoderKL',
  vocoder: 'SpeechT5HifiGan',
};
