import type { WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';

const WORKGROUP = 256;

/**
 * Rows of a table of packed halves, as float32: one thread a value, which reads its row's id and one word. Only the
 * rows that are asked for are read; tfjs's own gather would send the words through float32 and lose bits.
 */
export class GatherFloat16Program implements WebGPUProgram {
  readonly variableNames = ['words', 'ids'];
  readonly uniforms = 'width : i32,';
  readonly workgroupSize: [number, number, number] = [WORKGROUP, 1, 1];
  readonly dispatchLayout = { x: [0] };
  dispatch: [number, number, number];
  readonly outputShape: number[];
  readonly size = true;
  shaderKey = 'gatherFloat16';

  /** @param count of ids; the result is [count, width] */
  constructor(count: number, width: number) {
    this.outputShape = [count, width];
    this.dispatch = [Math.ceil((count * width) / WORKGROUP), 1, 1];
  }

  getUserCode(): string {
    return `
      fn main(index : i32) {
        if (index >= uniforms.size) { return; }
        let element = ids[index / uniforms.width] * uniforms.width + index % uniforms.width;
        let pair = unpack2x16float(bitcast<u32>(words[element / 2]));
        result[index] = select(pair.x, pair.y, element % 2 == 1);
      }`;
  }
}
