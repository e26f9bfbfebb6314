import { InvalidInputError } from './errors';

/**
 * `torch.Generator("cpu")` in TypeScript: the same mt19937 stream, and the same ways of turning it into numbers, so
 * that a seed means the same sound here and in Python.
 *
 * The integer stream, `rand` and `randint` are equal bit for bit. `randn` follows both of torch's paths (16 numbers or
 * more: float32 Box-Muller on blocks of 16; fewer: the scalar path in double, which keeps its second normal for the
 * next call); torch's vectorised log, sin and cos are polynomial approximations whose last bits depend on the CPU, so
 * its normals agree to 1e-6 of max(1, |x|), about 4 ulp at one.
 *
 * Source: aten/src/ATen/core/MT19937RNGEngine.h, CPUGeneratorImpl.cpp, TransformationHelper.h and
 * native/cpu/DistributionTemplates.h.
 */

const STATE_SIZE = 624;
const SHIFT_SIZE = 397;
const MATRIX_A = 0x9908b0df;
const UPPER_MASK = 0x80000000;
const LOWER_MASK = 0x7fffffff;

const BLOCK = 16;
const HALF_BLOCK = 8;
const TWO_PI = 2 * Math.PI;
const TWO_PI_FLOAT32 = Math.fround(TWO_PI);
/** From this range on torch draws 64 bits for an integer, to keep the bias of the modulo small. */
const WIDE_RANGE = 2 ** 28;

export class TorchGenerator {
  readonly seed: number;
  readonly #state = new Uint32Array(STATE_SIZE);
  #next = STATE_SIZE;
  /** The scalar path makes normals in pairs; the second of a pair waits here. */
  #cachedNormal: number | null = null;

  /**
   * @param seed integer 0…2^53−1; mt19937 keeps its low 32 bits, as torch does.
   * @throws InvalidInputError for anything else.
   */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new InvalidInputError(
        `A seed is an integer from 0 to 2^53 − 1, but ${seed} came. Give such a number.`,
      );
    }
    this.seed = seed;
    this.#state[0] = seed % 2 ** 32;
    for (let i = 1; i < STATE_SIZE; i += 1) {
      const previous = this.#state[i - 1]!;
      this.#state[i] = Math.imul(1812433253, previous ^ (previous >>> 30)) + i;
    }
  }

  /** `torch.randn(length)`: normals of mean 0 and deviation 1, float32. */
  randn(length: number): Float32Array {
    const out = new Float32Array(checkLength(length));
    if (length < BLOCK) {
      for (let i = 0; i < length; i += 1) out[i] = this.#scalarNormal();
      return out;
    }
    this.#fillUniform(out, 0, length);
    for (let start = 0; start + BLOCK <= length; start += BLOCK) boxMullerBlock(out, start);
    if (length % BLOCK !== 0) {
      // The last 16 numbers are drawn again as one block: it overlaps the block before.
      this.#fillUniform(out, length - BLOCK, length);
      boxMullerBlock(out, length - BLOCK);
    }
    return out;
  }

  /** `torch.rand(length)`: uniform in [0, 1), multiples of 2^-24. */
  rand(length: number): Float32Array {
    const out = new Float32Array(checkLength(length));
    this.#fillUniform(out, 0, length);
    return out;
  }

  /**
   * `torch.randint(low, high, (length,))`: integers low ≤ n < high.
   * @throws InvalidInputError when the bounds are not safe integers or hold no integer between them.
   */
  randint(low: number, high: number, length: number): number[] {
    const range = high - low;
    if (
      !Number.isSafeInteger(low) ||
      !Number.isSafeInteger(high) ||
      !Number.isSafeInteger(range) ||
      range < 1
    ) {
      throw new InvalidInputError(`randint needs safe integers low < high, but [${low}, ${high}) came.`);
    }
    const draw =
      range < WIDE_RANGE
        ? () => low + (this.random() % range)
        : () => low + Number(this.#random64() % BigInt(range));
    return Array.from({ length: checkLength(length) }, draw);
  }

  /** The next 32 bits of the stream. */
  random(): number {
    if (this.#next === STATE_SIZE) this.#refill();
    let y = this.#state[this.#next]!;
    this.#next += 1;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    y ^= y >>> 18;
    return y >>> 0;
  }

  #random64(): bigint {
    const high = this.random();
    return (BigInt(high) << 32n) | BigInt(this.random());
  }

  /** Uniform in [0, 1) from 53 bits. */
  #uniformDouble(): number {
    const high = this.random();
    return ((high & 0x1fffff) * 2 ** 32 + this.random()) * 2 ** -53;
  }

  #scalarNormal(): number {
    if (this.#cachedNormal !== null) {
      const normal = this.#cachedNormal;
      this.#cachedNormal = null;
      return normal;
    }
    const angle = TWO_PI * this.#uniformDouble();
    const radius = Math.sqrt(-2 * Math.log1p(-this.#uniformDouble()));
    this.#cachedNormal = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  #fillUniform(out: Float32Array, start: number, end: number): void {
    for (let i = start; i < end; i += 1) out[i] = (this.random() & 0xffffff) * 2 ** -24;
  }

  #refill(): void {
    const state = this.#state;
    for (let i = 0; i < STATE_SIZE; i += 1) {
      const mixed = (state[i]! & UPPER_MASK) | (state[(i + 1) % STATE_SIZE]! & LOWER_MASK);
      const twist = (mixed >>> 1) ^ (mixed & 1 ? MATRIX_A : 0);
      state[i] = state[(i + SHIFT_SIZE) % STATE_SIZE]! ^ twist;
    }
    this.#next = 0;
  }
}

/** 16 uniforms become 16 normals: the first eight give radii, the last eight angles; each step rounds to float32. */
function boxMullerBlock(values: Float32Array, start: number): void {
  for (let i = start; i < start + HALF_BLOCK; i += 1) {
    const logarithm = Math.fround(Math.log(Math.fround(1 - values[i]!)));
    const radius = Math.fround(Math.sqrt(Math.fround(-2 * logarithm)));
    const angle = Math.fround(TWO_PI_FLOAT32 * values[i + HALF_BLOCK]!);
    values[i] = radius * Math.fround(Math.cos(angle));
    values[i + HALF_BLOCK] = radius * Math.fround(Math.sin(angle));
  }
}

function checkLength(length: number): number {
  if (!Number.isSafeInteger(length) || length < 0) {
    throw new InvalidInputError(`A length is an integer of 0 or more, but ${length} came.`);
  }
  return length;
}
