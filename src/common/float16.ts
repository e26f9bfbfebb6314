/** IEEE 754 half precision and bfloat16 to and from float32, on typed arrays. */

const scratch = new DataView(new ArrayBuffer(4));

/** One half (its 16 bits) as a number; exact, every half is a float32. */
function halfBitsToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

let table: Float32Array | undefined;

/**
 * All 65,536 halves as float32, indexed by their bits: 256 KiB once, and decoding a checkpoint becomes one load a
 * value (about ten times as fast as the arithmetic).
 */
export function float16Table(): Float32Array {
  if (!table) {
    table = new Float32Array(0x10000);
    for (let bits = 0; bits < table.length; bits += 1) table[bits] = halfBitsToNumber(bits);
  }
  return table;
}

/** One bfloat16 (its 16 bits) as a number; exact: it is the upper half of a float32. */
export function bfloat16ToNumber(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

/** The nearest half's bits, ties to even; beyond 65504 becomes infinity, as torch's `.half()`. */
export function numberToFloat16Bits(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) return sign | roundHalfToEven(Math.abs(value) * 2 ** 24);
  const rebased = magnitude - (112 << 23);
  const odd = (rebased >> 13) & 1;
  return sign | ((rebased + 0xfff + odd) >> 13);
}

/** `numberToFloat16Bits` of each value. A loop: `Uint16Array.from` with a function takes 30 times as long. */
export function float16Bits(values: ArrayLike<number>): Uint16Array<ArrayBuffer> {
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i += 1) halves[i] = numberToFloat16Bits(values[i]!);
  return halves;
}

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest > 0.5 || (rest === 0.5 && floor % 2 === 1)) return floor + 1;
  return floor;
}
