import * as tf from '@tensorflow/tfjs-core';
import { required } from '../common/assert';
import type { UNet2DConditionModel, UNetStage } from '../models/unet-2d-condition';
import type { PairBatch } from './pair-batch';
import { tapeGradients } from './tape-gradients';

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
 * @param weights the trained ones, in the order of the gradients; each belongs to one stage
 * @param weightsOf the trained tensors of a stage
 * @param loss of the prediction [B, H, W, C]; a scalar
 * @returns tensors that the caller disposes
 */
export function recomputedGradients(
  unet: UNet2DConditionModel,
  { noisy, timesteps, states, mask }: PairBatch,
  weights: readonly tf.Tensor[],
  weightsOf: (stage: UNetStage) => readonly tf.Tensor[],
  loss: (prediction: tf.Tensor4D) => tf.Scalar,
): { readonly value: tf.Scalar; readonly grads: readonly tf.Tensor[] } {
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

  const last = hidden;
  const { value, grads } = tapeGradients(() => loss(unet.head(last)), [last]);
  const byWeight = new Map<number, tf.Tensor>();
  const ofSkips = new Map<number, tf.Tensor>();
  let dy = required(grads[0], 'the gradient of the last stage');
  let result = hidden;
  for (let i = stages.length - 1; i >= 0; i -= 1) {
    const stage = required(stages[i], 'a stage');
    const input = required(inputs[i], 'its input');
    const ofSkip = ofSkips.get(result.id);
    if (ofSkip) {
      const sum = tf.add(dy, ofSkip);
      tf.dispose([dy, ofSkip]);
      dy = sum;
    }
    // A skip is taken before its own stage is reached, and nobody needs a result behind its stage.
    result.dispose();
    const trained = weightsOf(stage);
    const isFirst = i === 0;
    const variables = [...(isFirst ? [] : [input.hidden, ...(input.skip ? [input.skip] : [])]), ...trained];
    const gradients = variables.length === 0 ? [] : gradientsAlone(() => run(stage, input), variables, dy);
    dy.dispose();
    const rest = [...gradients];
    if (!isFirst) {
      dy = required(rest.shift(), 'the gradient of the input');
      if (input.skip) ofSkips.set(input.skip.id, required(rest.shift(), 'the gradient of the skip'));
    }
    for (const [j, weight] of trained.entries()) byWeight.set(weight.id, required(rest[j], 'a gradient'));
    result = input.hidden;
  }
  // conv_in is frozen, and so is what its result's skip says to it.
  const first = ofSkips.get(result.id);
  tf.dispose([result, temb, ...(first ? [first] : [])]);
  return {
    value,
    grads: weights.map((weight) => required(byWeight.get(weight.id), weight.shape.join())),
  };
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
