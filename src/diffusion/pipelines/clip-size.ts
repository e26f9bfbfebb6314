/** The sizes of a clip, from its seconds to its latents. */
export interface ClipSize {
  /** Samples that the listener gets. */
  readonly samples: number;
  /** Mel frames that hold them. */
  readonly frames: number;
  /** Mel frames that are generated: rounded up to what the networks halve without remainder. */
  readonly paddedFrames: number;
  /** [1, C, H, W], H along time. */
  readonly latentShape: readonly [number, number, number, number];
}

export interface ClipSizeOptions {
  readonly sampleRateHz: number;
  /** Samples of a mel frame. */
  readonly hopLengthSamples: number;
  readonly melBins: number;
  readonly latentChannels: number;
  /** Mel frames (and bins) of one latent position. */
  readonly vaeFactor: number;
  /** How often the UNet halves the latents, as a factor. */
  readonly unetFactor: number;
}

export function clipSize(durationSeconds: number, options: ClipSizeOptions): ClipSize {
  const { sampleRateHz, hopLengthSamples, melBins, latentChannels, vaeFactor, unetFactor } = options;
  const samples = Math.round(durationSeconds * sampleRateHz);
  const frames = Math.ceil(samples / hopLengthSamples);
  const multiple = vaeFactor * unetFactor;
  const paddedFrames = Math.ceil(frames / multiple) * multiple;
  const latentShape = [1, latentChannels, paddedFrames / vaeFactor, melBins / vaeFactor] as const;
  return { samples, frames, paddedFrames, latentShape };
}
