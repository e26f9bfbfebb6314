import * as tf from '@tensorflow/tfjs-core';
import { required } from '../common/assert';
import { AROUND_STAGES, type UNet2DConditionModel, type UNetStage } from '../models/unet-2d-condition';
import type { PairBatch } from './pair-batch';
import { tapeGradients } from './tape-gradients';
import type { TrainableWeight } from './trainable-weight';

/** What one stage was given: enough to run it again. */
interface StageInput {
  readonly hidden: tf.Tensor4D;
  readonly skip: tf.Tensor4D | null;
  readonly size: readonly [number, number] | undefined;
}

/**
 * Loss and gradients with the memory of one stage's activations instead of all: on the way forward only the stages'
 * results are kept, on the way back each stage runs again under a tape of its own (arXiv 1604.06174). One more forward
 * pass of work. (A gradient inside a gradient function, the other way to write it, finds no tape in tfjs.)
 *
 * @param unet with what is trained hanging in it
 * @param weights the trained ones, in the order of the gradients
 * @param loss of the prediction [B, H, W, C]; a scalar
 * @returns tensors that the caller disposes
 */
export function recomputedGradients(
  unet: UNet2DConditionModel,
  { noisy, timesteps, states, mask }: PairBatch,
  weights: readonly TrainableWeight[],
  loss: (prediction: tf.Tensor4D) => tf.Scalar,
): { readonly value: tf.Scalar; readonly grads: readonly tf.Tensor[] } {
  const below = (paths: readonly string[]): readonly tf.Tensor[] =>
    weights
      .filter(({ name }) => paths.some((path) => name.startsWith(`${path}.`)))
      .map(({ tensor }) => tensor);
  const ofTime = below(AROUND_STAGES.time);
  const ofStem = below(AROUND_STAGES.stem);
  const ofHead = below(AROUND_STAGES.head);
  const stages = unet.stages();
  const temb = unet.timeEmbedding(timesteps);
  const run = (stage: UNetStage, { hidden, skip, size }: StageInput): tf.Tensor4D =>
    tf.tidy(() => {
      // Keys and values are of trained weights too: they are made where they are used.
      const encoder = unet.prepareEncoderStates(states, mask, stage.crossAttentions);
      return stage.run(hidden, skip, { temb, encoder, size });
    });

  const inputs: StageInput[] = [];
  const skips: tf.Tensor4D[] = [];
  let hidden = unet.stem(noisy);
  skips.push(hidden);
  for (const stage of stages) {
    const skip = stage.takesSkip ? required(skips.pop(), 'a skip') : null;
    const next = skips.at(-1);
    const size = stage.upsamples && next ? ([next.shape[1], next.shape[2]] as const) : undefined;
    const input: StageInput = { hidden, skip, size };
    inputs.push(input);
    hidden = run(stage, input);
    if (stage.givesSkip) skips.push(hidden);
  }

  const gradients = new GradientsById();
  const last = hidden;
  const head = tapeGradients(() => loss(unet.head(last)), [last, ...ofHead]);
  gradients.add([last, ...ofHead], head.grads);
  for (let i = stages.length - 1; i >= 0; i -= 1) {
    const stage = required(stages[i], 'a stage');
    const input = required(inputs[i], 'its input');
    const dy = gradients.take(hidden);
    // A skip is taken before its own stage is reached, and nobody needs a result behind its stage.
    hidden.dispose();
    const before = i > 0 || ofStem.length > 0 ? [input.hidden, ...(input.skip ? [input.skip] : [])] : [];
    const time = stage.timed && ofTime.length > 0 ? [temb] : [];
    const variables = [...before, ...time, ...below(stage.paths)];
    if (variables.length > 0) {
      gradients.add(
        variables,
        gradientsAlone(() => run(stage, input), variables, dy),
      );
    }
    dy.dispose();
    hidden = input.hidden;
  }
  if (ofStem.length > 0) {
    const dy = gradients.take(hidden);
    gradients.add(
      ofStem,
      gradientsAlone(() => unet.stem(noisy), ofStem, dy),
    );
    dy.dispose();
  }
  if (ofTime.length > 0) {
    const dy = gradients.take(temb);
    gradients.add(
      ofTime,
      gradientsAlone(() => unet.timeEmbedding(timesteps), ofTime, dy),
    );
    dy.dispose();
  }
  const grads = weights.map(({ tensor }) => gradients.take(tensor));
  // What a frozen conv_in would be told by its result's skip.
  gradients.dispose();
  tf.dispose([hidden, temb]);
  return { value: head.value, grads };
}

/** Adds up what comes for a tensor from several sides. */
class GradientsById {
  readonly #sums = new Map<number, tf.Tensor>();

  /** Takes the gradients over. */
  add(tensors: readonly tf.Tensor[], gradients: readonly tf.Tensor[]): void {
    for (const [i, { id }] of tensors.entries()) {
      const gradient = required(gradients[i], 'a gradient');
      const before = this.#sums.get(id);
      this.#sums.set(id, before ? tf.add(before, gradient) : gradient);
      if (before) tf.dispose([before, gradient]);
    }
  }

  /** @returns the sum, which is the caller's from now on */
  take({ id, shape }: tf.Tensor): tf.Tensor {
    const sum = required(this.#sums.get(id), `a gradient of [${shape.join(', ')}]`);
    this.#sums.delete(id);
    return sum;
  }

  dispose(): void {
    tf.dispose([...this.#sums.values()]);
    this.#sums.clear();
  }
}

/** The gradients without the value. */
function gradientsAlone(
  f: () => tf.Tensor,
  variables: readonly tf.Tensor[],
  dy: tf.Tensor,
): readonly tf.Tensor[] {
  const { value, grads } = tapeGradients(f, variables, dy);
  value.dispose();
  return grads;
}
