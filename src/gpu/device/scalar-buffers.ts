import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';

/** Beyond this many the buffers are forgotten; those still in use live as long as their tensors. */
const MOST = 4096;

/** What the backend keeps of a tensor; `external` data is not given to the pool when the tensor goes. */
export interface TensorData {
  readonly dtype: string;
  readonly shape: readonly number[];
  values: ArrayLike<number> | null;
  resource: GPUBuffer | null;
  external?: boolean;
}

/**
 * Numbers in tfjs's arithmetic (`tf.mul(x, 0.5)`) are tensors of one value, each uploaded through a staging buffer of its
 * own between two compute passes: 3,163 buffers in a training step of Tango's UNet, most of the same few values. Here
 * every value is uploaded once. No program writes to its operands, so tensors can share a buffer.
 */
export function shareScalars(backend: WebGPUBackend): void {
  const buffers = new Map<string, GPUBuffer>();
  const { uploadToGPU } = backend;
  backend.uploadToGPU = (dataId) => {
    const data = backend.tensorMap.get(dataId) as unknown as TensorData;
    const value = data.resource === null || data.resource === undefined ? scalarOf(data) : null;
    if (value === null) {
      uploadToGPU.call(backend, dataId);
      return;
    }
    const words = data.dtype === 'float32' ? new Float32Array([value]) : new Int32Array([value]);
    const key = `${data.dtype} ${new Uint32Array(words.buffer)[0]}`;
    let buffer = buffers.get(key);
    if (!buffer) {
      if (buffers.size >= MOST) buffers.clear();
      buffer = uploaded(backend.device, words);
      buffers.set(key, buffer);
    }
    Object.assign(data, { resource: buffer, external: true, values: null });
  };
}

/** The value of a tensor of one number that is on the CPU only. */
function scalarOf({ dtype, values }: TensorData): number | null {
  const isNumber = dtype === 'float32' || dtype === 'int32' || dtype === 'bool';
  return isNumber && values?.length === 1 ? Number(values[0]) : null;
}

function uploaded(device: GPUDevice, words: Float32Array | Int32Array): GPUBuffer {
  const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const buffer = device.createBuffer({
    size: words.byteLength,
    usage: STORAGE | COPY_SRC | COPY_DST,
    mappedAtCreation: true,
  });
  new Uint8Array(buffer.getMappedRange()).set(new Uint8Array(words.buffer));
  buffer.unmap();
  return buffer;
}
