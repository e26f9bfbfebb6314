/** WGSL that every product shares: how a weight is read, and what is done where a sum is stored. */
import type { Activation } from '../activations/activation';
import { activationSource } from '../common/gpu-program';

type EpilogueOperand = 'bias' | 'perItem' | 'residual';

export interface ProductEpilogue {
  readonly activation: Activation | undefined;
  /** A vector of outChannels is added to every position: of each item, or one for all. */
  readonly vector: 'each item' | 'all items' | null;
  readonly residual: boolean;
  /** In the order of their bindings. */
  readonly operands: readonly EpilogueOperand[];
}

export function productEpilogue(parts: {
  readonly bias: boolean;
  readonly activation: Activation | undefined;
  readonly vector: ProductEpilogue['vector'];
  readonly residual: boolean;
}): ProductEpilogue {
  const { bias, activation, vector, residual } = parts;
  const names = [bias && 'bias', vector && 'perItem', residual && 'residual'] as const;
  return { activation, vector, residual, operands: names.filter((name) => !!name) as EpilogueOperand[] };
}

/** `finish(row, column, sum, part)`: the stored value; `part` is for products that are split. */
export function epilogueSource({ activation, operands }: ProductEpilogue): string {
  const has = (name: EpilogueOperand): boolean => operands.includes(name);
  return `
      ${activationSource(activation)}
      fn finish(row : i32, column : i32, sum : vec4<f32>, part : i32) {
        if (row >= uniforms.rows || column >= uniforms.outC) { return; }
        var value = sum;
        ${has('bias') ? 'value += bias[column];' : ''}
        value = activate(value);
        ${has('perItem') ? 'value += perItem[row / uniforms.rowsPerItem * uniforms.outC + column];' : ''}
        ${has('residual') ? 'value += residual[row * uniforms.outC + column];' : ''}
        result[row * uniforms.outC + column] = value;
      }`;
}

/**
 * `weightAt(at)`, of type `Weight`: four weights of a row. With shader-f16 the same bytes are read as halves, which
 * are what they were in the file; without, core WGSL unpacks them.
 */
export function weightSource(halves: boolean, f16: boolean): string {
  const unpacked =
    'let w = weight[at]; return vec4<f32>(unpack2x16float(bitcast<u32>(w.x)), unpack2x16float(bitcast<u32>(w.y)));';
  const body = f16 ? 'return bitcast<vec4<f16>>(weight[at]);' : halves ? unpacked : 'return weight[at];';
  return `
      alias Weight = vec4<${f16 ? 'f16' : 'f32'}>;
      fn weightAt(at : i32) -> Weight { ${body} }`;
}

export function each(count: number, line: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => line(i)).join('\n');
}
