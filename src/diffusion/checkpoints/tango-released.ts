/**
 * The files that declare-lab publishes (tango, tango-full, tango2, tango2-full): three .bin files of torch.save and
 * their configs, side by side. What their configs leave out stands in upstream's code: the text encoder and the
 * scheduler are named, the UNet's config is a file of the repository, the vocoder's sizes are in Python.
 */
import { InvalidConfigError, ModelNotFoundError, StateDictError } from '../../common/errors';
import { audioldmVaeStateDict, autoencoderKLConfigFromAudioldm } from '../../models/autoencoder-kl';
import { samplesPerFrame, TANGO_HIFI_GAN_CONFIG } from '../../models/hifi-gan';
import {
  type ModelFolder,
  openSafetensors,
  openTorchCheckpoint,
  renameStateDict,
  type StateDict,
} from '../../weights';

const MAIN = 'pytorch_model_main.bin';
/** A UNet that the studio merged, in the place of that of `MAIN`, whose text encoder was not trained. */
export const MERGED_UNET = 'pytorch_model_main.safetensors';
const VAE = 'pytorch_model_vae.bin';
const REQUIRED = [MAIN, VAE, 'main_config.json', 'vae_config.json'];
const TOKENIZER_FILES = ['tokenizer.json', 'tokenizer_config.json'];

/** configs/diffusion_model_config.json of the repository, where it differs from diffusers' defaults. */
const UNET_CONFIG = {
  _class_name: 'UNet2DConditionModel',
  attention_head_dim: [5, 10, 20, 20],
  block_out_channels: [320, 640, 1280, 1280],
  cross_attention_dim: 1024,
  in_channels: 8,
  out_channels: 8,
  layers_per_block: 2,
  norm_num_groups: 32,
  upcast_attention: true,
  use_linear_projection: true,
};

/** scheduler/scheduler_config.json of the scheduler that main_config.json names, stabilityai/stable-diffusion-2-1. */
const SCHEDULER_CONFIG = {
  _class_name: 'DDPMScheduler',
  beta_end: 0.012,
  beta_schedule: 'scaled_linear',
  beta_start: 0.00085,
  clip_sample: false,
  num_train_timesteps: 1000,
  prediction_type: 'v_prediction',
  set_alpha_to_one: false,
  steps_offset: 1,
  trained_betas: null,
};
const SCHEDULER_NAME = 'stabilityai/stable-diffusion-2-1';

/**
 * Tango's published files as a diffusers folder, with a merged UNet where one is among them; null when `files` are of another layout.
 *
 * @throws ModelNotFoundError naming what is missing, InvalidConfigError, StateDictError, WeightsFormatError
 */
export async function openTangoReleased(files: ModelFolder): Promise<ModelFolder | null> {
  const paths = new Map(files.list().map((path) => [path.slice(path.lastIndexOf('/') + 1), path]));
  if (files.has('model_index.json') || ![MAIN, MERGED_UNET, VAE].some((name) => paths.has(name))) return null;
  const missing = REQUIRED.filter((name) => !paths.has(name));
  if (missing.length > 0) {
    throw new ModelNotFoundError(
      paths.has(MERGED_UNET) && missing.includes(MAIN)
        ? `${MERGED_UNET} is a UNet alone, merged in this studio: ${missing.join(', ')} of the model that it was made from is not among the files. Choose all of them together.`
        : `These are Tango’s published files, but ${missing.join(', ')} is not among them. Take them from the same repository and choose all together.`,
    );
  }
  if (!paths.has('tokenizer.json')) {
    throw new ModelNotFoundError(
      'Tango’s published files hold no tokenizer: the code takes it from google/flan-t5-large. Download tokenizer.json (and tokenizer_config.json) from there and choose it together with the .bin files.',
    );
  }
  const json = (name: string): Promise<unknown> => files.json(paths.get(name) ?? name);
  const main = await openTorchCheckpoint(await files.blob(paths.get(MAIN) ?? MAIN), MAIN);
  const vae = await openTorchCheckpoint(await files.blob(paths.get(VAE) ?? VAE), VAE);
  refuseStrangers(main, MAIN, ['text_encoder.', 'unet.']);
  const merged = paths.get(MERGED_UNET);
  const unet = merged === undefined ? main : await openSafetensors(await files.blob(merged), MERGED_UNET);
  if (merged !== undefined) refuseStrangers(unet, MERGED_UNET, ['unet.']);
  const mainConfig = asObject(await json('main_config.json'), 'main_config.json');
  const vaeConfig = autoencoderKLConfigFromAudioldm(await json('vae_config.json'));
  const stftConfig = paths.has('stft_config.json')
    ? asObject(await json('stft_config.json'), 'stft_config.json')
    : {};
  const unetConfigPath = paths.get(baseName(mainConfig.unet_model_config_path) ?? '');
  const stateDicts: Readonly<Record<string, StateDict>> = {
    text_encoder: part(main, 'text_encoder.'),
    unet: part(unet, 'unet.'),
    vae: audioldmVaeStateDict(withoutPart(vae, 'vocoder.'), levelsOf(vaeConfig)),
    vocoder: part(vae, 'vocoder.'),
  };
  const documents = new Map<string, Blob>();
  const add = (path: string, value: unknown): unknown =>
    documents.set(path, new Blob([JSON.stringify(value)]));
  add('model_index.json', {
    _class_name: 'TangoPipeline',
    text_encoder: ['transformers', 'T5EncoderModel'],
    unet: ['diffusers', 'UNet2DConditionModel'],
    vae: ['diffusers', 'AutoencoderKL'],
    vocoder: ['transformers', 'SpeechT5HifiGan'],
  });
  add('scheduler/scheduler_config.json', schedulerConfig(mainConfig));
  add('text_encoder/config.json', textEncoderConfig(stateDicts.text_encoder!, mainConfig));
  add('unet/config.json', unetConfigPath ? await files.json(unetConfigPath) : UNET_CONFIG);
  add('vae/config.json', vaeConfig);
  add('vocoder/config.json', vocoderConfig(stateDicts.vocoder!, stftConfig));
  for (const name of TOKENIZER_FILES) {
    const path = paths.get(name);
    if (path !== undefined) documents.set(`tokenizer/${name}`, await files.blob(path));
  }
  const card = paths.get('README.md');
  if (card !== undefined) documents.set('README.md', await files.blob(card));
  return folderOf(documents, stateDicts);
}

function folderOf(
  documents: ReadonlyMap<string, Blob>,
  stateDicts: Readonly<Record<string, StateDict>>,
): ModelFolder {
  const blob = async (path: string): Promise<Blob> => {
    const found = documents.get(path);
    if (found) return found;
    throw new ModelNotFoundError(
      `Expected "${path}" in Tango’s published files. Choose all of them together.`,
    );
  };
  return {
    list: () => [...documents.keys()],
    has: (path) => documents.has(path),
    blob,
    json: async (path) => parsed(path, await (await blob(path)).text()),
    stateDict: async (component) => {
      const found = stateDicts[component];
      if (found) return found;
      throw new ModelNotFoundError(`Tango’s published files have no "${component}".`);
    },
  };
}

function parsed(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InvalidConfigError(`Expected JSON in "${path}". Download the file again.`, { cause });
  }
}

/** @throws StateDictError for keys that belong to no component */
function refuseStrangers(stateDict: StateDict, file: string, prefixes: readonly string[]): void {
  const strangers = stateDict.names().filter((name) => !prefixes.some((prefix) => name.startsWith(prefix)));
  if (strangers.length === 0) return;
  throw new StateDictError(
    `${file} should hold ${prefixes.join('* and ')}* only, but has ${strangers.length} other tensors: ${strangers.slice(0, 8).join(', ')}. ` +
      'A Tango that was trained from Stable Diffusion’s UNet (group_in, group_out) cannot be run; use declare-lab’s tango, tango-full, tango2 or tango2-full.',
  );
}

function part(stateDict: StateDict, prefix: string): StateDict {
  return renameStateDict(stateDict, (name) => (name.startsWith(prefix) ? name.slice(prefix.length) : null));
}

function withoutPart(stateDict: StateDict, prefix: string): StateDict {
  return renameStateDict(stateDict, (name) => (name.startsWith(prefix) ? null : name));
}

function levelsOf(vaeConfig: Readonly<Record<string, unknown>>): number {
  const widths = vaeConfig.block_out_channels;
  return Array.isArray(widths) ? widths.length : 0;
}

/** The size of a tensor's axis. @throws StateDictError when there is no such tensor */
function size(stateDict: StateDict, name: string, axis: number): number {
  const found = stateDict.entry(name)?.shape[axis];
  if (found !== undefined) return found;
  const near = stateDict.names().slice(0, 4).join(', ');
  throw new StateDictError(
    `Expected "${name}" in Tango’s published weights; it is not there (the part begins ${near || 'nowhere'}). Download the file again.`,
  );
}

/** FLAN-T5 of whatever size: what a shape does not tell is the same in all of them. */
function textEncoderConfig(weights: StateDict, mainConfig: Readonly<Record<string, unknown>>): object {
  const name = mainConfig.text_encoder_name;
  if (typeof name === 'string' && !/t5/i.test(name)) {
    throw new InvalidConfigError(
      `main_config.json has ${JSON.stringify(name)} for "text_encoder_name"; this studio supports T5 encoders. Use a checkpoint with FLAN-T5.`,
    );
  }
  const layer = 'encoder.block.0.layer';
  const bias = `${layer}.0.SelfAttention.relative_attention_bias.weight`;
  const heads = size(weights, bias, 1);
  const gated = weights.entry(`${layer}.1.DenseReluDense.wi_0.weight`) !== undefined;
  const layers = weights
    .names()
    .filter((key) => /^encoder\.block\.\d+\.layer\.0\.layer_norm\.weight$/.test(key));
  return {
    model_type: 't5',
    vocab_size: size(weights, 'shared.weight', 0),
    d_model: size(weights, 'shared.weight', 1),
    d_kv: size(weights, `${layer}.0.SelfAttention.q.weight`, 0) / heads,
    d_ff: size(weights, `${layer}.1.DenseReluDense.wo.weight`, 1),
    num_layers: layers.length,
    num_heads: heads,
    relative_attention_num_buckets: size(weights, bias, 0),
    relative_attention_max_distance: 128,
    layer_norm_epsilon: 1e-6,
    feed_forward_proj: gated ? 'gated-gelu' : 'relu',
  };
}

function schedulerConfig(mainConfig: Readonly<Record<string, unknown>>): object {
  const name = mainConfig.scheduler_name;
  if (name === undefined || name === SCHEDULER_NAME) return SCHEDULER_CONFIG;
  throw new InvalidConfigError(
    `main_config.json has ${JSON.stringify(name)} for "scheduler_name"; this studio knows "${SCHEDULER_NAME}". Use a published checkpoint.`,
  );
}

function vocoderConfig(weights: StateDict, stftConfig: Readonly<Record<string, unknown>>): object {
  const weight = weights.entry('conv_pre.weight') ? 'conv_pre.weight' : 'conv_pre.weight_v';
  const sampleRateHz = stftConfig.sampling_rate ?? TANGO_HIFI_GAN_CONFIG.sampleRateHz;
  const hop = samplesPerFrame(TANGO_HIFI_GAN_CONFIG);
  if ((stftConfig.hop_length ?? hop) !== hop) {
    throw new InvalidConfigError(
      `stft_config.json has ${JSON.stringify(stftConfig.hop_length)} for "hop_length"; the vocoder of Tango makes ${hop} samples a frame. Use the file of the same checkpoint.`,
    );
  }
  return {
    model_in_dim: size(weights, weight, 1),
    sampling_rate: sampleRateHz,
    upsample_initial_channel: size(weights, weight, 0),
    upsample_rates: TANGO_HIFI_GAN_CONFIG.upsampleRates,
    upsample_kernel_sizes: TANGO_HIFI_GAN_CONFIG.upsampleKernelSizes,
    resblock_kernel_sizes: TANGO_HIFI_GAN_CONFIG.resblockKernelSizes,
    resblock_dilation_sizes: TANGO_HIFI_GAN_CONFIG.resblockDilationSizes,
    leaky_relu_slope: TANGO_HIFI_GAN_CONFIG.leakyReluSlope,
    normalize_before: false,
  };
}

function baseName(value: unknown): string | null {
  return typeof value === 'string' ? value.slice(value.lastIndexOf('/') + 1) : null;
}

function asObject(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw new InvalidConfigError(`${path} should hold an object. Download the file again.`);
}
