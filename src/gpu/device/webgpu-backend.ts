import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { batchUploads } from './batched-uploads';
import { BufferPool } from './buffer-pool';
import { CommandRecorder } from './command-recorder';
import { shareScalars } from './scalar-buffers';

/**
 * Puts the studio's own in place of what tfjs's backend does below its kernels: buffers that are given back, one for each
 * number, one way for all small uploads, and commands that make nothing which is there already.
 */
export function prepareBackend(backend: WebGPUBackend): BufferPool {
  const pool = new BufferPool(backend.device);
  backend.bufferManager = pool;
  batchUploads(backend);
  shareScalars(backend);
  new CommandRecorder(backend, pool).install();
  return pool;
}

/** Hands over what is encoded; there may be nothing. */
export function submitEncoded(backend: WebGPUBackend): void {
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.submitQueue();
}

/** Destroys the idle buffers of the current backend, before something large takes their place. Elsewhere there are none. */
export function giveIdleBuffersBack(): void {
  if (tf.getBackend() !== 'webgpu') return;
  const backend = tf.backend() as WebGPUBackend;
  submitEncoded(backend);
  if (backend.bufferManager instanceof BufferPool) backend.bufferManager.trim();
}
