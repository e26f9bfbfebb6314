import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import type { TensorData } from './scalar-buffers';

/** As much as is uploaded between two submits; a larger tensor goes tfjs's way. */
const PAGE_BYTES = 256 * 2 ** 10;

/**
 * Small tensors (a timestep's embedding, a sampler's noise) go to the GPU through one page that stays, written once a
 * submit, from where commands copy them. tfjs makes a mapped buffer for each.
 */
export function batchUploads(backend: WebGPUBackend): void {
  const { uploadToGPU, submitQueue, device } = backend;
  const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const page = new ArrayBuffer(PAGE_BYTES);
  let buffer: GPUBuffer | null = null;
  let taken = 0;
  const submit = (): void => {
    backend.endComputePassEncoder();
    backend.submitQueue();
  };
  backend.uploadToGPU = (dataId) => {
    const data = backend.tensorMap.get(dataId) as unknown as TensorData;
    const { values, resource, dtype } = data;
    const size = 4 * (values?.length ?? 0);
    if (resource || !values || size === 0 || size > PAGE_BYTES) {
      uploadToGPU.call(backend, dataId);
      return;
    }
    if (taken + size > PAGE_BYTES) submit();
    const words = dtype === 'float32' ? Float32Array : Int32Array;
    new words(page, taken, values.length).set(values);
    buffer ??= device.createBuffer({ size: PAGE_BYTES, usage: COPY_SRC | COPY_DST });
    const target = backend.bufferManager.acquireBuffer(size, STORAGE | COPY_SRC | COPY_DST);
    backend.ensureCommandEncoderReady();
    backend.endComputePassEncoder();
    encoderOf(backend).copyBufferToBuffer(buffer, taken, target, 0, size);
    taken += size;
    Object.assign(data, { resource: target, values: null });
  };
  backend.submitQueue = () => {
    if (buffer && taken > 0) backend.queue.writeBuffer(buffer, 0, page, 0, taken);
    taken = 0;
    submitQueue.call(backend);
  };
}

function encoderOf(backend: WebGPUBackend): GPUCommandEncoder {
  return (backend as unknown as { commandEncoder: GPUCommandEncoder }).commandEncoder;
}
