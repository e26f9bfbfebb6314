import * as tf from '@tensorflow/tfjs-core';
import { matchShape } from '../../../common/assert';
import { InvalidInputError } from '../../../common/errors';
import type { WeightTensor } from '../../weight-tensor';
import { defineKernel } from '../common/define-kernel';
import { requireTrainable, type WeightFormat, weightFormat, weightValues } from '../common/weight-values';
import { filterGradient } from '../convolution/convolution-gradients';
import { type ConvolutionGeometry, convolve } from '../convolution/convolve';

export interface ConvTranspose1dOptions {
  readonly stride: number;
  readonly padding: number;
}

interface ConvTranspose1dInputs {
  readonly x: tf.Tensor; // [B, T, Cin]
  readonly weight: tf.Tensor; // [k, Cin, Cout], or its packed halves
  readonly bias: tf.Tensor | undefined; // [Cout]
  readonly [name: string]: tf.Tensor | undefined;
}

type ConvTranspose1dAttributes = ConvTranspose1dOptions & { readonly weight: WeightFormat };

const convTranspose1dKernel = defineKernel<ConvTranspose1dInputs, ConvTranspose1dAttributes>({
  name: 'ConvTranspose1d',
  forward: ({ x, weight, bias }, attributes) =>
    polyphase(
      x as tf.Tensor3D,
      weightValues<tf.Tensor3D>({ ...attributes.weight, tensor: weight }),
      bias,
      attributes,
    ),
  gradients: (dy, { x, weight }, attributes) => ({
    // The transposed convolution is the input gradient of a convolution, so its own gradients are that convolution.
    x: () => {
      const taps = weightValues<tf.Tensor3D>({ ...attributes.weight, tensor: weight });
      const filter = tf.expandDims(tf.transpose(taps, [0, 2, 1]), 0) as tf.Tensor4D; // [1, k, Cout, Cin]
      const dyImage = tf.expandDims(dy, 1) as tf.Tensor4D; // [B, 1, Tout, Cout]
      return tf.squeeze(convolve(dyImage, filter, undefined, adjointGeometry(attributes)), [1]);
    },
    weight: () => {
      requireTrainable(attributes.weight);
      const xImage = tf.expandDims(x, 1) as tf.Tensor4D; // [B, 1, T, Cin]
      const dyImage = tf.expandDims(dy, 1) as tf.Tensor4D; // [B, 1, Tout, Cout]
      const filter = filterGradient(xImage, dyImage, adjointGeometry(attributes)); // [1, k, Cout, Cin]
      return tf.transpose(tf.squeeze(filter, [0]), [0, 2, 1]); // [k, Cin, Cout]
    },
    bias: () => tf.sum(dy, [0, 1]),
  }),
});

/** The convolution from [B, 1, Tout, Cout] to [B, 1, T, Cin] whose input gradient this op is. */
function adjointGeometry({ stride, padding, weight }: ConvTranspose1dAttributes): ConvolutionGeometry {
  const [kernel, inChannels, outChannels] = weight.shape as [number, number, number];
  return {
    filterShape: [1, kernel, outChannels, inChannels],
    strides: [1, stride],
    dilations: [1, 1],
    padding: [
      [0, 0],
      [padding, padding],
    ],
  };
}

/**
 * Output sample n = m * stride + r gets the taps q * stride + r of the inputs m - q, so all `stride` phases together
 * are one ordinary convolution of ceil(k / stride) taps with stride * Cout output channels: no products with inserted
 * zeros and no scatter, and XNNPACK runs it on wasm (whose Conv2DBackpropInput is a naive loop). Turning the filter
 * into its phases costs one pass over the weight.
 */
function polyphase(
  x: tf.Tensor3D,
  weight: tf.Tensor3D,
  bias: tf.Tensor | undefined,
  { stride, padding }: ConvTranspose1dOptions,
): tf.Tensor3D {
  const [B, T] = x.shape;
  const [kernel, inChannels, outChannels] = weight.shape;
  const taps = Math.ceil(kernel / stride);
  const whole = tf.pad(weight, [
    [0, taps * stride - kernel],
    [0, 0],
    [0, 0],
  ]);
  // The taps in reverse; tfjs's wasm reverse is 100 times as slow as these copies.
  const turned = tf.concat(
    tf.split(tf.reshape(whole, [taps, stride, inChannels, outChannels]), taps).reverse(),
  );
  const phases = tf.transpose(turned, [0, 2, 1, 3]); // [taps, Cin, stride, Cout]
  const y = convolve(
    tf.expandDims(x, 1) as tf.Tensor4D, // [B, 1, T, Cin]
    tf.reshape(phases, [1, taps, inChannels, stride * outChannels]),
    bias && tf.tile(bias, [stride]),
    {
      strides: [1, 1],
      dilations: [1, 1],
      padding: [
        [0, 0],
        [taps - 1, taps - 1],
      ],
    },
  ); // [B, 1, T + taps - 1, stride * Cout]
  const samples = tf.reshape(y, [B, (T + taps - 1) * stride, outChannels]);
  return tf.slice(samples as tf.Tensor3D, [0, padding, 0], [B, outputLength(T, kernel, stride, padding), -1]);
}

function outputLength(T: number, kernel: number, stride: number, padding: number): number {
  return (T - 1) * stride - 2 * padding + kernel;
}

/**
 * Transposed 1-D convolution, as torch's ConvTranspose1d.
 *
 * @param x [B, T, Cin]
 * @param weight [k, Cin, Cout]
 * @param bias [Cout]
 * @returns [B, (T - 1) * stride - 2 padding + k, Cout]
 */
export function convTranspose1d(
  x: tf.Tensor3D,
  weight: WeightTensor,
  bias: WeightTensor | null | undefined,
  { stride, padding }: ConvTranspose1dOptions,
): tf.Tensor3D {
  const [kernel, inChannels] = weight.shape as [number, number, number];
  matchShape(`convTranspose1d ${weight.name}: x`, x.shape, ['B', 'T', inChannels]);
  const length = outputLength(x.shape[1], kernel, stride, padding);
  if (length < 1) {
    throw new InvalidInputError(
      `convTranspose1d ${weight.name}: x should be long enough for one output sample, got T = ${x.shape[1]}.`,
    );
  }
  const inputs = { x, weight: weight.tensor, bias: bias?.tensor };
  return convTranspose1dKernel(inputs, { stride, padding, weight: weightFormat(weight) }) as tf.Tensor3D;
}
