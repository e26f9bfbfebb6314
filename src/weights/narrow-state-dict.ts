import { elementCount } from '../common/assert';
import { WeightsFormatError } from '../common/errors';
import { float16Bits } from '../common/float16';
import { releaseBuffer } from '../common/release-buffer';
import { aligned, float32Values } from './float32-values';
import { BYTES_PER_ELEMENT, noSuchTensor, type RawTensor, type StateDict } from './state-dict';

const LARGEST_FLOAT16 = 65504;

export interface NarrowOptions {
  /** F16 makes matrices and kernels half precision; vectors (norms, biases) are small and stay as exact as F32. */
  readonly to: 'F16' | 'F32';
  /** Told the name and the largest magnitude of a tensor that does not fit half precision and stays F32. */
  readonly onOverflow?: (name: string, largest: number) => void;
  /** What the source reads is nobody else's (it comes from a file): its memory is given back when it was converted. */
  readonly ownsSource?: boolean;
}

/**
 * The given tensors of a state dict as F32 or F16, converted while they are read, one at a time. F16 tensors pass as
 * they are. An entry says F16 for a tensor whose values may turn out not to fit; what is read says what it is.
 *
 * @throws WeightsFormatError on reading NaN, infinity, or a type that is no floating-point number
 */
export function narrowStateDict(
  source: StateDict,
  names: readonly string[],
  { to, onOverflow, ownsSource = false }: NarrowOptions,
): StateDict {
  const known = new Set(names);
  const dtypeOf = (name: string): 'F16' | 'F32' => {
    const entry = source.entry(name);
    return entry?.dtype === 'F16' || (to === 'F16' && (entry?.shape.length ?? 0) > 1) ? 'F16' : 'F32';
  };
  return {
    names: () => names,
    entry: (name) => {
      const entry = known.has(name) ? source.entry(name) : undefined;
      if (!entry) return undefined;
      const dtype = dtypeOf(name);
      return { dtype, shape: entry.shape, byteLength: elementCount(entry.shape) * BYTES_PER_ELEMENT[dtype] };
    },
    read: async (name) => {
      if (!known.has(name)) throw noSuchTensor(name, 'the converted checkpoint');
      const raw = await source.read(name);
      if (raw.dtype === 'F16') return checkedHalves(raw);
      const values = float32Values(raw);
      const largest = largestMagnitude(name, values);
      if (dtypeOf(name) === 'F32') return rawOf(raw, 'F32', values);
      if (largest <= LARGEST_FLOAT16) {
        const halves = float16Bits(values);
        if (ownsSource) releaseBuffer(raw.bytes);
        return rawOf(raw, 'F16', halves);
      }
      onOverflow?.(name, largest);
      return rawOf(raw, 'F32', values);
    },
  };
}

function rawOf(raw: RawTensor, dtype: 'F16' | 'F32', words: Float32Array | Uint16Array): RawTensor {
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  return { name: raw.name, dtype, shape: raw.shape, bytes };
}

function checkedHalves(raw: RawTensor): RawTensor {
  const { buffer, byteOffset, byteLength } = aligned(raw);
  const halves = new Uint16Array(buffer, byteOffset, byteLength / 2);
  if (halves.some((bits) => (bits & 0x7c00) === 0x7c00)) throw notFinite(raw.name);
  return raw;
}

/** One pass; NaN is found because no comparison with it holds. */
function largestMagnitude(name: string, values: Float32Array): number {
  let largest = 0;
  for (let i = 0; i < values.length; i += 1) {
    const magnitude = Math.abs(values[i]!);
    if (!(magnitude < Number.POSITIVE_INFINITY)) throw notFinite(name);
    if (magnitude > largest) largest = magnitude;
  }
  return largest;
}

function notFinite(name: string): WeightsFormatError {
  return new WeightsFormatError(
    `Expected finite values in "${name}", got NaN or infinity. The checkpoint is damaged, or its training diverged; download it again or use an earlier one.`,
  );
}
