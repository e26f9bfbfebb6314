/**
 * Attention whose scores never exist as a whole: they are computed block by block (attention-blocks.ts), and again by
 * the gradient, which would otherwise keep [B, N, L, S] for each layer of a model.
 */
import * as tf from '@tensorflow/tfjs-core';
import { matchShape } from '../../../common/assert';
import { InvalidInputError } from '../../../common/errors';
import { wasmKernels } from '../../wasm-kernels/wasm-kernels';
import { defineKernel } from '../common/define-kernel';
import { matMul, onWasm, swapLastAxes } from '../common/mat-mul';
import { type AttentionBlock, attentionBlocks, blockOf, joinBlocks, sumBlocks } from './attention-blocks';
import { attentionGradientOnGpu } from './attention-gradient-on-gpu';
import { deferAttention } from './attention-on-gpu';
import { attentionGradientOnWasm, attentionOnWasm } from './attention-on-wasm';

export interface AttentionOptions {
  /** The scores' factor; 1 / sqrt(D) in diffusers, 1 in T5. */
  readonly scale: number;
  /** Added to the scaled scores; broadcastable to [B, N, L, S]. */
  readonly bias?: tf.Tensor | undefined;
}

interface AttentionInputs {
  readonly q: tf.Tensor; // [B, N, L, D]
  readonly k: tf.Tensor; // [B, N, S, D]
  readonly v: tf.Tensor; // [B, N, S, Dv]
  readonly bias: tf.Tensor | undefined; // four axes, broadcastable to [B, N, L, S]
  readonly [name: string]: tf.Tensor | undefined;
}

interface AttentionAttributes {
  readonly scale: number;
  readonly maxScoresBytes: number | undefined;
}

/** What the scores of all blocks share, made once: the scaled queries, and on wasm the transposed keys. */
interface ScoreOperands {
  readonly scaledQueries: tf.Tensor; // [B, N, L, D]
  readonly keys: tf.Tensor; // [B, N, S, D]; on wasm [B, N, D, S]
  readonly bias: tf.Tensor | undefined;
}

function scoreOperands({ q, k, bias }: AttentionInputs, scale: number): ScoreOperands {
  return { scaledQueries: tf.mul(q, scale), keys: onWasm() ? swapLastAxes(k) : k, bias };
}

/** softmax(scale q k^T + bias) of a block: [b, n, l, S]. */
function probabilities({ scaledQueries, keys, bias }: ScoreOperands, block: AttentionBlock): tf.Tensor {
  const queries = blockOf(scaledQueries, block, 'queries');
  const scores = tf.matMul(queries, blockOf(keys, block, 'keys'), false, !onWasm());
  return tf.softmax(bias ? tf.add(scores, blockOf(bias, block, 'queries')) : scores);
}

/**
 * The gradient of the scores of each block, P * (dP - sum(P * dP)) with dP = dy v^T: [b, n, l, S]. A block of scores can
 * be 128 MiB: three of them are there at once, and no more.
 */
function scoresGradient(
  dy: tf.Tensor,
  inputs: AttentionInputs,
  scale: number,
): (block: AttentionBlock) => tf.Tensor {
  const operands = scoreOperands(inputs, scale);
  return (block) =>
    tf.tidy(() => {
      const p = tf.tidy(() => probabilities(operands, block));
      const dp = tf.tidy(() => matMul(blockOf(dy, block, 'queries'), blockOf(inputs.v, block, 'keys'), 'b'));
      const sums = tf.tidy(() => tf.sum(tf.mul(p, dp), -1, true));
      const apart = tf.sub(dp, sums);
      dp.dispose();
      return tf.mul(p, apart);
    });
}

/** Sums over the axes along which the bias was broadcast. */
function sumTo(x: tf.Tensor, shape: readonly number[]): tf.Tensor {
  const axes = x.shape.flatMap((size, axis) => (size !== shape[axis] ? [axis] : []));
  return axes.length > 0 ? tf.sum(x, axes, true) : x;
}

const attentionKernel = defineKernel<AttentionInputs, AttentionAttributes>({
  name: 'Attention',
  forward: (inputs, { scale, maxScoresBytes }) => {
    const operands = scoreOperands(inputs, scale);
    return joinBlocks(blocksFor(inputs, maxScoresBytes), inputs.q.shape, (block) =>
      matMul(probabilities(operands, block), blockOf(inputs.v, block, 'keys')),
    );
  },
  onWasm: (kernels, { q, k, v, bias }, { scale, maxScoresBytes }) =>
    maxScoresBytes === undefined ? attentionOnWasm(kernels, q, k, v, bias, scale) : null,
  // A bound on the scores is for compositions, which have a matrix of them.
  onWebGpu: (inputs, { scale, maxScoresBytes }) =>
    maxScoresBytes === undefined ? deferAttention(inputs, scale) : null,
  gradients: (dy, inputs, attributes) => {
    const composed = composedGradients(dy, inputs, attributes);
    const own = attributes.maxScoresBytes === undefined ? ownGradients(dy, inputs, attributes.scale) : null;
    return { ...composed, ...own };
  },
});

type Gradients = Readonly<Record<'q' | 'k' | 'v' | 'bias', () => tf.Tensor>>;

/** Of queries, keys and values by the studio's own kernels; null where they do not apply. */
function ownGradients(dy: tf.Tensor, inputs: AttentionInputs, scale: number): Omit<Gradients, 'bias'> | null {
  if (!onWasm()) return attentionGradientOnGpu(dy, inputs, scale);
  const kernels = wasmKernels();
  const own = kernels && attentionGradientOnWasm(kernels, dy, inputs, scale);
  if (!own) return null;
  // What is not asked for ends with the tidy of the backward pass.
  const [q, k, v] = [own.q, own.k, own.v].map((info) => kernels.tensor(info)) as [
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
  ];
  return { q: () => q, k: () => k, v: () => v };
}

/**
 * Each input's gradient computes the probabilities again: tfjs asks for one input at a time, and frees what was made
 * in between.
 */
function composedGradients(
  dy: tf.Tensor,
  inputs: AttentionInputs,
  { scale, maxScoresBytes }: AttentionAttributes,
): Gradients {
  const { q, k, bias } = inputs;
  const blocks = blocksFor(inputs, maxScoresBytes);
  return {
    q: () => {
      const dScores = scoresGradient(dy, inputs, scale);
      const dScaled = joinBlocks(blocks, q.shape, (block) =>
        matMul(dScores(block), blockOf(k, block, 'keys')),
      );
      return tf.mul(dScaled, scale);
    },
    k: () => {
      const dScores = scoresGradient(dy, inputs, scale);
      const dKeys = sumBlocks(blocks, k.shape, (block) =>
        matMul(dScores(block), blockOf(q, block, 'queries'), 'a'),
      );
      return tf.mul(dKeys, scale);
    },
    v: () => {
      const operands = scoreOperands(inputs, scale);
      return sumBlocks(blocks, k.shape, (block) =>
        matMul(probabilities(operands, block), blockOf(dy, block, 'queries'), 'a'),
      );
    },
    bias: () => sumTo(joinBlocks(blocks, q.shape, scoresGradient(dy, inputs, scale)), bias?.shape ?? []),
  };
}

function blocksFor({ q, k }: AttentionInputs, maxScoresBytes: number | undefined): readonly AttentionBlock[] {
  return attentionBlocks(q.shape, k.shape[2]!, maxScoresBytes);
}

/**
 * softmax(scale * q k^T + bias) v for each head.
 *
 * @param q [B, N, L, D]
 * @param k [B, N, S, D]
 * @param v [B, N, S, Dv]
 * @param maxScoresBytes of one block of scores; the backend's own bound by default
 * @returns [B, N, L, Dv]
 */
export function attention(
  q: tf.Tensor4D,
  k: tf.Tensor4D,
  v: tf.Tensor4D,
  { scale, bias }: AttentionOptions,
  maxScoresBytes?: number,
): tf.Tensor4D {
  matchShape('attention: q', q.shape, ['B', 'N', 'L', 'D']);
  const [B, N, L, D] = q.shape;
  matchShape('attention: k', k.shape, [B, N, 'S', D]);
  const S = k.shape[2];
  matchShape('attention: v', v.shape, [B, N, S, 'Dv']);
  return tf.tidy(() => {
    const fourAxes = bias && tf.reshape(bias, [...Array<number>(4 - bias.rank).fill(1), ...bias.shape]);
    if (fourAxes?.shape.some((size, axis) => size !== 1 && size !== [B, N, L, S][axis])) {
      throw new InvalidInputError(
        `attention: bias should broadcast to [${B}, ${N}, ${L}, ${S}], got [${bias?.shape.join(', ')}].`,
      );
    }
    return attentionKernel({ q, k, v, bias: fourAxes }, { scale, maxScoresBytes }) as tf.Tensor4D;
  });
}
