/** One step of LoRA diffusion-DPO on one pair, as tools/peers/export_training_step.py has it for PyTorch. */
import * as tf from '@tensorflow/tfjs-core';
import { openDevice } from '../../src/gpu/device';
import { parseUNet2DConditionConfig, UNet2DConditionModel } from '../../src/models/unet-2d-condition';
import { ParameterRoot } from '../../src/nn';
import { LoraAdapter } from '../../src/training/lora/lora-adapter';
import { ATTENTION_TARGETS } from '../../src/training/lora/lora-config';
import type { LoraTensor } from '../../src/training/lora/lora-tensor';
import { AdamW } from '../../src/training/optimizer/adamw';
import { openSafetensors } from '../../src/weights';
import { fetchFile, fetchJson } from '../peers/exported';
import { servePeer } from '../peers/serve-peer';
import { loraStep, type PairInputs } from './lora-step';

interface Step {
  readonly rank: number;
  readonly beta: number;
  readonly timestep: number;
}

servePeer(async ({ backend, folder }) => {
  const device = await openDevice(backend);
  const { rank, beta, timestep } = await fetchJson<Step>(folder, 'step.json');
  const config = parseUNet2DConditionConfig(await fetchJson(folder, 'config.json'));
  const root = new ParameterRoot();
  const unet = new UNet2DConditionModel(config, root.scope);
  await root.load(await openSafetensors(await fetchFile(folder, 'unet.safetensors'), 'unet.safetensors'));
  const inputs = await openSafetensors(await fetchFile(folder, 'inputs.safetensors'), 'inputs.safetensors');
  const floats = async (name: string): Promise<{ shape: readonly number[]; data: Float32Array }> => {
    const { bytes, shape } = await inputs.read(name);
    return { shape, data: new Float32Array(bytes.slice().buffer) };
  };
  const tensor = async (name: string): Promise<tf.Tensor> => {
    const { data, shape } = await floats(name);
    return tf.tensor(data, [...shape]);
  };
  const lora = new Map<string, LoraTensor>();
  for (const name of inputs.names().filter((one) => one.includes('.lora_'))) {
    lora.set(name, (await floats(name)) as LoraTensor);
  }
  const adapter = LoraAdapter.fromTensors(
    unet.adaptableLayers(),
    { rank, alpha: rank, targetModules: ATTENTION_TARGETS },
    lora,
  );
  const [noisy, target, text, mask] = await Promise.all(['noisy', 'target', 'text', 'mask'].map(tensor));
  const image = (values: tf.Tensor | undefined): tf.Tensor4D =>
    tf.transpose(values as tf.Tensor4D, [0, 2, 3, 1]);
  const pair: PairInputs = {
    noisy: image(noisy),
    target: image(target),
    text: text as tf.Tensor3D,
    mask: mask as tf.Tensor2D,
    timestep,
    beta,
  };
  const optimizer = new AdamW();
  return {
    device: { adapter: device.adapter, features: device.features, wasm: device.wasm },
    async pass() {
      const grads = loraStep(unet, adapter, optimizer, pair);
      const order = adapter.weights
        .map(({ name }, i) => ({ name, i }))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
      const all = tf.tidy(() => tf.concat(order.map(({ i }) => tf.reshape(tf.transpose(grads[i]!), [-1]))));
      const values = (await all.data()) as Float32Array;
      tf.dispose([all, ...grads]);
      return values;
    },
  };
});
