/**
 * What it takes to encode a pass of Tango's UNet: JavaScript and Dawn on its null backend, which computes nothing. The
 * channels are few, the dispatches are those of the full size. `--plain`: on tfjs's backend as it is.
 */
import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { create, globals } from 'webgpu';
import { prepareBackend, submitEncoded } from '../../src/gpu/device/webgpu-backend';
import { CORE_WGSL, withVariant } from '../../src/gpu/kernels/common/kernel-variant';
import { parseUNet2DConditionConfig, UNet2DConditionModel } from '../../src/models/unet-2d-condition';
import { ParameterRoot } from '../../src/nn';
import unetConfig from '../counts/tango2-unet.json';

const PASSES = 80;

Object.assign(globalThis, globals);
const gpu = create(['backend=null']);
Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
const adapter = await gpu.requestAdapter();
if (!adapter) throw new Error('Dawn gives no null adapter here.');
const { maxBufferSize, maxStorageBuffersPerShaderStage } = adapter.limits;
const device = await adapter.requestDevice({
  requiredLimits: { maxBufferSize, maxStorageBuffersPerShaderStage },
});
device.addEventListener('uncapturederror', ({ error }) => {
  throw new Error(error.message);
});
const backend = new WebGPUBackend(device as unknown as GPUDevice, adapter.info as unknown as GPUAdapterInfo);
if (!process.argv.includes('--plain')) prepareBackend(backend);
tf.registerBackend('webgpu', () => backend);
await tf.setBackend('webgpu');

function unfilled<R extends tf.Rank>(shape: readonly number[], dtype: 'float32' | 'int32' = 'float32') {
  const info = backend.makeTensorInfo([...shape], dtype);
  backend.uploadToGPU(info.dataId);
  return tf.engine().makeTensorFromTensorInfo(info) as tf.Tensor<R>;
}

const config = parseUNet2DConditionConfig({
  ...unetConfig,
  block_out_channels: [64, 128, 128, 128],
  attention_head_dim: [2, 4, 4, 4],
});
const root = new ParameterRoot();
const model = new UNet2DConditionModel(config, root.scope);
for (const parameter of root.list()) {
  const halves = parameter.shape.length > 1;
  const words = halves ? [Math.ceil(parameter.elementCount / 2)] : parameter.shape;
  parameter.assign(unfilled(words, halves ? 'int32' : 'float32'), halves ? 'float16' : 'float32');
}
const states = unfilled<tf.Rank.R3>([2, 32, config.crossAttentionDim[0]![0]!]);
const encoder = model.prepareEncoderStates(states, unfilled<tf.Rank.R2>([2, 32]));
let sample = unfilled<tf.Rank.R4>([2, 128, 16, config.inChannels]);
const milliseconds: number[] = [];
for (let i = 0; i < PASSES; i += 1) {
  const begun = performance.now();
  withVariant(
    'tiles',
    () => {
      const next = tf.tidy(() => tf.add(tf.mul(sample, 0.9), model.forward(sample, [999 - i], encoder)));
      backend.uploadToGPU(next.dataId);
      submitEncoded(backend);
      sample.dispose();
      sample = next as tf.Tensor4D;
    },
    CORE_WGSL,
  );
  milliseconds.push(performance.now() - begun);
  await device.queue.onSubmittedWorkDone();
}
// The first ones compile, and V8 does.
const warm = milliseconds.slice(PASSES / 2).sort((a, b) => a - b);
process.stdout.write(`${JSON.stringify({ median: warm[warm.length / 2], least: warm[0] })}\n`);
process.exit(0);
