/** The studio's UNet on whatever fills the kernels' seam: its own kernels, or plain tfjs ops (run.mjs says which). */
import * as tf from '@tensorflow/tfjs-core';
import { openDevice } from '../../src/gpu/device';
import { parseUNet2DConditionConfig, UNet2DConditionModel } from '../../src/models/unet-2d-condition';
import { ParameterRoot } from '../../src/nn';
import { openSafetensors } from '../../src/weights';
import { fetchFile, fetchInputs, fetchJson, type Numbers } from './exported';
import { servePeer } from './serve-peer';

const tensorOf = <T extends tf.Tensor>({ data, shape }: Numbers): T =>
  tf.reshape(tf.tensor1d(data), [...shape]) as T;

servePeer(async ({ backend, folder }) => {
  const device = await openDevice(backend);
  const config = parseUNet2DConditionConfig(await fetchJson(folder, 'config.json'));
  const root = new ParameterRoot();
  const model = new UNet2DConditionModel(config, root.scope);
  await root.load(await openSafetensors(await fetchFile(folder, 'unet.safetensors'), 'unet.safetensors'));
  const { sample, timestep, text, mask } = await fetchInputs(folder);
  return {
    device: { adapter: device.adapter, features: device.features, wasm: device.wasm },
    async pass() {
      const noise = tf.tidy(() => {
        const image = tf.transpose(tensorOf<tf.Tensor4D>(sample), [0, 2, 3, 1]);
        const encoder = model.prepareEncoderStates(tensorOf(text), tensorOf(mask));
        return tf.transpose(model.forward(image, [timestep.data[0]!], encoder), [0, 3, 1, 2]);
      });
      const values = (await noise.data()) as Float32Array;
      noise.dispose();
      return values;
    },
  };
});
