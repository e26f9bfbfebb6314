import { type CountedProgram, integers, type Traffic, type UniformData } from './gpu-program';

/** A workgroup turns 8 x 8 blocks of 4 x 4: whole lines of memory on both sides. */
const BLOCKS = 8;
const TILE = 4 * BLOCKS;

/**
 * [taps, Cin, Cout] float32, or packed halves, to float32 [taps, Cout, Cin] with the taps in reverse order. A thread turns
 * four values of four rows; one pass.
 */
export class TurnedWeightProgram implements CountedProgram {
  readonly variableNames = ['weight'];
  readonly variableComponents: number[];
  readonly outputComponent = 4;
  readonly outputShape: number[];
  readonly workgroupSize: [number, number, number] = [BLOCKS * BLOCKS, 1, 1];
  readonly dispatchLayout = { x: [0] };
  dispatch: [number, number, number];
  readonly uniforms = 'taps : i32, rows : i32, columns : i32, down : i32, across : i32,';
  readonly uniformData: readonly UniformData[];
  shaderKey: string;
  readonly traffic: Traffic;

  /**
   * @param rows Cin, a multiple of four
   * @param columns Cout, a multiple of four
   */
  constructor(
    taps: number,
    rows: number,
    columns: number,
    private readonly halves: boolean,
  ) {
    const count = taps * rows * columns;
    const [down, across] = [Math.ceil(rows / TILE), Math.ceil(columns / TILE)];
    this.variableComponents = [halves ? 2 : 4];
    this.outputShape = [count];
    this.dispatch = [taps * down * across, 1, 1];
    this.uniformData = integers(taps, rows / 4, columns / 4, down, across);
    this.shaderKey = `turned weight ${halves}`;
    this.traffic = {
      flops: 0,
      readBytes: (halves ? 2 : 4) * count,
      writeBytes: 4 * count,
      workgroupBytes: 0,
      registerBytes: 128,
    };
  }

  getUserCode(): string {
    const four = this.halves
      ? 'vec4<f32>(unpack2x16float(bitcast<u32>(weight[at].x)), unpack2x16float(bitcast<u32>(weight[at].y)))'
      : 'weight[at]';
    return `
      fn four(tap : i32, row : i32, column : i32) -> vec4<f32> {
        let at = (tap * uniforms.rows * 4 + row) * uniforms.columns + column;
        return ${four};
      }
      fn main(index : i32) {
        let tile = index / ${BLOCKS * BLOCKS};
        let block = index % ${BLOCKS * BLOCKS};
        let tap = tile / (uniforms.down * uniforms.across);
        let place = tile - tap * uniforms.down * uniforms.across;
        let row = place / uniforms.across * ${BLOCKS} + block % ${BLOCKS};
        let column = place % uniforms.across * ${BLOCKS} + block / ${BLOCKS};
        if (tap >= uniforms.taps || row >= uniforms.rows || column >= uniforms.columns) { return; }
        let turned = transpose(mat4x4<f32>(
          four(tap, row * 4, column), four(tap, row * 4 + 1, column),
          four(tap, row * 4 + 2, column), four(tap, row * 4 + 3, column)));
        let first = (uniforms.taps - 1 - tap) * uniforms.columns * 4 + column * 4;
        for (var i = 0; i < 4; i++) { result[(first + i) * uniforms.rows + row] = turned[i]; }
      }`;
  }
}
