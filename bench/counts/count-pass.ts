/**
 * Counts of one UNet pass of any size without computing it: the real model, the real backend and the real programs on
 * a device that does nothing.
 */
import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { installPool } from '../../src/gpu/device/buffer-pool';
import { planningDevice, provideWebGpuNames } from '../../src/gpu/planning/planning-device';
import { type Counts, recordPrograms } from '../../src/gpu/planning/recorder';
import { parseUNet2DConditionConfig, UNet2DConditionModel } from '../../src/models/unet-2d-condition';
import { ParameterRoot } from '../../src/nn';

export interface PassRequest {
  /** The model's config.json. */
  readonly config: object;
  /** Frames and bins of the latents. */
  readonly latentSize: readonly [number, number];
  readonly batch: number;
  readonly tokens: number;
  /** How matrices and kernels lie on the GPU. */
  readonly weights: 'float16' | 'float32';
}

export interface PassCounts extends Counts {
  readonly parameters: number;
  readonly weightBytes: number;
  /** Of buffers that the pass made: all that the one before left is reused, but for the timestep's embedding. */
  readonly newBufferBytes: number;
  /** The most that buffers took at once, weights and buffers kept for reuse included. */
  readonly peakBytes: number;
}

/** A tensor with a buffer and no values. */
function unfilled<R extends tf.Rank>(
  backend: WebGPUBackend,
  shape: readonly number[],
  dtype: 'float32' | 'int32' = 'float32',
): tf.Tensor<R> {
  const info = backend.makeTensorInfo([...shape], dtype);
  backend.uploadToGPU(info.dataId);
  return tf.engine().makeTensorFromTensorInfo(info) as tf.Tensor<R>;
}

/** Runs one pass on the planning device; the second of two, so that what a generation prepares once is left out. */
export async function countPass({
  config,
  latentSize,
  batch,
  tokens,
  weights,
}: PassRequest): Promise<PassCounts> {
  const takeNamesAway = provideWebGpuNames();
  const device = planningDevice();
  const planned = { vendor: 'planned', architecture: 'planned' } as GPUAdapterInfo;
  const backend = new WebGPUBackend(device, planned);
  const pool = installPool(backend);
  const name = 'webgpu';
  if (tf.findBackendFactory(name)) tf.removeBackend(name);
  tf.registerBackend(name, () => backend);
  await tf.setBackend(name);
  try {
    const parsed = parseUNet2DConditionConfig(config);
    const root = new ParameterRoot();
    const model = new UNet2DConditionModel(parsed, root.scope);
    for (const parameter of root.list()) {
      const halves = weights === 'float16' && parameter.shape.length > 1;
      parameter.assign(
        halves
          ? unfilled(backend, [Math.ceil(parameter.elementCount / 2)], 'int32')
          : unfilled(backend, parameter.shape),
        halves ? 'float16' : 'float32',
      );
    }
    const weightBytes = pool.numBytesUsed;
    const states = unfilled<tf.Rank.R3>(backend, [batch, tokens, parsed.crossAttentionDim[0]!]);
    const mask = unfilled<tf.Rank.R2>(backend, [batch, tokens]);
    const encoder = model.prepareEncoderStates(states, mask);
    const sample = unfilled<tf.Rank.R4>(backend, [batch, ...latentSize, parsed.inChannels]);
    // As at the end of a step, where a number is read back.
    const submit = (): void => {
      backend.ensureCommandEncoderReady();
      backend.endComputePassEncoder();
      backend.submitQueue();
    };
    const pass = (): void => {
      const noise = model.forward(sample, [500], encoder);
      // Whoever reads the result computes it.
      backend.uploadToGPU(noise.dataId);
      noise.dispose();
      submit();
    };
    submit();
    pass();
    const recorder = recordPrograms(backend);
    const created = pool.createdBytes;
    pass();
    const newBufferBytes = pool.createdBytes - created;
    const counts = recorder.stop();
    const result = {
      ...counts,
      newBufferBytes,
      parameters: root.parameterCount,
      weightBytes,
      peakBytes: pool.peakBytes,
    };
    encoder.dispose();
    tf.dispose([states, mask, sample]);
    root.dispose();
    return result;
  } finally {
    tf.removeBackend(name);
    takeNamesAway();
  }
}
