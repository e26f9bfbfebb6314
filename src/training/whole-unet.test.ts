import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { required } from '../common/assert';
import { parseUNet2DConditionConfig, UNet2DConditionModel } from '../models/unet-2d-condition';
import { type Parameter, ParameterRoot } from '../nn';
import { copyFromLayout } from '../nn/layout';
import {
  expectClose,
  expectNoLeak,
  expectSameAfterSteps,
  expectSameDirection,
  forEachBackend,
  loadFixture,
  randomStateDict,
} from '../testing';
import { takeThreeSteps } from '../testing/optimizer-steps';
import { diffusionDpoLoss, rewardMargins } from './diffusion-dpo-loss';
import { ForwardProcess } from './forward-process';

import { tapeGradients } from './tape-gradients';
import { withPart } from './trained-part';
import { WholeUNet } from './whole-unet';

const fixture = await loadFixture(new URL('./fixtures/whole.safetensors', import.meta.url));
/** As lora.test.ts has it, for its reasons: β / 2 = 1000 times float32's last bit of an error. */
const LOSS_TOLERANCE = 1e-4;
/**
 * Of each single value after three steps, of its weight's RMS (by norm: `expectSameAfterSteps`). Where a gradient is near 0
 * AdamW's step is the sign of its noise: PyTorch's own float32 is 4.8e-5 from the float64 fixture, wasm 9.2e-5, WebGPU 7.6e-5.
 */
const STEPS_TOLERANCE = 1e-4;

async function withUNet(
  body: (unet: UNet2DConditionModel) => Promise<void>,
  precision: 'float32' | 'float16' = 'float32',
): Promise<void> {
  const root = new ParameterRoot();
  const unet = new UNet2DConditionModel(parseUNet2DConditionConfig(fixture.metadata('config')), root.scope);
  await root.load(randomStateDict(fixture.metadata('state_dict'), fixture.metadata('seed')), { precision });
  try {
    await body(unet);
  } finally {
    root.dispose();
  }
}

function predict(unet: UNet2DConditionModel, half: 'winner' | 'loser') {
  const process = new ForwardProcess(fixture.metadata('scheduler'));
  const timesteps = [...fixture.values('timesteps').data];
  const nhwc = (name: string) => tf.transpose(fixture.tensor<tf.Tensor4D>(name), [0, 2, 3, 1]);
  const states = unet.prepareEncoderStates(fixture.tensor('states'), fixture.tensor('mask'));
  const noisy = process.addNoise(nhwc(half), nhwc('noise'), timesteps);
  return {
    prediction: unet.forward(noisy, timesteps, states),
    target: process.target(nhwc(half), nhwc('noise'), timesteps),
  };
}

/** The reference is the UNet with nothing hanging in it. */
function gradientsOf(unet: UNet2DConditionModel, part: WholeUNet) {
  const reference = tf.tidy(() => ({
    winner: predict(unet, 'winner').prediction,
    loser: predict(unet, 'loser').prediction,
  }));
  const result = withPart(part, unet, () =>
    tapeGradients(
      () => {
        const half = (name: 'winner' | 'loser') => ({ ...predict(unet, name), reference: reference[name] });
        return diffusionDpoLoss(rewardMargins(half('winner'), half('loser'), fixture.metadata('beta')));
      },
      part.weights.map(({ tensor }) => tensor),
    ),
  );
  tf.dispose(reference);
  return result;
}

/** Our order -> PyTorch's. */
async function inTorchOrder(tensor: tf.Tensor, { layout, torchShape }: Parameter): Promise<Float32Array> {
  const data = new Float32Array(tensor.size);
  copyFromLayout(layout, torchShape, (await tensor.data()) as Float32Array, data);
  return data;
}

forEachBackend('Training every weight of the UNet', () => {
  it('begins at ln 2 with the gradients of torch', async () => {
    await withUNet(async (unet) => {
      const part = WholeUNet.copyOf(unet);
      expect(part.parameterCount).toBe(
        [...unet.parameters().values()].reduce((sum, { elementCount }) => sum + elementCount, 0),
      );
      const { value, grads } = gradientsOf(unet, part);
      expect(Math.abs((await value.data())[0]! - Math.LN2)).toBeLessThan(1e-6);
      for (const [i, { name }] of part.weights.entries()) {
        const parameter = required(unet.parameters().get(name), name);
        const ours = await inTorchOrder(required(grads[i], name), parameter);
        expectSameDirection(ours, fixture.values(`gradient.${name}`).data, name);
      }
      tf.dispose([value, ...grads]);
      await expectNoLeak(() => {
        const again = gradientsOf(unet, part);
        tf.dispose([again.value, ...again.grads]);
      });
      part.dispose();
    });
  });

  it('three steps of AdamW, clipped, equal torch; the base stays what it was', async () => {
    await withUNet(async (unet) => {
      const base = tf.tidy(() => predict(unet, 'winner').prediction);
      const part = WholeUNet.copyOf(unet);
      await takeThreeSteps(part.weights, () => gradientsOf(unet, part), fixture, {
        learningRate: 1e-4,
        warmUpSteps: 0,
        lossTolerance: LOSS_TOLERANCE,
      });
      for (const { name, tensor } of part.weights) {
        const parameter = required(unet.parameters().get(name), name);
        const data = await inTorchOrder(tensor, parameter);
        await expectClose({ shape: parameter.torchShape, data }, fixture.values(`after.${name}`), {
          relativeToRms: STEPS_TOLERANCE,
          label: name,
        });
        expectSameAfterSteps(data, fixture.values(`after.${name}`).data, name);
      }
      const after = tf.tidy(() => predict(unet, 'winner').prediction);
      expect(await after.data()).toEqual(await base.data());
      tf.dispose([base, after]);
      part.dispose();
    });
  });

  it('stands beside other parts at its strength, and is taken out again', async () => {
    await withUNet(async (unet) => {
      const base = tf.tidy(() => predict(unet, 'winner').prediction);
      const part = WholeUNet.copyOf(unet);
      for (const weight of part.weights) weight.replace(tf.tidy(() => tf.mul(weight.tensor, 1.01)));
      const withStrengths = async (...strengths: number[]) => {
        const undo = strengths.map((strength) => part.stack(unet, strength));
        const prediction = tf.tidy(() => predict(unet, 'winner').prediction);
        for (const step of undo.reverse()) step();
        const values = await prediction.data();
        prediction.dispose();
        return values;
      };
      const tensors = tf.memory().numTensors;
      const { shape } = base;
      const whole = await withStrengths(1);
      const halves = await withStrengths(0.5, 0.5);
      expect(whole).not.toEqual(await base.data());
      await expectClose({ shape, data: halves }, { shape, data: whole }, { relativeToRms: 1e-4 });
      expect(await withStrengths()).toEqual(await base.data());
      expect(tf.memory().numTensors).toBe(tensors);
      base.dispose();
      part.dispose();
    });
  });

  it('begins from a base in half precision, which stays', async () => {
    await withUNet(async (unet) => {
      const part = WholeUNet.copyOf(unet);
      const { value, grads } = gradientsOf(unet, part);
      // The reference goes through kernels of half precision, the copy through those of float32.
      expect(Math.abs((await value.data())[0]! - Math.LN2)).toBeLessThan(0.05);
      for (const gradient of grads) expect((await gradient.data()).every(Number.isFinite)).toBe(true);
      tf.dispose([value, ...grads]);
      part.dispose();
    }, 'float16');
  });

  it('of another model is refused', async () => {
    await withUNet(async (unet) => {
      const part = WholeUNet.copyOf(unet);
      const config = { ...fixture.metadata<object>('config'), block_out_channels: [8, 32] };
      const other = new UNet2DConditionModel(parseUNet2DConditionConfig(config), new ParameterRoot().scope);
      expect(() => part.attach(other)).toThrow(/the run is of another model/);
      part.dispose();
    });
  });
});
