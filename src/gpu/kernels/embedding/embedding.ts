import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { elementCount, matchShape } from '../../../common/assert';
import { InvalidInputError } from '../../../common/errors';
import type { WeightTensor } from '../../weight-tensor';
import { defineKernel } from '../common/define-kernel';
import { matMul } from '../common/mat-mul';
import { requireTrainable, type WeightFormat, weightFormat } from '../common/weight-values';
import { GatherFloat16Program } from './gather-float16-program';

interface EmbeddingInputs {
  readonly ids: tf.Tensor; // int32 [...]
  readonly weight: tf.Tensor; // [V, D], or its packed halves
  readonly [name: string]: tf.Tensor;
}

/**
 * The rows of a packed table, unpacked while they are gathered: T5's whole table would be 131 MB of float32, for a
 * prompt of twenty tokens.
 */
function packedRows(ids: tf.Tensor, words: tf.Tensor, width: number): tf.Tensor {
  const backend = tf.backend() as WebGPUBackend;
  const program = new GatherFloat16Program(elementCount(ids.shape), width);
  const info = backend.runWebGPUProgram(program, [words, ids], 'float32', [{ type: 'int32', data: [width] }]);
  return tf.reshape(tf.engine().makeTensorFromTensorInfo(info), [...ids.shape, width]);
}

const embeddingKernel = defineKernel<EmbeddingInputs, { readonly weight: WeightFormat }>({
  name: 'Embedding',
  forward: ({ ids, weight }, attributes) =>
    attributes.weight.dtype === 'float16'
      ? packedRows(ids, weight, attributes.weight.shape[1]!)
      : tf.gather(weight, ids),
  gradients: (dy, { ids, weight }, attributes) => ({
    ids: () => tf.zerosLike(ids),
    // A product with the one-hot ids: wasm has no UnsortedSegmentSum, which tf.gather's own gradient needs.
    weight: () => {
      requireTrainable(attributes.weight);
      const [V, D] = weight.shape as [number, number];
      const count = elementCount(ids.shape);
      const oneHot = tf.cast(tf.oneHot(tf.reshape(ids, [count]), V), 'float32'); // [n, V]
      return matMul(oneHot, tf.reshape(dy, [count, D]), 'a'); // [V, D]
    },
  }),
});

/**
 * Rows of a table.
 *
 * @param ids int32 [...], each from 0 to V - 1 (not checked: that would be a read-back)
 * @param weight [V, D]
 * @returns [..., D]
 */
export function embedding(ids: tf.Tensor, weight: WeightTensor): tf.Tensor {
  matchShape(`embedding: ${weight.name}`, weight.shape, ['V', 'D']);
  if (ids.dtype !== 'int32') {
    throw new InvalidInputError(`embedding ${weight.name}: ids should be int32, got ${ids.dtype}.`);
  }
  return embeddingKernel({ ids, weight: weight.tensor }, { weight: weightFormat(weight) });
}
