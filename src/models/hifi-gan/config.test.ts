import { describe, expect, it } from 'vitest';
import { InvalidConfigError } from '../../common/errors';
import {
  contextFrames,
  outputLength,
  parseHifiGanConfig,
  samplesPerFrame,
  TANGO_HIFI_GAN_CONFIG,
} from './config';

describe('parseHifiGanConfig', () => {
  it("fills in transformers' defaults", () => {
    expect(parseHifiGanConfig({})).toEqual({
      modelInDim: 80,
      sampleRateHz: 16_000,
      upsampleInitialChannel: 512,
      upsampleRates: [4, 4, 4, 4],
      upsampleKernelSizes: [8, 8, 8, 8],
      resblockKernelSizes: [3, 7, 11],
      resblockDilationSizes: [
        [1, 3, 5],
        [1, 3, 5],
        [1, 3, 5],
      ],
      leakyReluSlope: 0.1,
      normalizeBefore: true,
    });
  });

  it.each([
    [{ model_type: 'univnet' }, /"univnet" for "model_type"/],
    [{ upsample_kernel_sizes: [8] }, /"upsample_kernel_sizes".*a list of 4/],
    [{ upsample_rates: [4, 4, 4, 9] }, /"upsample_kernel_sizes".*at least as long/],
    [{ upsample_initial_channel: 8 }, /"upsample_initial_channel".*at least 16/],
    [{ upsample_rates: [4, 4, 4, 0] }, /"upsample_rates".*from 1 to/],
    [{ resblock_kernel_sizes: [3, 6, 11] }, /"resblock_kernel_sizes".*odd/],
    [{ resblock_dilation_sizes: [[1, 3, 5]] }, /"resblock_dilation_sizes".*3 lists/],
    [{ resblock_dilation_sizes: [[1], [], [2]] }, /"resblock_dilation_sizes"/],
    [{ resblock_dilation_sizes: [[1], [0], [2]] }, /"resblock_dilation_sizes"/],
    [{ leaky_relu_slope: 'steep' }, /"leaky_relu_slope".*finite number/],
    [{ sampling_rate: -1 }, /"sampling_rate"/],
    [{ upsample_mode: 'nearest' }, /"upsample_mode".*does not know/],
    ['text', /JSON object/],
  ])('refuses %j', (json, message) => {
    expect(() => parseHifiGanConfig(json)).toThrow(InvalidConfigError);
    expect(() => parseHifiGanConfig(json)).toThrow(message);
  });
});

describe("Tango's sizes", () => {
  it('160 samples a frame, and 32 more at the end', () => {
    expect(samplesPerFrame(TANGO_HIFI_GAN_CONFIG)).toBe(160);
    expect(outputLength(TANGO_HIFI_GAN_CONFIG, 1024)).toBe(163_872);
    expect(outputLength(TANGO_HIFI_GAN_CONFIG, 1)).toBe(192);
  });

  it('see 24 frames on each side', () => {
    expect(contextFrames(TANGO_HIFI_GAN_CONFIG)).toBe(24);
  });
});
