/**
 * Parameters on the backend, and how their bytes get there without a float32 copy in JavaScript: float32 is written
 * straight into the wasm heap, float16 stays float16 on the GPU.
 */

import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { elementCount, formatShape } from '../common/assert';
import { OutOfMemoryError } from '../common/errors';

/**
 * A parameter on the backend. float32: `tensor` is float32 of `shape`. float16: `tensor` is int32 holding two halves
 * a word, the first in the low bits (ceil(n / 2) words); WebGPU only. On wasm, float16 files become float32 while
 * they are written into the wasm heap.
 */
export interface WeightTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'float16';
  readonly tensor: tf.Tensor;
}

/** Whether float16 weights may stay float16 on the current backend. */
export function backendKeepsFloat16(): boolean {
  return tf.getBackend() === 'webgpu';
}

/**
 * A float32 tensor whose values `fill` writes. On wasm the view is the backend's heap itself: do not keep it, the
 * heap moves when it grows.
 */
export function float32WeightTensor(
  shape: readonly number[],
  fill: (values: Float32Array) => void,
): tf.Tensor {
  const size = [...shape];
  if (tf.getBackend() === 'wasm' && elementCount(shape) > 0) {
    const backend = tf.backend() as BackendWasm;
    const info = backend.makeOutput(size, 'float32');
    // A full heap gives address 0, and writing there would overwrite the module's own data.
    if (backend.getMemoryOffset(info.dataId) === 0) throw outOfWasmMemory(shape);
    fill(backend.typedArrayFromHeap(info) as Float32Array);
    return tf.engine().makeTensorFromDataId(info.dataId, size, 'float32', backend);
  }
  const values = new Float32Array(elementCount(shape));
  fill(values);
  return uploaded(tf.tensor(values, size, 'float32'));
}

function outOfWasmMemory(shape: readonly number[]): OutOfMemoryError {
  return new OutOfMemoryError(
    `Expected room for a weight of ${formatShape(shape)} float32 values in WebAssembly's memory, which ends at 4 GB. ` +
      'Use a smaller model, or a browser with WebGPU.',
  );
}

/** An int32 tensor [ceil(n / 2)] that holds n halves, two a word. WebGPU only. */
export function float16WeightTensor(count: number, fill: (halves: Uint16Array) => void): tf.Tensor {
  const words = new Int32Array(Math.ceil(count / 2));
  fill(new Uint16Array(words.buffer, 0, count));
  return uploaded(tf.tensor1d(words, 'int32'));
}

/** On WebGPU, moves the values to the GPU now: tfjs would keep the JavaScript copy until the first use. */
function uploaded(tensor: tf.Tensor): tf.Tensor {
  if (tf.getBackend() === 'webgpu' && tensor.size > 0) {
    (tf.backend() as WebGPUBackend).uploadToGPU(tensor.dataId);
  }
  return tensor;
}
