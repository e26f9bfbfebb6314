import * as tf from '@tensorflow/tfjs-core';
import { required } from '../common/assert';
import { TorchGenerator } from '../common/random';
import { nchwToNhwc, type TensorData } from '../diffusion/tensor-layout';
import type { ForwardProcess } from './forward-process';
import type { TrainingData } from './training-data';
import type { PlannedPair } from './training-plan';

export type PairHalf = 'winner' | 'loser';

/** What the UNet is given for some pairs, halves one behind the other: winners, then losers. */
export interface PairBatch {
  readonly noisy: tf.Tensor4D; // [halves B, H, W, C]
  readonly target: tf.Tensor4D; // [halves B, H, W, C]
  readonly states: tf.Tensor3D; // [halves B, L, D]
  readonly mask: tf.Tensor2D; // [halves B, L]
  readonly timesteps: readonly number[];
}

/** Winner and loser of a pair share prompt, timestep and noise. @returns tensors that the caller disposes */
export function pairBatch(
  data: TrainingData,
  process: ForwardProcess,
  pairs: readonly PlannedPair[],
  halves: readonly PairHalf[],
): PairBatch {
  const timesteps = halves.flatMap(() => pairs.map(({ timestep }) => timestep));
  const tensors = tf.tidy(() => {
    const size = elementsOf(data);
    const noise = stack(
      data,
      pairs.map(({ noiseSeed }) => new TorchGenerator(noiseSeed).randn(size)),
    ); // [B, H, W, C]
    const noises = tf.concat(halves.map(() => noise)) as tf.Tensor4D;
    const clean = tf.concat(
      halves.map((half) =>
        stack(
          data,
          pairs.map(({ pair }) => required(data.pairs[pair], 'a pair')[half]),
        ),
      ),
    ) as tf.Tensor4D;
    return {
      noisy: process.addNoise(clean, noises, timesteps),
      target: process.target(clean, noises, timesteps),
      ...texts(data, pairs, halves.length),
    };
  });
  return { ...tensors, timesteps };
}

export function disposeBatch({ noisy, target, states, mask }: PairBatch): void {
  tf.dispose([noisy, target, states, mask]);
}

function elementsOf({ latentShape }: TrainingData): number {
  return latentShape.reduce((product, axis) => product * axis);
}

/** [C, H, W] of each -> [B, H, W, C] */
function stack(data: TrainingData, images: readonly Float32Array[]): tf.Tensor4D {
  const size = elementsOf(data);
  const all: TensorData = {
    data: new Float32Array(images.length * size),
    shape: [images.length, ...data.latentShape],
  };
  for (const [i, image] of images.entries()) all.data.set(image, i * size);
  return nchwToNhwc(all);
}

/** The prompts padded to the longest, once for each half. */
function texts(
  data: TrainingData,
  pairs: readonly PlannedPair[],
  halves: number,
): { states: tf.Tensor3D; mask: tf.Tensor2D } {
  const cached = pairs.map(({ pair, dropCaption }) => {
    const prompt = dropCaption ? '' : required(data.pairs[pair], 'a pair').prompt;
    return required(data.texts.get(prompt), `the text states of "${prompt}"`);
  });
  const tokens = Math.max(...cached.map((text) => text.tokens));
  const width = cached[0]?.width ?? 0;
  const states = new Float32Array(cached.length * tokens * width);
  const mask = new Float32Array(cached.length * tokens);
  for (const [i, text] of cached.entries()) {
    states.set(text.states, i * tokens * width);
    mask.fill(1, i * tokens, i * tokens + text.tokens);
  }
  const repeated = <T extends tf.Tensor>(tensor: T): T =>
    (halves === 1 ? tensor : tf.concat(Array<T>(halves).fill(tensor))) as T;
  return {
    states: repeated(tf.tensor3d(states, [cached.length, tokens, width])),
    mask: repeated(tf.tensor2d(mask, [cached.length, tokens])),
  };
}
