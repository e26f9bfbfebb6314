import { elementCount, formatShape, shapesEqual } from '../../common/assert';
import { StateDictError } from '../../common/errors';
import { bfloat16ToNumber, float16Table } from '../../common/float16';
import type { RawTensor, StateDict } from '../../weights';

/** How torch names the magnitude and the direction of a weight under weight norm: today, and before torch 2.0. */
const NAMES = [
  { magnitude: '.parametrizations.weight.original0', direction: '.parametrizations.weight.original1' },
  { magnitude: '.weight_g', direction: '.weight_v' },
] as const;

/**
 * The state dict of a network whose weight norm has been removed: each pair g, v becomes weight = g · v / |v|, the
 * norm taken over all axes but the first (torch's default, dim = 0). Tensors without weight norm pass through.
 *
 * @throws StateDictError when a magnitude has no direction, the other way round, or their shapes do not fit
 */
export function foldWeightNorm(stateDict: StateDict): StateDict {
  const pairs = findPairs(stateDict);
  const hidden = new Set([...pairs.values()].flatMap(({ magnitude, direction }) => [magnitude, direction]));
  const names = [...stateDict.names().filter((name) => !hidden.has(name)), ...pairs.keys()];
  return {
    names: () => names,
    entry: (name) => {
      const pair = pairs.get(name);
      if (!pair) return hidden.has(name) ? undefined : stateDict.entry(name);
      const { shape } = stateDict.entry(pair.direction)!;
      return { dtype: 'F32', shape, byteLength: 4 * elementCount(shape) };
    },
    read: async (name) => {
      const pair = pairs.get(name);
      if (!pair) return stateDict.read(name);
      return fold(name, await stateDict.read(pair.magnitude), await stateDict.read(pair.direction));
    },
  };
}

interface Pair {
  readonly magnitude: string;
  readonly direction: string;
}

/** Name of the folded weight -> names of its two tensors. */
function findPairs(stateDict: StateDict): Map<string, Pair> {
  const pairs = new Map<string, Pair>();
  for (const name of stateDict.names()) {
    for (const suffixes of NAMES) {
      const suffix = [suffixes.magnitude, suffixes.direction].find((candidate) => name.endsWith(candidate));
      if (suffix === undefined) continue;
      const layer = name.slice(0, -suffix.length);
      const pair = { magnitude: layer + suffixes.magnitude, direction: layer + suffixes.direction };
      checkPair(stateDict, pair);
      pairs.set(`${layer}.weight`, pair);
    }
  }
  return pairs;
}

function checkPair(stateDict: StateDict, { magnitude, direction }: Pair): void {
  const [g, v] = [stateDict.entry(magnitude), stateDict.entry(direction)];
  if (!g || !v) {
    throw new StateDictError(
      `A weight under weight norm is two tensors, "${magnitude}" and "${direction}", but only ${g ? 'the first' : 'the second'} is there. Save the checkpoint again.`,
    );
  }
  const expected = v.shape.map((size, axis) => (axis === 0 ? size : 1));
  if (!shapesEqual(g.shape, expected)) {
    throw new StateDictError(
      `"${magnitude}" should be ${formatShape(expected)}, one magnitude for each first index of "${direction}" ${formatShape(v.shape)}, got ${formatShape(g.shape)}. Save the checkpoint again.`,
    );
  }
}

function fold(name: string, magnitude: RawTensor, direction: RawTensor): RawTensor {
  const g = toFloat32(magnitude);
  const v = toFloat32(direction);
  const row = v.length / Math.max(1, g.length);
  const weight = new Float32Array(v.length);
  for (let i = 0; i < g.length; i += 1) {
    let squares = 0;
    for (let k = i * row; k < (i + 1) * row; k += 1) squares += v[k]! * v[k]!;
    const scale = g[i]! / Math.sqrt(squares);
    for (let k = i * row; k < (i + 1) * row; k += 1) weight[k] = v[k]! * scale;
  }
  return { name, dtype: 'F32', shape: direction.shape, bytes: new Uint8Array(weight.buffer) };
}

function toFloat32({ name, dtype, bytes }: RawTensor): Float32Array {
  const { buffer } = bytes.slice(); // element views need aligned bytes
  switch (dtype) {
    case 'F32':
      return new Float32Array(buffer);
    case 'F16': {
      const table = float16Table();
      return Float32Array.from(new Uint16Array(buffer), (bits) => table[bits]!);
    }
    case 'BF16':
      return Float32Array.from(new Uint16Array(buffer), bfloat16ToNumber);
    default:
      throw new StateDictError(`"${name}" should be float32, float16 or bfloat16, got ${dtype}. Save it so.`);
  }
}
