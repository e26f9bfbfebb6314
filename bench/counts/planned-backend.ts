/** tfjs's WebGPU backend on a device that does nothing, for counts of models of any size. */
import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import type { BufferPool } from '../../src/gpu/device/buffer-pool';
import { prepareBackend, submitEncoded } from '../../src/gpu/device/webgpu-backend';
import { planningDevice, provideWebGpuNames } from '../../src/gpu/planning/planning-device';
import type { ParameterRoot } from '../../src/nn';

export interface PlannedBackend {
  readonly backend: WebGPUBackend;
  readonly pool: BufferPool;
  /** A tensor with a buffer and no values. */
  unfilled<R extends tf.Rank>(shape: readonly number[], dtype?: 'float32' | 'int32'): tf.Tensor<R>;
  /** Gives every parameter a buffer. @param matrices how matrices and kernels lie on the GPU; vectors are float32 */
  fill(root: ParameterRoot, matrices: 'float16' | 'float32'): void;
  /** Computes a result that waits, as whoever reads it does, and submits, as at the end of a step. */
  finish(result: tf.Tensor): void;
}

/** @returns what `run` does; the backend is gone then */
export async function withPlannedBackend<T>(run: (planned: PlannedBackend) => T | Promise<T>): Promise<T> {
  const takeNamesAway = provideWebGpuNames();
  const adapter = { vendor: 'planned', architecture: 'planned' } as GPUAdapterInfo;
  const backend = new WebGPUBackend(planningDevice(), adapter);
  const pool = prepareBackend(backend);
  if (tf.findBackendFactory('webgpu')) tf.removeBackend('webgpu');
  tf.registerBackend('webgpu', () => backend);
  await tf.setBackend('webgpu');
  const unfilled: PlannedBackend['unfilled'] = <R extends tf.Rank>(
    shape: readonly number[],
    dtype: 'float32' | 'int32' = 'float32',
  ) => {
    const info = backend.makeTensorInfo([...shape], dtype);
    backend.uploadToGPU(info.dataId);
    return tf.engine().makeTensorFromTensorInfo(info) as tf.Tensor<R>;
  };
  try {
    return await run({
      backend,
      pool,
      unfilled,
      fill(root, matrices) {
        for (const parameter of root.list()) {
          const halves = matrices === 'float16' && parameter.shape.length > 1;
          parameter.assign(
            halves ? unfilled([Math.ceil(parameter.elementCount / 2)], 'int32') : unfilled(parameter.shape),
            halves ? 'float16' : 'float32',
          );
        }
      },
      finish(result) {
        backend.uploadToGPU(result.dataId);
        submitEncoded(backend);
      },
    });
  } finally {
    tf.removeBackend('webgpu');
    takeNamesAway();
  }
}
