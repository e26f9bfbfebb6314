import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';

/**
 * Encodes what computes a tensor, where that waits for somebody who needs it (kernels/common/deferred.ts): a result that
 * is kept for long would hold all that it is computed from.
 */
export function computeNow({ dataId }: tf.Tensor): void {
  if (tf.getBackend() === 'webgpu') (tf.backend() as WebGPUBackend).uploadToGPU(dataId);
}
