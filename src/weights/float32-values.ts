import { WeightsFormatError } from '../common/errors';
import { bfloat16ToNumber, float16Table } from '../common/float16';
import type { RawTensor } from './state-dict';

/**
 * A tensor's values as float32; a view of its bytes where they are float32 already.
 * @throws WeightsFormatError for a type that is no floating-point number
 */
export function float32Values(raw: RawTensor): Float32Array {
  const { buffer, byteOffset, byteLength } = aligned(raw);
  switch (raw.dtype) {
    case 'F32':
      return new Float32Array(buffer, byteOffset, byteLength / 4);
    case 'F64':
      return Float32Array.from(new Float64Array(buffer, byteOffset, byteLength / 8));
    case 'F16':
    case 'BF16': {
      const words = new Uint16Array(buffer, byteOffset, byteLength / 2);
      const table = float16Table();
      const values = new Float32Array(words.length);
      const half = raw.dtype === 'F16';
      // A loop: `Float32Array.from` with a function takes 30 times as long.
      for (let i = 0; i < words.length; i += 1) {
        values[i] = half ? table[words[i]!]! : bfloat16ToNumber(words[i]!);
      }
      return values;
    }
    default:
      throw new WeightsFormatError(
        `Expected floating-point values in "${raw.name}", got ${raw.dtype}. Quantised checkpoints are not supported; use the float16 or float32 one.`,
      );
  }
}

/** The bytes where typed arrays may begin: a copy when they lie at an odd place of a larger buffer. */
export function aligned({ bytes }: RawTensor): Uint8Array {
  return bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
}
