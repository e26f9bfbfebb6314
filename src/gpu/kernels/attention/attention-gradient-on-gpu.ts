/** The gradients of attention on WebGPU by the studio's own programs, each waiting until somebody needs it. */
import * as tf from '@tensorflow/tfjs-core';
import { deferredResults } from '../common/deferred';
import { runProgram } from '../common/gpu-program';
import { JoinProgram } from '../product/join-program';
import { rowsGeometry } from '../product/product-program';
import { productEpilogue } from '../product/product-source';
import { AttentionGradientProgram, partsFor } from './attention-gradient-program';
import { DeferredHeads, type HeadStrides, type HeadsShape, headsOperand } from './attention-heads';
import { type AttentionOperands, type OpenedAttention, openAttention } from './attention-on-gpu';

const NOTHING_ELSE = productEpilogue({ bias: false, activation: undefined, vector: null, residual: false });

/**
 * The gradients of queries, keys and values, what is asked for only. The statistics of the queries that they share wait
 * too, and end with the tidy of the backward pass.
 *
 * @param dy [B, N, L, Dv]
 * @returns null where the widths or the variant ask for tfjs's products
 */
export function attentionGradientOnGpu(
  dy: tf.TensorInfo,
  operands: AttentionOperands,
  scale: number,
): Readonly<Record<'q' | 'k' | 'v', () => tf.Tensor>> | null {
  const opened = openAttention(operands, scale);
  if (!opened) return null;
  const { backend, variant, sizes, q, k, v, bias } = opened;
  const { batch, heads, queries, keys } = sizes;
  const results = deferredResults(backend);
  const from = headsOperand(backend, dy);
  const strides = { ...opened.strides, dy: from.strides };
  const rows = [q, from.data];
  const columns = [k, v];

  const statisticsOf = [...rows, ...columns, ...bias];
  const statistics = results.add([batch, heads, queries, 4], {
    inputs: statisticsOf,
    run: (output) => {
      const inOrder = { ...strides, out: [0, 0, 0] as const };
      const program = new AttentionGradientProgram('statistics', variant, sizes, inOrder);
      runProgram(backend, program, statisticsOf, output.shape, output);
    },
  });
  // Named to tfjs, so that somebody ends it.
  tf.engine().makeTensorFromTensorInfo(statistics);

  const gradient = (of: 'q' | 'k' | 'v', inputs: readonly tf.TensorInfo[]) => (): tf.Tensor => {
    const shape = operands[of].shape as unknown as HeadsShape;
    const deferred = new DeferredHeads(shape, inputs, (output, out) =>
      computeGradient(of, opened, { ...strides, out }, inputs, output),
    );
    const info = results.add(shape, deferred);
    // Gradients of a prompt's keys are used when all layers are through: until then they would hold their queries.
    if (of !== 'q' && keys < queries) results.force(info.dataId);
    return tf.engine().makeTensorFromTensorInfo(info);
  };
  return {
    q: gradient('q', [...rows, ...columns, statistics, ...bias]),
    k: gradient('k', [...columns, ...rows, statistics, ...bias]),
    v: gradient('v', [k, ...rows, statistics, ...bias]),
  };
}

/** In one dispatch, or in parts and one that adds them up, in their order. */
function computeGradient(
  of: 'q' | 'k' | 'v',
  { backend, variant, sizes }: OpenedAttention,
  strides: Readonly<Record<'q' | 'k' | 'v' | 'dy' | 'out', HeadStrides>>,
  inputs: readonly tf.TensorInfo[],
  output: tf.TensorInfo,
): void {
  const parts = partsFor(of, variant, sizes);
  const program = new AttentionGradientProgram(of, variant, sizes, strides, parts);
  if (parts === 1) {
    runProgram(backend, program, inputs, output.shape, output);
    return;
  }
  const sums = runProgram(backend, program, inputs, program.outputShape);
  const width = of === 'v' ? sizes.valueWidth : sizes.width;
  const geometry = rowsGeometry(program.outputShape[0]! / parts / width, width, width);
  runProgram(backend, new JoinProgram(geometry, NOTHING_ELSE, parts), [sums], output.shape, output);
  backend.disposeData(sums.dataId);
}
