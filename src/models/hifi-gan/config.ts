import { ConfigReader } from '../config-reader';

/** What a HiFi-GAN generator is made of (transformers' `SpeechT5HifiGanConfig`). */
export interface HifiGanConfig {
  /** Mel bins of the input. */
  readonly modelInDim: number;
  readonly sampleRateHz: number;
  /** Width before the first upsampling; every upsampling halves it. */
  readonly upsampleInitialChannel: number;
  readonly upsampleRates: readonly number[];
  readonly upsampleKernelSizes: readonly number[];
  readonly resblockKernelSizes: readonly number[];
  /** Dilations of each residual block, one list for each of `resblockKernelSizes`. */
  readonly resblockDilationSizes: readonly (readonly number[])[];
  readonly leakyReluSlope: number;
  /** Subtract the checkpoint's `mean` and divide by its `scale` first. */
  readonly normalizeBefore: boolean;
}

/**
 * The vocoder of Tango, Tango 2 and AudioLDM at 16 kHz: 64 mels, 160 samples a frame. The published Tango files have
 * these sizes in Python only.
 */
export const TANGO_HIFI_GAN_CONFIG: HifiGanConfig = {
  modelInDim: 64,
  sampleRateHz: 16_000,
  upsampleInitialChannel: 1024,
  upsampleRates: [5, 4, 2, 2, 2],
  upsampleKernelSizes: [16, 16, 8, 4, 4],
  resblockKernelSizes: [3, 7, 11],
  resblockDilationSizes: [
    [1, 3, 5],
    [1, 3, 5],
    [1, 3, 5],
  ],
  leakyReluSlope: 0.1,
  normalizeBefore: false,
};

/** How the weights were first drawn, and what transformers writes for every model: nothing about the network. */
const HARMLESS = [
  'architectures',
  'initializer_range',
  'model_type',
  'torch_dtype',
  'dtype',
  'transformers_version',
];

/**
 * Reads a transformers SpeechT5HifiGan config.json. Absent fields take transformers' defaults.
 *
 * @throws InvalidConfigError for sizes that make no network, naming the field and what is supported.
 */
export function parseHifiGanConfig(json: unknown): HifiGanConfig {
  const reader = new ConfigReader(json, 'the vocoder');
  reader.only('model_type', 'speecht5_hifigan', 'hifigan');
  const upsampleRates = reader.integers('upsample_rates', [4, 4, 4, 4]);
  const upsampleKernelSizes = reader.integers('upsample_kernel_sizes', [8, 8, 8, 8]);
  if (upsampleKernelSizes.length !== upsampleRates.length) {
    reader.refuse(
      'upsample_kernel_sizes',
      `a list of ${upsampleRates.length}, one for each of upsample_rates`,
    );
  }
  if (upsampleKernelSizes.some((size, i) => size < upsampleRates[i]!)) {
    reader.refuse('upsample_kernel_sizes', 'kernels at least as long as their upsample_rates');
  }
  const upsampleInitialChannel = reader.integer('upsample_initial_channel', 512);
  if (upsampleInitialChannel >> upsampleRates.length < 1) {
    reader.refuse(
      'upsample_initial_channel',
      `widths of at least ${2 ** upsampleRates.length}, halved each time`,
    );
  }
  const resblockKernelSizes = reader.integers('resblock_kernel_sizes', [3, 7, 11]);
  if (resblockKernelSizes.some((size) => size % 2 === 0)) {
    reader.refuse('resblock_kernel_sizes', 'odd sizes, which keep the length');
  }
  const config: HifiGanConfig = {
    modelInDim: reader.integer('model_in_dim', 80),
    sampleRateHz: reader.integer('sampling_rate', 16_000),
    upsampleInitialChannel,
    upsampleRates,
    upsampleKernelSizes,
    resblockKernelSizes,
    resblockDilationSizes: readDilations(reader, resblockKernelSizes.length),
    leakyReluSlope: reader.number('leaky_relu_slope', 0.1),
    normalizeBefore: reader.boolean('normalize_before', true),
  };
  reader.refuseUnread(HARMLESS);
  return config;
}

function readDilations(reader: ConfigReader, blocks: number): readonly (readonly number[])[] {
  const value = reader.raw('resblock_dilation_sizes') ?? [
    [1, 3, 5],
    [1, 3, 5],
    [1, 3, 5],
  ];
  const isDilations = (entry: unknown): entry is number[] =>
    Array.isArray(entry) && entry.length > 0 && entry.every((d) => Number.isSafeInteger(d) && d >= 1);
  if (!Array.isArray(value) || value.length !== blocks || !value.every(isDilations)) {
    return reader.refuse(
      'resblock_dilation_sizes',
      `${blocks} lists of integers of at least 1, one list for each of resblock_kernel_sizes`,
    );
  }
  return value;
}

/** Samples of one mel frame: the product of the rates. */
export function samplesPerFrame(config: HifiGanConfig): number {
  return config.upsampleRates.reduce((product, rate) => product * rate, 1);
}

/**
 * Samples that come out for `frames` mel frames. Where kernel and rate are not both odd or both even, a transposed
 * convolution leaves one sample more than frames · rate: Tango's kernels give 160 · frames + 32.
 */
export function outputLength(config: HifiGanConfig, frames: number): number {
  return config.upsampleRates.reduce((length, rate, i) => {
    const kernel = config.upsampleKernelSizes[i]!;
    return (length - 1) * rate - 2 * upsamplePadding(kernel, rate) + kernel;
  }, frames);
}

/** The reference's padding of a transposed convolution, rounded down. */
export function upsamplePadding(kernel: number, rate: number): number {
  return Math.floor((kernel - rate) / 2);
}

/**
 * Mel frames on each side that a frame's samples depend on, at most: tiles of mel that overlap by this much on both
 * sides give, cut to their own frames, the samples of the whole (there are no norms over time in the network).
 *
 * Walks the network backwards: each convolution adds (k − 1) / 2 · dilation samples at its own rate, each transposed
 * convolution divides the reach by its rate and adds its own. Tango's sizes need 24 frames, 0.24 s.
 */
export function contextFrames(config: HifiGanConfig): number {
  const resblocks = config.resblockKernelSizes.map((kernel, j) =>
    config.resblockDilationSizes[j]!.reduce((sum, dilation) => sum + ((kernel - 1) / 2) * (dilation + 1), 0),
  );
  const beforeUpsampling = (reach: number, rate: number, kernel: number): number => {
    const padding = upsamplePadding(kernel, rate);
    const atOutput = reach + Math.max(...resblocks);
    return Math.ceil((atOutput + Math.max(padding, kernel - 1 - padding)) / rate);
  };
  const convHalf = 3; // conv_pre and conv_post have kernel 7
  return (
    config.upsampleRates.reduceRight(
      (reach, rate, i) => beforeUpsampling(reach, rate, config.upsampleKernelSizes[i]!),
      convHalf,
    ) + convHalf
  );
}
