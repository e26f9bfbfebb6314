/** One step of LoRA diffusion-DPO on one pair, as tools/peers/export_training_step.py has it for PyTorch. */
import * as tf from '@tensorflow/tfjs-core';
import { openDevice } from '../../src/gpu/device';
import { parseUNet2DConditionConfig, UNet2DConditionModel } from '../../src/models/unet-2d-condition';
import { ParameterRoot } from '../../src/nn';
import { diffusionDpoLoss, rewardMargins } from '../../src/training/diffusion-dpo-loss';
import { LoraAdapter } from '../../src/training/lora/lora-adapter';
import { ATTENTION_TARGETS } from '../../src/training/lora/lora-config';
import type { LoraTensor } from '../../src/training/lora/lora-tensor';
import { AdamW } from '../../src/training/optimizer/adamw';
import '../../src/training/register-gradients';
import { tapeGradients } from '../../src/training/tape-gradients';
import { openSafetensors } from '../../src/weights';
import { fetchFile, fetchJson } from '../peers/exported';
import { servePeer } from '../peers/serve-peer';

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
  const lora = new Map<string, LoraTensor>();
  for (const name of inputs.names().filter((one) => one.includes('.lora_'))) {
    lora.set(name, (await floats(name)) as LoraTensor);
  }
  const adapter = LoraAdapter.fromTensors(
    unet.adaptableLayers(),
    { rank, alpha: rank, targetModules: ATTENTION_TARGETS },
    lora,
  );
  const [noisy, target, text, mask] = await Promise.all(['noisy', 'target', 'text', 'mask'].map(floats));
  const image = (values: typeof noisy): tf.Tensor4D =>
    tf.transpose(
      tf.tensor4d(values!.data, [...values!.shape] as [number, number, number, number]),
      [0, 2, 3, 1],
    );
  const optimizer = new AdamW();
  return {
    device: { adapter: device.adapter, features: device.features, wasm: device.wasm },
    async pass() {
      const predict = (): tf.Tensor4D =>
        tf.tidy(() => {
          const states = unet.prepareEncoderStates(
            tf.tensor3d(text!.data, [...text!.shape] as [number, number, number]),
            tf.tensor2d(mask!.data, [...mask!.shape] as [number, number]),
          );
          return unet.forward(image(noisy), [timestep, timestep], states);
        });
      const reference = predict();
      const { value, grads } = adapter.within(unet.adaptableLayers(), () =>
        tapeGradients(
          () => {
            const [predictions, references, targets] = [predict(), reference, image(target)].map((one) =>
              tf.split(one, 2),
            );
            const half = (i: number) => ({
              prediction: predictions![i]!,
              reference: references![i]!,
              target: targets![i]!,
            });
            return diffusionDpoLoss(rewardMargins(half(0), half(1), beta));
          },
          adapter.weights.map(({ tensor }) => tensor),
        ),
      );
      // A rate of 0 costs what any rate costs, and leaves the weights for the next round to be compared.
      optimizer.step(adapter.weights, grads, 0);
      const order = adapter.weights
        .map(({ name }, i) => ({ name, i }))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
      const all = tf.tidy(() => tf.concat(order.map(({ i }) => tf.reshape(tf.transpose(grads[i]!), [-1]))));
      const values = (await all.data()) as Float32Array;
      tf.dispose([reference, value, all, ...grads]);
      return values;
    },
  };
});
