import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { required } from '../../common/assert';
import { type Parameter, ParameterRoot } from '../../nn';
import { expectClose, expectNoLeak, forEachBackend, loadFixture, randomStateDict } from '../../testing';
import { parseUNet2DConditionConfig } from './config';
import { UNet2DConditionModel } from './unet-2d-condition-model';

const FIXTURE = new URL('./fixtures/gradients.safetensors', import.meta.url);
const RELATIVE_TO_RMS = 1e-3;

/** A gradient in our layout -> PyTorch's, for the layouts that the fixture has. */
function toTorchOrder(gradient: tf.Tensor, { layout }: Parameter): tf.Tensor {
  if (layout === 'linear') return tf.transpose(gradient, [1, 0]);
  if (layout === 'conv2d') return tf.transpose(gradient, [3, 2, 0, 1]);
  return tf.clone(gradient);
}

forEachBackend('Gradients through the UNet', () => {
  it('by the sample, the prompt and weights equal torch', async () => {
    const fixture = await loadFixture(FIXTURE);
    const root = new ParameterRoot();
    const model = new UNet2DConditionModel(
      parseUNet2DConditionConfig(fixture.metadata('config')),
      root.scope,
    );
    await root.load(randomStateDict(fixture.metadata('state_dict'), fixture.metadata('seed')));
    const weights = root.list().filter(({ name }) => fixture.names.includes(`gradient.${name}`));
    expect(weights).toHaveLength(4);

    // Through prepareEncoderStates, so that the projections of the prompt are on the tape.
    const loss = (sample: tf.Tensor, states: tf.Tensor): tf.Scalar =>
      tf.tidy(() => {
        const mask = fixture.tensor<tf.Tensor2D>('encoder_attention_mask');
        const encoder = model.prepareEncoderStates(states as tf.Tensor3D, mask);
        const nhwc = tf.transpose(sample as tf.Tensor4D, [0, 2, 3, 1]);
        const output = model.forward(nhwc, fixture.metadata('timesteps'), encoder);
        return tf.mean(tf.mul(tf.transpose(output, [0, 3, 1, 2]), fixture.tensor('direction')));
      });
    const run = (): { value: tf.Tensor; gradients: ReadonlyMap<string, tf.Tensor> } => {
      const inputs = [fixture.tensor('sample'), fixture.tensor('encoder_hidden_states')];
      const tensors = weights.map((weight) => weight.tensor);
      // tf.grads follows whatever is on the tape: the weights are given as inputs that the model reads itself.
      const { value, grads } = tf.valueAndGrads((sample, states) => loss(sample!, states!))([
        ...inputs,
        ...tensors,
      ]);
      tf.dispose(inputs);
      const names = ['sample', 'encoder_hidden_states', ...weights.map(({ name }) => name)];
      return { value, gradients: new Map(names.map((name, i) => [name, required(grads[i], name)])) };
    };

    const { value, gradients } = run();
    await expectClose(
      await value.data(),
      { shape: [1], data: fixture.values('loss').data },
      { relativeToRms: 1e-3 },
    );
    for (const [name, gradient] of gradients) {
      const weight = weights.find((candidate) => candidate.name === name);
      const actual = weight ? toTorchOrder(gradient, weight) : gradient;
      await expectClose(actual, fixture.values(`gradient.${name}`), {
        relativeToRms: RELATIVE_TO_RMS,
        label: name,
      });
      tf.dispose([actual, gradient]);
    }
    value.dispose();

    await expectNoLeak(() => {
      const again = run();
      tf.dispose([again.value, ...again.gradients.values()]);
    });
    root.dispose();
  });
});
