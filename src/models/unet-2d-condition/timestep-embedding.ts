import * as tf from '@tensorflow/tfjs-core';
import type { Activation } from '../../gpu/kernels';
import { type AdaptableLayer, Linear, type ParameterScope } from '../../nn';

const MAX_PERIOD = 10_000;

export interface SinusoidalEmbeddingOptions {
  /** cos before sin. */
  readonly flipSinToCos: boolean;
  /** Taken from the number of frequencies in the exponent's denominator. */
  readonly freqShift: number;
}

/**
 * The sinusoidal embedding of timesteps (diffusers' `get_timestep_embedding`): `width / 2` frequencies from 1 down to
 * 1 / 10000, a zero at the end when `width` is odd.
 *
 * @param timesteps one a sample; fractions are allowed.
 * @returns row-major [timesteps.length, width].
 */
export function sinusoidalEmbedding(
  timesteps: readonly number[],
  width: number,
  { flipSinToCos, freqShift }: SinusoidalEmbeddingOptions,
): Float32Array {
  const frequencies = sinusoidalFrequencies(width, freqShift);
  const sinOffset = flipSinToCos ? frequencies.length : 0;
  const cosOffset = flipSinToCos ? 0 : frequencies.length;
  const out = new Float32Array(timesteps.length * width);
  timesteps.forEach((timestep, row) => {
    frequencies.forEach((frequency, i) => {
      const angle = Math.fround(Math.fround(timestep) * frequency);
      out[row * width + sinOffset + i] = Math.sin(angle);
      out[row * width + cosOffset + i] = Math.cos(angle);
    });
  });
  return out;
}

/** exp(-ln(10000) i / (width / 2 - freqShift)) for i below width / 2, rounded to float32 where torch rounds. */
export function sinusoidalFrequencies(width: number, freqShift: number): Float32Array {
  const half = Math.floor(width / 2);
  const logarithm = Math.fround(-Math.log(MAX_PERIOD));
  return Float32Array.from({ length: half }, (_, i) => {
    const exponent = Math.fround(Math.fround(logarithm * i) / (half - freqShift));
    return Math.exp(exponent);
  });
}

/** Two linear layers with an activation between them, and one after them when the config asks for it. */
export class TimestepEmbedding {
  readonly #linear1: Linear;
  readonly #linear2: Linear;

  constructor(
    params: ParameterScope,
    inFeatures: number,
    timeEmbedDim: number,
    private readonly activation: Activation,
    private readonly postActivation: Activation | null = null,
  ) {
    this.#linear1 = new Linear(params.child('linear_1'), inFeatures, timeEmbedDim);
    this.#linear2 = new Linear(params.child('linear_2'), timeEmbedDim, timeEmbedDim);
  }

  adaptableLayers(): readonly AdaptableLayer[] {
    return [this.#linear1, this.#linear2];
  }

  /** @param sample [B, inFeatures] @returns [B, timeEmbedDim] */
  forward(sample: tf.Tensor): tf.Tensor {
    return tf.tidy(() =>
      this.#linear2.forward(this.#linear1.forward(sample, this.activation), this.postActivation ?? undefined),
    );
  }
}
