import { StateDictError } from '../common/errors';

/** Element types of checkpoints, by their safetensors names. */
export type TensorDtype =
  | 'BOOL'
  | 'U8'
  | 'I8'
  | 'I16'
  | 'U16'
  | 'F16'
  | 'BF16'
  | 'I32'
  | 'U32'
  | 'F32'
  | 'I64'
  | 'U64'
  | 'F64';

export const BYTES_PER_ELEMENT: Readonly<Record<TensorDtype, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  I64: 8,
  U64: 8,
  F64: 8,
};

/** What is known of a tensor before its bytes are read. */
export interface TensorEntry {
  readonly dtype: TensorDtype;
  readonly shape: readonly number[];
  readonly byteLength: number;
}

/** A tensor as it lies in the file: row-major, PyTorch order, little endian. */
export interface RawTensor {
  readonly name: string;
  readonly dtype: TensorDtype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** The named tensors of a checkpoint; bytes are read when asked for, one tensor at a time. */
export interface StateDict {
  names(): readonly string[];
  entry(name: string): TensorEntry | undefined;
  /** @throws StateDictError when there is no such tensor. */
  read(name: string): Promise<RawTensor>;
}

export function noSuchTensor(name: string, label: string): StateDictError {
  return new StateDictError(`Expected a tensor named "${name}" in ${label}, there is none.`);
}

/** A state dict of tensors that are in memory already. */
export function stateDictFromTensors(tensors: Iterable<RawTensor>, label = 'the state dict'): StateDict {
  const byName = new Map<string, RawTensor>();
  for (const tensor of tensors) byName.set(tensor.name, tensor);
  return {
    names: () => [...byName.keys()],
    entry: (name) => {
      const tensor = byName.get(name);
      return tensor && { dtype: tensor.dtype, shape: tensor.shape, byteLength: tensor.bytes.byteLength };
    },
    read: async (name) => {
      const tensor = byName.get(name);
      if (!tensor) throw noSuchTensor(name, label);
      return tensor;
    },
  };
}

/**
 * The same tensors under other names: how a model's key map is applied.
 *
 * @param rename the model's name for a checkpoint's name, or null to leave the tensor out.
 * @throws StateDictError when two tensors would get one name.
 */
export function renameStateDict(source: StateDict, rename: (name: string) => string | null): StateDict {
  const sourceNames = new Map<string, string>();
  for (const name of source.names()) {
    const renamed = rename(name);
    if (renamed === null) continue;
    const other = sourceNames.get(renamed);
    if (other !== undefined) {
      throw new StateDictError(
        `Expected one tensor for the parameter "${renamed}", got two: "${other}" and "${name}". ` +
          'The checkpoint mixes two naming schemes; save it again with one version of the library.',
      );
    }
    sourceNames.set(renamed, name);
  }
  return {
    names: () => [...sourceNames.keys()],
    entry: (name) => {
      const sourceName = sourceNames.get(name);
      return sourceName === undefined ? undefined : source.entry(sourceName);
    },
    read: async (name) => {
      const sourceName = sourceNames.get(name);
      if (sourceName === undefined) throw noSuchTensor(name, 'the renamed state dict');
      return { ...(await source.read(sourceName)), name };
    },
  };
}
