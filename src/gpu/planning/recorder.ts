/** Counts what a piece of work asks of a WebGPU backend: dispatches, bytes by the programs' own accesses, bindings. */
import type { WebGPUBackend, WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';
import type * as tf from '@tensorflow/tfjs-core';
import { elementCount } from '../../common/assert';
import type { CountedProgram, Traffic } from '../kernels/common/gpu-program';

export interface ProgramCount {
  readonly dispatches: number;
  readonly flops: number;
  readonly readBytes: number;
  readonly writeBytes: number;
  /** Operands and results once each: what memory must move if a cache keeps all the rest. */
  readonly compulsoryBytes: number;
  readonly workgroupBytes: number;
  readonly registerBytes: number;
}

export interface Counts {
  readonly dispatches: number;
  readonly flops: number;
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly compulsoryBytes: number;
  /** The largest buffer that a program was given. */
  readonly largestBindingBytes: number;
  /** By the program's class. */
  readonly programs: Readonly<Record<string, ProgramCount>>;
}

const NOTHING: ProgramCount = {
  dispatches: 0,
  flops: 0,
  readBytes: 0,
  writeBytes: 0,
  compulsoryBytes: 0,
  workgroupBytes: 0,
  registerBytes: 0,
};

const bytesOf = ({ shape }: tf.TensorInfo): number => 4 * elementCount(shape);

/** Counts everything that runs on the backend until `stop`. */
export function recordPrograms(backend: WebGPUBackend): { stop(): Counts } {
  const original = backend.runWebGPUProgram;
  const programs: Record<string, ProgramCount> = {};
  let largestBindingBytes = 0;
  backend.runWebGPUProgram = (program, inputs, ...rest) => {
    const output = original.call(backend, program, inputs, ...rest);
    const { flops, readBytes, writeBytes, workgroupBytes, registerBytes } =
      'traffic' in program ? (program as CountedProgram).traffic : tfjsTraffic(program, inputs, output);
    const name = program.constructor.name;
    const sum = programs[name] ?? NOTHING;
    programs[name] = {
      dispatches: sum.dispatches + 1,
      flops: sum.flops + flops,
      readBytes: sum.readBytes + readBytes,
      writeBytes: sum.writeBytes + writeBytes,
      compulsoryBytes:
        sum.compulsoryBytes + [...inputs, output].reduce((bytes, info) => bytes + bytesOf(info), 0),
      workgroupBytes: Math.max(sum.workgroupBytes, workgroupBytes),
      registerBytes: Math.max(sum.registerBytes, registerBytes),
    };
    for (const info of [...inputs, output]) {
      const { resource } = backend.tensorMap.get(info.dataId);
      largestBindingBytes = Math.max(largestBindingBytes, (resource as GPUBuffer | undefined)?.size ?? 0);
    }
    return output;
  };
  return {
    stop() {
      backend.runWebGPUProgram = original;
      const total = (key: keyof ProgramCount): number =>
        Object.values(programs).reduce((sum, count) => sum + count[key], 0);
      return {
        dispatches: total('dispatches'),
        flops: total('flops'),
        readBytes: total('readBytes'),
        writeBytes: total('writeBytes'),
        compulsoryBytes: total('compulsoryBytes'),
        largestBindingBytes,
        programs,
      };
    },
  };
}

type TiledProgram = WebGPUProgram & { readonly elementsPerThread?: readonly [number, number, number] };

/**
 * Accesses of tfjs's own programs. Its products stage tiles: an operand is read once for each tile of the other's
 * axis. Of everything else each operand is taken as read once, which is the least it can be.
 */
function tfjsTraffic(
  program: WebGPUProgram,
  inputs: readonly tf.TensorInfo[],
  output: tf.TensorInfo,
): Traffic {
  const once = inputs.reduce((bytes, input) => bytes + bytesOf(input), 0);
  const base = {
    flops: elementCount(output.shape),
    writeBytes: bytesOf(output),
    workgroupBytes: 0,
    registerBytes: 0,
  };
  const name = program.constructor.name;
  const product = productSizes(name, inputs, output);
  if (!product) return { ...base, readBytes: once };
  const { batch, rows, columns, inner } = product;
  const flops = 2 * batch * rows * columns * inner;
  const { workgroupSize, elementsPerThread = [1, 1, 1] } = program as TiledProgram;
  const isReduce = name.startsWith('MatMulReduce');
  const tileColumns = isReduce ? 1 : workgroupSize[0] * elementsPerThread[0];
  const tileRows = isReduce ? 1 : workgroupSize[1] * elementsPerThread[1];
  const operands = inputs.slice(0, 2).reduce((bytes, input) => bytes + bytesOf(input), 0);
  const readBytes =
    4 * batch * inner * (rows * Math.ceil(columns / tileColumns) + columns * Math.ceil(rows / tileRows));
  return { ...base, flops, readBytes: readBytes + once - operands };
}

function productSizes(
  name: string,
  [a, b]: readonly tf.TensorInfo[],
  { shape }: tf.TensorInfo,
): { batch: number; rows: number; columns: number; inner: number } | null {
  if (!a || !b) return null;
  if (name.startsWith('MatMul')) {
    const [batch, rows, columns] = shape as [number, number, number];
    return { batch, rows, columns, inner: elementCount(a.shape) / a.shape[0]! / rows };
  }
  if (name.startsWith('Conv2DMM')) {
    const [batch, height, width, columns] = shape as [number, number, number, number];
    return { batch, rows: height * width, columns, inner: elementCount(b.shape) / columns };
  }
  return null;
}
