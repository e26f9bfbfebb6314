import { activationSource, slopeSource } from '../common/gpu-program';
import { VectorProgram } from '../common/vector-program';

/** Where a thread's row begins in x, whose values and gates lie side by side. */
const PLACE = `
        let row = index / uniforms.width;
        let at = row * 2 * uniforms.width + (index - row * uniforms.width);`;

/** [rows, 2 D] -> [rows, D]: a thread reads four values and four gates and writes four results; one pass. */
export class GegluProgram extends VectorProgram {
  /** @param width D, a multiple of four */
  constructor(rows: number, width: number) {
    const count = rows * width;
    super({
      operands: ['x'],
      vectors: count / 4,
      shaderKey: 'geglu',
      sizes: { width: width / 4 },
      traffic: { flops: 24 * count, readBytes: 8 * count, writeBytes: 4 * count, registerBytes: 96 },
    });
  }

  protected override functions(): string {
    return activationSource('gelu');
  }

  protected body(): string {
    return `${PLACE}
        result[index] = x[at] * activate(x[at + uniforms.width]);`;
  }
}

/** The gradient [rows, 2 D] of x, of both halves: a thread reads four values, gates and dys and writes eight; one pass. */
export class GegluGradientProgram extends VectorProgram {
  /** @param width D, a multiple of four */
  constructor(rows: number, width: number) {
    const count = rows * width;
    super({
      operands: ['x', 'dy'],
      vectors: count / 4,
      written: count / 2,
      shaderKey: 'geglu gradient',
      sizes: { width: width / 4 },
      traffic: { flops: 48 * count, readBytes: 12 * count, writeBytes: 8 * count, registerBytes: 128 },
    });
  }

  protected override functions(): string {
    return slopeSource('gelu');
  }

  protected body(): string {
    return `${PLACE}
        let gate = x[at + uniforms.width];
        result[at] = dy[index] * activate(gate);
        result[at + uniforms.width] = dy[index] * x[at] * slope(gate);`;
  }
}
