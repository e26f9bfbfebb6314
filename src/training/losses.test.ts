import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { required } from '../common/assert';
import { TorchGenerator } from '../common/random';
import { parseUNet2DConditionConfig, UNet2DConditionModel } from '../models/unet-2d-condition';
import { type Parameter, ParameterRoot } from '../nn';
import {
  expectNoLeak,
  expectSameDirection,
  type Fixture,
  forEachBackend,
  loadFixture,
  randomStateDict,
} from '../testing';
import { diffusionDpoLoss, knownErrors, type PredictedHalf, rewardMargins } from './diffusion-dpo-loss';
import { ForwardProcess } from './forward-process';

import { sampleErrors, sftLoss } from './sft-loss';

const fixture = await loadFixture(new URL('./fixtures/losses.safetensors', import.meta.url));
/** Predictions and targets of float32, so that the loss alone is looked at. */
const GIVEN = await loadFixture(new URL('./fixtures/dpo-loss.safetensors', import.meta.url));
const beta = fixture.metadata<number>('beta');
/**
 * Of every loss, absolute. Beta multiplies differences of errors by 1000, so float32's rounding of the UNet's predictions
 * shows: PyTorch's own float32 is 6e-5 to 9e-5 from this float64 fixture, by the number of threads and the memory
 * format. Every order of additions lands elsewhere (0.8e-5 with the wasm kernels, 2.3e-5 with relaxed SIMD, 1.5e-5 with
 * the shaders; 0.3e-5 to 4e-5 for other noises of the same fixture): half of PyTorch's distance is what both backends are
 * held to. The loss adds nothing to it: given predictions are held to 1e-5 below.
 */
const LOSS_TOLERANCE = 3e-5;

const nhwc = (name: string): tf.Tensor4D =>
  tf.tidy(() => tf.transpose(fixture.tensor<tf.Tensor4D>(name), [0, 2, 3, 1]));

function toTorchOrder(gradient: tf.Tensor, { layout }: Parameter): tf.Tensor {
  if (layout === 'linear') return tf.transpose(gradient, [1, 0]);
  return layout === 'conv2d' ? tf.transpose(gradient, [3, 2, 0, 1]) : tf.clone(gradient);
}

async function loadUNet(from: Fixture): Promise<{ model: UNet2DConditionModel; root: ParameterRoot }> {
  const root = new ParameterRoot();
  const model = new UNet2DConditionModel(parseUNet2DConditionConfig(from.metadata('config')), root.scope);
  await root.load(randomStateDict(from.metadata('state_dict'), from.metadata('seed')));
  return { model, root };
}

forEachBackend('Losses', () => {
  /** Prediction and target of both halves, as tensors of the surrounding tidy. */
  function predict(model: UNet2DConditionModel): Record<'winner' | 'loser', [tf.Tensor4D, tf.Tensor4D]> {
    const process = new ForwardProcess(fixture.metadata('scheduler'));
    const timesteps = [...fixture.values('timesteps').data];
    const noise = nhwc('noise');
    const encoder = model.prepareEncoderStates(
      fixture.tensor<tf.Tensor3D>('states'),
      fixture.tensor<tf.Tensor2D>('mask'),
    );
    const half = (name: string): [tf.Tensor4D, tf.Tensor4D] => {
      const noisy = process.addNoise(nhwc(name), noise, timesteps);
      return [model.forward(noisy, timesteps, encoder), process.target(nhwc(name), noise, timesteps)];
    };
    return { winner: half('winner'), loser: half('loser') };
  }

  const sft = (model: UNet2DConditionModel): tf.Scalar => sftLoss(sampleErrors(...predict(model).winner));
  const dpo = (model: UNet2DConditionModel): tf.Scalar => {
    const { winner, loser } = predict(model);
    const withReference = (name: 'winner' | 'loser', [prediction, target]: [tf.Tensor4D, tf.Tensor4D]) => ({
      prediction,
      target,
      reference: nhwc(`reference.${name}`),
    });
    return diffusionDpoLoss(
      rewardMargins(withReference('winner', winner), withReference('loser', loser), beta),
    );
  };

  it.each([
    ['sft', sft],
    ['dpo', dpo],
  ] as const)('%s loss and its gradients by base weights equal torch', async (name, loss) => {
    const { model, root } = await loadUNet(fixture);
    const weights = root.list().filter((parameter) => fixture.names.includes(`${name}.${parameter.name}`));
    expect(weights).toHaveLength(5);
    const run = () => tf.valueAndGrads(() => loss(model))(weights.map(({ tensor }) => tensor));

    const { value, grads } = run();
    const [expected] = fixture.values(name).data;
    expect(Math.abs((await value.data())[0]! - expected!)).toBeLessThan(LOSS_TOLERANCE);
    for (const [i, weight] of weights.entries()) {
      const gradient = toTorchOrder(required(grads[i], weight.name), weight);
      expectSameDirection(await gradient.data(), fixture.values(`${name}.${weight.name}`).data, weight.name);
      gradient.dispose();
    }
    tf.dispose([value, grads]);
    await expectNoLeak(() => {
      const again = run();
      tf.dispose([again.value, again.grads]);
    });
    root.dispose();
  });

  it.each([
    ['predictions', false, 1e-5],
    // 1,024 elements: each square is rounded once, and that is what is left; a clip has thirty times as many.
    ['errors', true, 3e-5],
  ])(
    'dpo loss of given predictions, beside the %s of the reference, equals torch',
    async (_, asErrors, tolerance) => {
      const given = (name: string): tf.Tensor => GIVEN.tensor(name);
      const loss = (winner: tf.Tensor, loser: tf.Tensor): tf.Scalar => {
        const half = (name: string, prediction: tf.Tensor): PredictedHalf => {
          const [reference, target] = [given(`reference.${name}`), given(`target.${name}`)];
          return { prediction, target, reference: asErrors ? knownErrors(reference, target) : reference };
        };
        return diffusionDpoLoss(
          rewardMargins(half('winner', winner), half('loser', loser), GIVEN.metadata('beta')),
        );
      };
      const predictions = ['winner', 'loser'].map((name) => given(`prediction.${name}`));
      const { value, grads } = tf.valueAndGrads((winner, loser) => loss(winner!, loser!))(predictions);
      expect(Math.abs((await value.data())[0]! - GIVEN.values('dpo').data[0]!)).toBeLessThan(tolerance);
      for (const [i, name] of ['winner', 'loser'].entries()) {
        expectSameDirection(await grads[i]!.data(), GIVEN.values(`gradient.${name}`).data, name);
      }
      tf.dispose([value, grads, predictions]);
    },
  );

  it.each([
    ['predictions', false],
    ['errors', true],
  ])(
    'dpo loss of latents of 10.24 s, beside the %s of the reference, equals torch to 1e-5',
    async (_, asErrors) => {
      const generator = new TorchGenerator(GIVEN.metadata('clip_seed'));
      const size = 32_768;
      const normal = (factor: number): Float32Array =>
        generator.randn(2 * size).map((value) => value * factor);
      const tensor = (values: Float32Array): tf.Tensor => tf.tensor(values, [2, size]);
      const half = (): PredictedHalf => {
        const [prediction, target, moved] = [normal(1), normal(1.5), normal(2 ** -10)];
        const reference = tensor(prediction.map((value, i) => value + moved[i]!));
        const v = tensor(target);
        return {
          prediction: tensor(prediction),
          target: v,
          reference: asErrors ? knownErrors(reference, v) : reference,
        };
      };
      const loss = tf.tidy(() => diffusionDpoLoss(rewardMargins(half(), half(), GIVEN.metadata('beta'))));
      expect(Math.abs((await loss.data())[0]! - GIVEN.values('dpo.clip').data[0]!)).toBeLessThan(1e-5);
      loss.dispose();
    },
  );

  it('errors of each sample equal torch', async () => {
    const { model, root } = await loadUNet(fixture);
    const errors = tf.tidy(() => {
      const { winner, loser } = predict(model);
      return tf.concat([sampleErrors(...winner), sampleErrors(...loser)]);
    });
    const expected = [...fixture.values('errors').data.slice(0, 4)];
    for (const [i, error] of (await errors.data()).entries()) {
      expect(Math.abs(error / expected[i]! - 1)).toBeLessThan(1e-5);
    }
    errors.dispose();
    root.dispose();
  });

  it('is ln 2 with the slope -1/2 where the model is its reference', async () => {
    const { value, grad } = tf.valueAndGrad((z) => diffusionDpoLoss(z as tf.Tensor1D))(tf.zeros([1]));
    expect(Math.abs((await value.data())[0]! - Math.LN2)).toBeLessThan(1e-7);
    expect((await grad.data())[0]).toBe(-0.5);
    const half = () => ({ prediction: nhwc('winner'), reference: nhwc('winner'), target: nhwc('noise') });
    const margins = tf.tidy(() => rewardMargins(half(), half(), 1e9));
    expect([...(await margins.data())]).toEqual([0, 0].map((zero) => expect.closeTo(zero, 12)));
    tf.dispose([value, grad, margins]);
  });

  it('stays finite for the largest margins', async () => {
    const z = tf.tensor1d([-1e6, 1e6]);
    const { value, grad } = tf.valueAndGrad((x) => diffusionDpoLoss(x as tf.Tensor1D))(z);
    expect((await value.data())[0]).toBe(5e5);
    expect([...(await grad.data())].map(Math.abs)).toEqual([0.5, 0]);
    tf.dispose([z, value, grad]);
  });
});
