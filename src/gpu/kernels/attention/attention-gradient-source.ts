/** The WGSL of attention-gradient-program.ts. */

export type GradientOf = 'statistics' | 'q' | 'k' | 'v';

/** How the work is laid out; A are the operands of scores (q, k), B those of slopes (dy, v). */
export interface GradientLayout {
  readonly of: GradientOf;
  readonly tiles: boolean;
  readonly hasBias: boolean;
  /** Vectors of A, of B, and of what is written. */
  readonly vectors: Readonly<Record<'A' | 'B' | 'out', number>>;
  /** Threads that share a row. */
  readonly slices: number;
  readonly rowsAGroup: number;
  readonly columnsAStep: number;
}

const each = (count: number, line: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join('\n');
const sumOf = (count: number, term: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => term(i)).join(' + ');

/** Vectors of an operand in a slice; the last slice's may be fewer. */
const sliceOf = ({ vectors, slices }: GradientLayout, operand: 'A' | 'B' | 'out'): number =>
  Math.ceil(vectors[operand] / slices);

export function gradientSource(layout: GradientLayout): string {
  const { of, tiles, hasBias, slices, rowsAGroup, columnsAStep, vectors } = layout;
  const [sliceA, sliceB, sliceOut] = [sliceOf(layout, 'A'), sliceOf(layout, 'B'), sliceOf(layout, 'out')];
  const hasRowB = of !== 'v';
  return `
      const LOWEST = -3.0e38;
      ${tiles ? workgroupMemory(layout) : ''}
      fn main(index : i32) {
        let local = i32(localIndex);
        let slice = local / ${rowsAGroup};
        let inGroup = local - slice * ${rowsAGroup};
        let group = index / ${rowsAGroup * slices};
        let groupOfHead = group / uniforms.groupsAHead;
        let part = groupOfHead / uniforms.headCount;
        let headIndex = groupOfHead - part * uniforms.headCount;
        let item = headIndex / uniforms.heads;
        let head = headIndex - item * uniforms.heads;
        let wanted = (group - groupOfHead * uniforms.groupsAHead) * ${rowsAGroup} + inGroup;
        let row = min(wanted, uniforms.rows - 1);
        let firstColumnA = item * uniforms.columnAItem + head * uniforms.columnAHead;
        let firstColumnB = item * uniforms.columnBItem + head * uniforms.columnBHead;
        let begin = part * uniforms.columnsAPart;
        let end = min(begin + uniforms.columnsAPart, uniforms.columns);
        ${hasBias ? 'let biasAt = item * uniforms.biasItem + head * uniforms.biasHead + row * uniforms.biasRow;' : ''}
        ${rowVectors(layout, 'A', sliceA)}
        ${hasRowB ? rowVectors(layout, 'B', sliceB) : ''}
        ${of === 'q' ? 'let statistic = statistics[headIndex * uniforms.rows + row];' : ''}
        ${of === 'statistics' ? 'var top = LOWEST;\nvar total = 0.0;\nvar delta = 0.0;' : each(sliceOut, (j) => `var sum${j} = vec4<f32>(0.0);`)}
        for (var step = 0; step < uniforms.columnsAPart; step += ${columnsAStep}) {
          let first = begin + step;
          ${each(columnsAStep, (c) => `let column${c} = min(first + ${c}, uniforms.columns - 1);`)}
          ${tiles ? stage(layout) : ''}
          ${tiles || of === 'statistics' ? '' : each(columnsAStep, (c) => each(sliceOut, (j) => `let kept${c}x${j} = ${column(layout, summedOf(of), c, j)};`))}
          ${each(columnsAStep, (c) => `var score${c} = ${sumOf(sliceA, (j) => `dot(a${j}, ${vector(layout, 'A', c, j)})`)};`)}
          ${hasRowB ? each(columnsAStep, (c) => `var slope${c} = ${sumOf(sliceB, (j) => `dot(b${j}, ${vector(layout, 'B', c, j)})`)};`) : ''}
          ${slices > 1 ? exchange(layout) : ''}
          ${each(columnsAStep, (c) => `score${c} = score${c} * uniforms.factor${hasBias ? ` + bias[biasAt + column${c} * uniforms.biasColumn]` : ''};`)}
          ${of === 'statistics' ? gather(columnsAStep) : addUp(layout, sliceOut)}
          ${tiles ? 'workgroupBarrier();' : ''}
        }
        if (wanted >= uniforms.rows) { return; }
        ${
          of === 'statistics'
            ? 'if (slice == 0) { result[headIndex * uniforms.rows + row] = vec4<f32>(top, 1.0 / total, delta / total, 0.0); }'
            : `let to = part * uniforms.outCount + item * uniforms.outItem + head * uniforms.outHead + row * uniforms.outPosition + slice * ${sliceOut};
        ${each(sliceOut, (j) => `${vectors.out % slices > 0 ? `if (slice * ${sliceOut} + ${j} < ${vectors.out}) ` : ''}{ result[to + ${j}] = sum${j}; }`)}`
        }
      }`;
}

/** Memory starts with zeros: what lies behind the last slice's vectors stays so. */
function workgroupMemory(layout: GradientLayout): string {
  const { of, slices, rowsAGroup, columnsAStep } = layout;
  const tile = (operand: 'A' | 'B'): string =>
    `var<workgroup> tile${operand} : array<array<vec4<f32>, ${slices * sliceOf(layout, operand)}>, ${columnsAStep}>;`;
  const exchanged = (columnsAStep / 4) * (of === 'v' ? 1 : 2);
  return `
      ${tile('A')}
      ${tile('B')}
      ${of === 'k' || of === 'v' ? `var<workgroup> tileStatistics : array<vec4<f32>, ${columnsAStep}>;` : ''}
      ${slices > 1 ? `var<workgroup> exchange : array<array<vec4<f32>, ${slices * rowsAGroup}>, ${exchanged}>;` : ''}`;
}

/** The thread's slice of its row. */
function rowVectors({ vectors, slices }: GradientLayout, operand: 'A' | 'B', count: number): string {
  const name = operand.toLowerCase();
  const row = `row${operand}`;
  const whole = vectors[operand] % slices === 0;
  return `
        let first${name} = item * uniforms.${row}Item + head * uniforms.${row}Head + row * uniforms.${row}Position;
        ${each(count, (j) => {
          if (whole) return `let ${name}${j} = ${row}[first${name} + slice * ${count} + ${j}];`;
          const at = `min(slice * ${count} + ${j}, ${vectors[operand] - 1})`;
          return `let ${name}${j} = select(vec4<f32>(0.0), ${row}[first${name} + ${at}], slice * ${count} + ${j} < ${vectors[operand]});`;
        })}`;
}

/** Copies the next columns to workgroup memory, one vector a thread at a time. */
function stage({ of, vectors, slices, rowsAGroup, columnsAStep }: GradientLayout): string {
  const threads = slices * rowsAGroup;
  const copy = (operand: 'A' | 'B'): string => `
          for (var i = local; i < ${vectors[operand] * columnsAStep}; i += ${threads}) {
            let c = i / ${vectors[operand]};
            let j = i - c * ${vectors[operand]};
            tile${operand}[c][j] = column${operand}[firstColumn${operand} + min(first + c, uniforms.columns - 1) * uniforms.column${operand}Position + j];
          }`;
  const statistics = `
          if (local < ${columnsAStep}) {
            tileStatistics[local] = statistics[headIndex * uniforms.columns + min(first + local, uniforms.columns - 1)];
          }`;
  return `${copy('A')}${copy('B')}${of === 'k' || of === 'v' ? statistics : ''}
          workgroupBarrier();`;
}

/** What the sums are of: k, q and dy. */
const summedOf = (of: GradientOf): 'A' | 'B' => (of === 'v' ? 'B' : 'A');

/** A vector of a column, in the thread's slice; from a register, where it was read from storage once. */
function vector(layout: GradientLayout, operand: 'A' | 'B', c: number, j: number): string {
  const { of, tiles } = layout;
  return !tiles && of !== 'statistics' && operand === summedOf(of)
    ? `kept${c}x${j}`
    : column(layout, operand, c, j);
}

/** The same, where it lies in memory. */
function column(layout: GradientLayout, operand: 'A' | 'B', c: number, j: number): string {
  if (!layout.tiles)
    return `column${operand}[firstColumn${operand} + column${c} * uniforms.column${operand}Position + ${j}]`;
  const first = layout.slices > 1 ? `slice * ${sliceOf(layout, operand)} + ` : '';
  return `tile${operand}[${c}][${first}${j}]`;
}

/** Adds up what the threads of a row have of its dot products, in the order of the slices. */
function exchange({ of, slices, rowsAGroup, columnsAStep }: GradientLayout): string {
  const quads = columnsAStep / 4;
  const names = of === 'v' ? ['score'] : ['score', 'slope'];
  const places = names.flatMap((name, n) =>
    Array.from({ length: quads }, (_, quad) => ({
      place: n * quads + quad,
      values: [0, 1, 2, 3].map((c) => `${name}${4 * quad + c}`),
    })),
  );
  const put = places.map(
    ({ place, values }) => `exchange[${place}][local] = vec4<f32>(${values.join(', ')});`,
  );
  const take = places.map(
    ({ place, values }) => `
          let whole${place} = ${sumOf(slices, (other) => `exchange[${place}][inGroup + ${other * rowsAGroup}]`)};
          ${values.map((value, c) => `${value} = whole${place}[${c}];`).join(' ')}`,
  );
  return `${put.join('\n')}\nworkgroupBarrier();${take.join('')}`;
}

/** Statistics of the columns so far: what was gathered under a lower top is rescaled. */
function gather(columnsAStep: number): string {
  return `
          var highest = top;
          ${each(columnsAStep, (c) => `if (first + ${c} < end) { highest = max(highest, score${c}); }`)}
          let keep = exp(top - highest);
          top = highest;
          ${each(columnsAStep, (c) => `let p${c} = select(0.0, exp(score${c} - highest), first + ${c} < end);`)}
          total = total * keep + ${sumOf(columnsAStep, (c) => `p${c}`)};
          delta = delta * keep + ${sumOf(columnsAStep, (c) => `p${c} * slope${c}`)};`;
}

/** Adds the columns to the sums, by p or by the gradient of their scores. */
function addUp(layout: GradientLayout, sliceOut: number): string {
  const { of, tiles, columnsAStep } = layout;
  const statistic = (c: number): string => {
    if (of === 'q') return 'statistic';
    return tiles ? `tileStatistics[${c}]` : `statistics[headIndex * uniforms.columns + column${c}]`;
  };
  const weight = (c: number): string => (of === 'v' ? '' : ` * (slope${c} - of${c}.z) * uniforms.factor`);
  return `
          ${each(
            columnsAStep,
            (c) => `
          let of${c} = ${statistic(c)};
          let w${c} = select(0.0, exp(score${c} - of${c}.x) * of${c}.y${weight(c)}, first + ${c} < end);`,
          )}
          ${each(sliceOut, (j) => `sum${j} += ${sumOf(columnsAStep, (c) => `w${c} * ${vector(layout, summedOf(of), c, j)}`)};`)}`;
}
