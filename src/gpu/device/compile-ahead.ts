import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { BackendUnavailableError } from '../../common/errors';

/** tfjs's flag: programs are compiled, all at once and in the background, and nothing is dispatched. */
const COMPILE_ONLY = 'WEBGPU_ENGINE_COMPILE_ONLY';

/**
 * Compiles every WebGPU pipeline that `work` asks for without computing anything, so that the first real pass meets
 * compiled ones only. Elsewhere there is nothing to compile, and `work` does not run. Whoever else uses the backend
 * has to wait until this is done.
 *
 * @param work synchronous; what it returns is disposed, and has no values
 * @throws BackendUnavailableError when the adapter refuses a program
 */
export async function compileAhead(work: () => readonly tf.Tensor[]): Promise<void> {
  if (tf.getBackend() !== 'webgpu') return;
  const backend = tf.backend() as WebGPUBackend;
  tf.env().set(COMPILE_ONLY, true);
  try {
    tf.tidy(() => {
      // Results that wait are asked for by whoever reads them.
      for (const { dataId } of work()) backend.uploadToGPU(dataId);
    });
  } finally {
    tf.env().set(COMPILE_ONLY, false);
  }
  await settlePipelines(backend);
}

/** Puts each pipeline in the place of its promise; one that was refused leaves the cache. */
async function settlePipelines(backend: WebGPUBackend): Promise<void> {
  // Private in tfjs's types; its own way to wait leaves refused pipelines in the cache.
  const { pipelineCache: cache } = backend as unknown as {
    pipelineCache: Record<string, GPUComputePipeline | Promise<GPUComputePipeline>>;
  };
  const refused: unknown[] = [];
  await Promise.all(
    Object.entries(cache).map(async ([key, pipeline]) => {
      try {
        cache[key] = await pipeline;
      } catch (error) {
        delete cache[key];
        refused.push(error);
      }
    }),
  );
  if (refused.length === 0) return;
  const [first] = refused;
  throw new BackendUnavailableError(
    `Expected the GPU to compile every kernel of the model, but it refused ${refused.length}, the first with: ` +
      `${first instanceof Error ? first.message : String(first)}. Update the graphics driver or choose WebAssembly.`,
    { cause: first },
  );
}
