import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { elementCount } from '../../../common/assert';
import { InvalidInputError } from '../../../common/errors';
import type { WeightTensor } from '../../weight-tensor';
import { UnpackFloat16Program } from './unpack-float16-program';

/** What a kernel's attributes hold of a weight; its tensor is one of the inputs. */
export type WeightFormat = Pick<WeightTensor, 'name' | 'shape' | 'dtype'>;

export function weightFormat({ name, shape, dtype }: WeightTensor): WeightFormat {
  return { name, shape, dtype };
}

/**
 * The float32 values of a weight, of its own shape. A float32 weight is returned as it is; a float16 one is unpacked
 * on the GPU into a temporary of the surrounding tidy.
 */
export function weightValues<T extends tf.Tensor>({ tensor, dtype, shape }: Omit<WeightTensor, 'name'>): T {
  if (dtype === 'float32') return tensor as T;
  const backend = tf.backend() as WebGPUBackend;
  const program = new UnpackFloat16Program(shape, elementCount(shape));
  const info = backend.runWebGPUProgram(program, [tensor], 'float32');
  return tf.engine().makeTensorFromTensorInfo(info) as T;
}

/** @throws InvalidInputError when the weight is float16: half precision loses the small steps of training. */
export function requireTrainable({ name, dtype }: WeightFormat): void {
  if (dtype === 'float32') return;
  throw new InvalidInputError(
    `Expected a float32 weight to differentiate, "${name}" is ${dtype}. Load the model with precision "float32".`,
  );
}
