import type { WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';

const WORKGROUP = 256;

/**
 * Two halves a word to float32. One thread reads one word and writes two values: memory-bound, one pass.
 * unpack2x16float is core WGSL, so this needs no `shader-f16`.
 */
export class UnpackFloat16Program implements WebGPUProgram {
  readonly variableNames = ['words'];
  readonly workgroupSize: [number, number, number] = [WORKGROUP, 1, 1];
  readonly dispatchLayout = { x: [0] };
  dispatch: [number, number, number];
  readonly outputShape: number[];
  readonly size = true;
  shaderKey = 'unpackFloat16';

  /** @param shape of the unpacked tensor. */
  constructor(shape: readonly number[], count: number) {
    this.outputShape = [...shape];
    this.dispatch = [Math.ceil(Math.ceil(count / 2) / WORKGROUP), 1, 1];
  }

  getUserCode(): string {
    return `
      fn main(index : i32) {
        let first = index * 2;
        if (first >= uniforms.size) { return; }
        let pair = unpack2x16float(bitcast<u32>(words[index]));
        result[first] = pair.x;
        if (first + 1 < uniforms.size) { result[first + 1] = pair.y; }
      }`;
  }
}
