/**
 * x W for a few rows (a time embedding, a token): every weight is used once a row, so the weights' bytes are all that
 * counts and as many threads as possible have to ask for them. A workgroup has 4 vectors of columns and 64 slices of
 * the inner axis; each thread sums its slice, and the slices are joined in workgroup memory. For GPUs; weights are read
 * once.
 */
import { type CountedProgram, integers, type Traffic, type UniformData } from '../common/gpu-program';
import type { KernelChoice } from '../common/kernel-variant';
import { enableLines } from '../common/shader-extensions';
import { isPointwise, type ProductGeometry, rowsOf } from './product-program';
import { each, epilogueSource, type ProductEpilogue, weightSource } from './product-source';

/** More rows fill a tile of the ordinary product. */
const MOST_ROWS = 8;
const COLUMNS = 4;
const SLICES = 64;
const THREADS = COLUMNS * SLICES;

/** Whether the product is thin enough, and of a form that has no tiles to fill. */
export function isThin({ variant }: KernelChoice, geometry: ProductGeometry): boolean {
  return variant === 'tiles' && isPointwise(geometry) && rowsOf(geometry) <= MOST_ROWS;
}

export class ThinProductProgram implements CountedProgram {
  readonly variableNames: string[];
  readonly variableComponents: number[];
  readonly outputComponent = 4;
  readonly outputShape: number[];
  readonly workgroupSize: [number, number, number] = [THREADS, 1, 1];
  readonly dispatchLayout = { x: [0] };
  dispatch: [number, number, number];
  readonly uniforms = 'rows : i32, rowsPerItem : i32, inC : i32, outC : i32,';
  readonly uniformData: readonly UniformData[];
  shaderKey: string;
  readonly traffic: Traffic;
  readonly #rows: number;
  readonly #f16: boolean;

  constructor(
    { features }: KernelChoice,
    geometry: ProductGeometry,
    private readonly halves: boolean,
    private readonly epilogue: ProductEpilogue,
  ) {
    const { inChannels, outChannels, outSize } = geometry;
    const rows = rowsOf(geometry);
    this.#rows = rows;
    this.#f16 = halves && features.f16;
    const { operands, vector, activation, residual } = epilogue;
    this.variableNames = ['image', 'weight', ...operands];
    this.variableComponents = [4, halves ? 2 : 4, ...operands.map(() => 4)];
    this.outputShape = [rows * outChannels];
    const groups = Math.ceil(outChannels / 4 / COLUMNS);
    this.dispatch = [groups, 1, 1];
    this.uniformData = integers(
      rows,
      vector === 'each item' ? outSize[0] * outSize[1] : rows,
      inChannels / 4,
      outChannels / 4,
    );
    this.shaderKey = `thin product ${rows} ${halves} ${this.#f16} ${activation} ${operands}`;
    this.traffic = {
      flops: 2 * rows * inChannels * outChannels,
      readBytes:
        rows * inChannels * 4 * groups +
        inChannels * outChannels * (halves ? 2 : 4) +
        (residual ? rows * outChannels * 4 : 0),
      writeBytes: rows * outChannels * 4,
      workgroupBytes: 16 * THREADS,
      registerBytes: 16 * (rows + 6),
    };
  }

  getUserCode(): string {
    const eachRow = (line: (i: number) => string): string => each(this.#rows, line);
    return `
      ${enableLines({ f16: this.#f16, subgroups: false })}
      ${weightSource(this.halves, this.#f16)}
      ${epilogueSource(this.epilogue)}
      var<workgroup> partial : array<vec4<f32>, ${THREADS}>;
      fn main(index : i32) {
        let local = i32(localIndex);
        let column = index / ${THREADS} * ${COLUMNS} + local % ${COLUMNS};
        let slice = local / ${COLUMNS};
        let c = min(column, uniforms.outC - 1);
        ${eachRow((i) => `var s${i} = vec4<f32>(0.0);`)}
        for (var k = slice; k < uniforms.inC; k += ${SLICES}) {
          let at = 4 * k * uniforms.outC + c;
          let a = vec4<f32>(weightAt(at));
          let b = vec4<f32>(weightAt(at + uniforms.outC));
          let d = vec4<f32>(weightAt(at + 2 * uniforms.outC));
          let e = vec4<f32>(weightAt(at + 3 * uniforms.outC));
          ${eachRow((i) => `let v${i} = image[${i} * uniforms.inC + k]; s${i} += v${i}.x * a + v${i}.y * b + v${i}.z * d + v${i}.w * e;`)}
        }
        ${eachRow((i) => `${joinSlices(i)}if (slice == 0) { finish(${i}, column, partial[local], 0); }\nworkgroupBarrier();`)}
      }`;
  }
}

/** Row i's sums of all slices, in the first slice's place. */
function joinSlices(i: number): string {
  const halvings: string[] = [];
  for (let half = SLICES / 2; half >= 1; half /= 2) {
    halvings.push(`
        if (slice < ${half}) { partial[local] += partial[local + ${half * COLUMNS}]; }
        workgroupBarrier();`);
  }
  return `partial[local] = s${i};
        workgroupBarrier();${halvings.join('')}
        `;
}
