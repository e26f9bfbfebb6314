import * as tf from '@tensorflow/tfjs-core';
import { InvalidInputError } from '../../../common/errors';
import { wasmKernels } from '../../wasm-kernels/wasm-kernels';
import { geluDerivative } from '../activations/activations';
import { normalCdf } from '../activations/normal-cdf';
import { defineKernel } from '../common/define-kernel';
import { runProgram, webGpuBackend } from '../common/gpu-program';
import { kernelVariant } from '../common/kernel-variant';
import { onWasm } from '../common/mat-mul';
import { GegluGradientProgram, GegluProgram } from './geglu-program';

/** Rows in a unit of work on wasm, as in the kernel. */
const UNIT_ROWS = 16;

interface GegluInputs {
  readonly x: tf.Tensor; // [..., 2 D]
  readonly [name: string]: tf.Tensor;
}

/** The halves of the last axis: value, gate. */
function halves(x: tf.Tensor): [tf.Tensor, tf.Tensor] {
  const width = x.shape.at(-1)! / 2;
  const rows = tf.reshape(x, [x.size / (2 * width), 2 * width]);
  const half = (from: number): tf.Tensor =>
    tf.reshape(tf.slice(rows, [0, from], [-1, width]), [...x.shape.slice(0, -1), width]);
  return [half(0), half(width)];
}

/** Whether the programs for WebGPU take x. */
function hasProgram(x: tf.Tensor): boolean {
  return kernelVariant(webGpuBackend()) !== 'composed' && x.shape.at(-1)! % 8 === 0 && x.size > 0;
}

const gegluKernel = defineKernel<GegluInputs, Record<string, never>>({
  name: 'Geglu',
  forward: ({ x }) => {
    const [value, gate] = halves(x);
    return tf.mul(value, tf.mul(gate, normalCdf(gate)));
  },
  onWasm: (kernels, { x }) => {
    const width = x.shape.at(-1)! / 2;
    if (width % 4 !== 0) return null;
    const rows = x.size / 2 / width;
    const y = kernels.output([...x.shape.slice(0, -1), width]);
    kernels.run('geglu', Math.ceil(rows / UNIT_ROWS), [kernels.address(x), kernels.address(y), rows, width]);
    return y;
  },
  onWebGpu: ({ x }) => {
    if (!hasProgram(x)) return null;
    const width = x.shape.at(-1)! / 2;
    return runProgram(
      webGpuBackend(),
      new GegluProgram(x.size / 2 / width, width),
      [x],
      [...x.shape.slice(0, -1), width],
    );
  },
  gradients: (dy, { x }) => ({
    x: () => {
      const kernels = wasmKernels();
      const width = x.shape.at(-1)! / 2;
      if (kernels && width % 4 === 0) {
        const rows = x.size / 2 / width;
        const dx = kernels.output(x.shape);
        const operands = [x, dy, dx].map((tensor) => kernels.address(tensor));
        kernels.run('gegluGradient', Math.ceil(rows / UNIT_ROWS), [...operands, rows, width]);
        return kernels.tensor(dx);
      }
      if (!onWasm() && hasProgram(x)) {
        const program = new GegluGradientProgram(x.size / 2 / width, width);
        return tf.engine().makeTensorFromTensorInfo(runProgram(webGpuBackend(), program, [x, dy], x.shape));
      }
      const [value, gate] = halves(x);
      const dValue = tf.mul(dy, tf.mul(gate, normalCdf(gate)));
      const dGate = tf.mul(tf.mul(dy, value), geluDerivative(gate));
      return tf.concat([dValue, dGate], -1);
    },
  }),
});

/**
 * The first half of the last axis times the exact GELU of the second half (diffusers' GEGLU).
 *
 * @param x [..., 2 D]
 * @returns [..., D]
 */
export function geglu(x: tf.Tensor): tf.Tensor {
  const width = x.shape.at(-1) ?? 0;
  if (width === 0 || width % 2 !== 0) {
    throw new InvalidInputError(`geglu: x should be [..., 2 D], got a last axis of ${width}.`);
  }
  return gegluKernel({ x }, {});
}
