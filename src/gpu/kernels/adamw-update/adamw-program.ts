import { VectorProgram } from '../common/vector-program';

/**
 * One result of a step of AdamW for one weight: a thread computes the expression for four values, or for one where they
 * are no vectors; one pass.
 */
export class AdamWProgram extends VectorProgram {
  /**
   * @param operands the names of the operands
   * @param expression WGSL of the operands at `[index]` and of `uniforms.<factor>`
   * @param factors float32, by the names that the expression has for them
   */
  constructor(
    count: number,
    operands: readonly string[],
    private readonly expression: string,
    factors: Readonly<Record<string, number>>,
  ) {
    const component = count % 4 === 0 ? 4 : 1;
    super({
      operands,
      vectors: count / component,
      component,
      shaderKey: `adamW ${component} ${expression}`,
      factors,
      traffic: {
        flops: 8 * count,
        readBytes: 4 * operands.length * count,
        writeBytes: 4 * count,
        registerBytes: 96,
      },
    });
  }

  protected body(): string {
    return `result[index] = ${this.expression};`;
  }
}
