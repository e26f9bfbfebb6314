/**
 * Attention without a matrix of scores (Dao et al., FlashAttention, 2022, algorithm 1, a query a thread): keys pass
 * by once, the running maximum and sum rescale what has been gathered. Operands are read and the result is written by
 * strides, so that heads need no transpose on either side.
 *
 * tiles: a workgroup of queries of one head stages 16 keys and values at a time. registers: each thread reads keys
 * and values through the cache.
 */
import { type CountedProgram, float, integers, type Traffic, type UniformData } from '../common/gpu-program';
import type { KernelVariant } from '../common/kernel-variant';
import type { HeadStrides } from './attention-heads';

export interface AttentionSizes {
  readonly batch: number;
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
  /** Of queries and keys, and of values: multiples of four. */
  readonly width: number;
  readonly valueWidth: number;
  readonly scale: number;
  /** [item, head, query, key], 0 where the bias is broadcast; null without a bias. */
  readonly biasStrides: readonly [number, number, number, number] | null;
}

/** Keys that pass by together: one rescaling for all of them. */
const KEYS = { tiles: 16, registers: 4, composed: 1 };

export class AttentionProgram implements CountedProgram {
  readonly variableNames: string[];
  readonly variableComponents: number[];
  readonly outputComponent = 4;
  readonly outputShape: number[];
  readonly workgroupSize: [number, number, number];
  readonly dispatchLayout = { x: [0] };
  dispatch: [number, number, number];
  readonly uniforms: string;
  readonly uniformData: readonly UniformData[];
  shaderKey: string;
  readonly traffic: Traffic;
  readonly #threads: number;

  constructor(
    private readonly variant: KernelVariant,
    private readonly sizes: AttentionSizes,
    strides: Readonly<Record<'q' | 'k' | 'v' | 'out', HeadStrides>>,
  ) {
    const { batch, heads, queries, keys, width, valueWidth, scale, biasStrides } = sizes;
    const threads = variant === 'tiles' ? (queries >= 1024 ? 128 : 64) : 16;
    this.#threads = threads;
    this.variableNames = ['q', 'k', 'v', ...(biasStrides ? ['bias'] : [])];
    this.variableComponents = [4, 4, 4, ...(biasStrides ? [1] : [])];
    this.outputShape = [batch * heads * queries * valueWidth];
    this.workgroupSize = [threads, 1, 1];
    const groupsAHead = Math.ceil(queries / threads);
    this.dispatch = [batch * heads * groupsAHead, 1, 1];
    const names = ['q', 'k', 'v', 'out'].flatMap((name) => [`${name}Item`, `${name}Head`, `${name}Position`]);
    const biasNames = ['biasItem', 'biasHead', 'biasQuery', 'biasKey'];
    this.uniforms = `${['heads', 'queries', 'keyCount', 'groupsAHead', ...names, ...biasNames].map((name) => `${name} : i32`).join(', ')}, factor : f32,`;
    this.uniformData = [
      ...integers(heads, queries, keys, groupsAHead),
      ...integers(
        ...(['q', 'k', 'v', 'out'] as const).flatMap((name) => strides[name].map((stride) => stride / 4)),
      ),
      ...integers(...(biasStrides ?? [0, 0, 0, 0])),
      float(scale),
    ];
    this.shaderKey = `attention ${variant} ${threads} ${width} ${valueWidth} ${biasStrides !== null}`;
    const scores = batch * heads * queries * keys;
    const passes = variant === 'tiles' ? groupsAHead : queries;
    this.traffic = {
      flops: 2 * scores * (width + valueWidth) + 8 * scores,
      readBytes:
        4 * batch * heads * (queries * width + passes * keys * (width + valueWidth)) +
        (biasStrides ? 4 * scores : 0),
      writeBytes: 4 * batch * heads * queries * valueWidth,
      workgroupBytes: variant === 'tiles' ? 4 * KEYS.tiles * (width + valueWidth) : 0,
      registerBytes: 4 * (width + valueWidth + 4 * KEYS.registers),
    };
  }

  getUserCode(): string {
    const { width, valueWidth, biasStrides } = this.sizes;
    const [D, V] = [width / 4, valueWidth / 4];
    const tiles = this.variant === 'tiles';
    const step = KEYS[this.variant];
    const key = (s: string, j: string): string =>
      tiles
        ? `tileK[${s}][${j}]`
        : `k[firstKey + min(s0 + ${s}, uniforms.keyCount - 1) * uniforms.kPosition + ${j}]`;
    const value = (s: string, j: string): string =>
      tiles
        ? `tileV[${s}][${j}]`
        : `v[firstValue + min(s0 + ${s}, uniforms.keyCount - 1) * uniforms.vPosition + ${j}]`;
    const block = `
          var highest = top;
          ${each(
            step,
            (s) => `
          var score${s} = ${Array.from({ length: D }, (_, j) => `dot(q${j}, ${key(String(s), String(j))})`).join(' + ')};
          score${s} = score${s} * uniforms.factor${biasStrides ? ` + bias[biasAt + min(s0 + ${s}, uniforms.keyCount - 1) * uniforms.biasKey]` : ''};
          if (s0 + ${s} >= uniforms.keyCount) { score${s} = LOWEST; }
          highest = max(highest, score${s});`,
          )}
          let keep = exp(top - highest);
          top = highest;
          ${each(step, (s) => `let p${s} = select(exp(score${s} - highest), 0.0, s0 + ${s} >= uniforms.keyCount);`)}
          total = total * keep + ${Array.from({ length: step }, (_, s) => `p${s}`).join(' + ')};
          ${each(V, (j) => `a${j} = a${j} * keep + ${Array.from({ length: step }, (_, s) => `p${s} * ${value(String(s), String(j))}`).join(' + ')};`)}`;
    return `
      const LOWEST = -3.0e38;
      ${tiles ? `var<workgroup> tileK : array<array<vec4<f32>, ${D}>, ${step}>;\nvar<workgroup> tileV : array<array<vec4<f32>, ${V}>, ${step}>;` : ''}
      fn main(index : i32) {
        let group = index / ${this.#threads};
        let local = i32(localIndex);
        let headIndex = group / uniforms.groupsAHead;
        let wanted = (group - headIndex * uniforms.groupsAHead) * ${this.#threads} + local;
        let item = headIndex / uniforms.heads;
        let head = headIndex - item * uniforms.heads;
        let query = min(wanted, uniforms.queries - 1);
        let firstQuery = item * uniforms.qItem + head * uniforms.qHead + query * uniforms.qPosition;
        let firstKey = item * uniforms.kItem + head * uniforms.kHead;
        let firstValue = item * uniforms.vItem + head * uniforms.vHead;
        ${biasStrides ? 'let biasAt = item * uniforms.biasItem + head * uniforms.biasHead + query * uniforms.biasQuery;' : ''}
        ${each(D, (j) => `let q${j} = q[firstQuery + ${j}];`)}
        ${each(V, (j) => `var a${j} = vec4<f32>(0.0);`)}
        var top = LOWEST;
        var total = 0.0;
        for (var s0 = 0; s0 < uniforms.keyCount; s0 += ${step}) {
          ${tiles ? `${stage('tileK', 'k', 'firstKey', 'kPosition', D, step, this.#threads) + stage('tileV', 'v', 'firstValue', 'vPosition', V, step, this.#threads)}workgroupBarrier();` : ''}
          ${block}
          ${tiles ? 'workgroupBarrier();' : ''}
        }
        if (wanted >= uniforms.queries || item * uniforms.heads + head != headIndex) { return; }
        let to = item * uniforms.outItem + head * uniforms.outHead + query * uniforms.outPosition;
        ${each(V, (j) => `result[to + ${j}] = a${j} / total;`)}
      }`;
  }
}

/** Copies the next keys (or values) to workgroup memory, one vector a thread at a time. */
function stage(
  tile: string,
  source: string,
  first: string,
  stride: string,
  vectors: number,
  step: number,
  threads: number,
): string {
  return `
          for (var i = local; i < ${vectors * step}; i += ${threads}) {
            let s = min(s0 + i / ${vectors}, uniforms.keyCount - 1);
            ${tile}[i / ${vectors}][i % ${vectors}] = ${source}[${first} + s * uniforms.${stride} + i % ${vectors}];
          }`;
}

function each(count: number, line: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => line(i)).join('\n');
}
