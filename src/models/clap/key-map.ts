import { elementCount } from '../../common/assert';
import { StateDictError } from '../../common/errors';
import { BYTES_PER_ELEMENT, renameStateDict, type StateDict, type TensorEntry } from '../../weights';

/** Buffers and training's scales in transformers' checkpoints, which the model does not read. */
export const CLAP_IGNORED_KEYS: readonly RegExp[] = [
  /^logit_scale_[at]$/,
  /^text_model\.embeddings\.(position_ids|token_type_ids)$/,
  /\.relative_position_index$/,
  /\.num_batches_tracked$/,
];

/** The audio tower, which a text does not need. */
export const CLAP_AUDIO_KEYS: readonly RegExp[] = [/^audio_model\./, /^audio_projection\./];

/** Parts of LAION's checkpoints that no embedding comes from: the front end in torch, a classifier, training's heads. */
const LAION_LEFT_OUT: readonly RegExp[] = [
  /^audio_branch\.(spectrogram_extractor|logmel_extractor|tscam_conv|head)\./,
  /^audio_branch\.layers\.\d+\.blocks\.\d+\.attn_mask$/,
  /^(audio|text)_transform\./,
  /^text_branch\.embeddings\.(position_ids|token_type_ids)$/,
  /\.relative_position_index$/,
  /\.num_batches_tracked$/,
  /^logit_scale_[at]$/,
];

/** LAION's names → transformers', in this order. */
const LAION_TABLE: readonly (readonly [from: RegExp, to: string])[] = [
  [/^text_branch\./, 'text_model.'],
  [/^audio_branch\./, 'audio_model.audio_encoder.'],
  [/^((?:text|audio)_projection)\.0\./, '$1.linear1.'],
  [/^((?:text|audio)_projection)\.2\./, '$1.linear2.'],
  [/\.bn0\./, '.batch_norm.'],
  [/(\.blocks\.\d+)\.norm1\./, '$1.layernorm_before.'],
  [/(\.blocks\.\d+)\.norm2\./, '$1.layernorm_after.'],
  [/(\.blocks\.\d+)\.attn\.proj\./, '$1.attention.output.dense.'],
  [/(\.blocks\.\d+)\.attn\./, '$1.attention.self.'],
  [/(\.blocks\.\d+)\.mlp\.fc1\./, '$1.intermediate.dense.'],
  [/(\.blocks\.\d+)\.mlp\.fc2\./, '$1.output.dense.'],
];
const QKV = /^(.*\.attn)\.qkv\.(weight|bias)$/;
const PARTS = ['query', 'key', 'value'] as const;

/**
 * A checkpoint of LAION-AI/CLAP (630k-audioset-best.pt and its sisters, with `module.` before each name or without)
 * under transformers' names. Names that are in no table stay as they are, so that whoever loads them names them.
 */
export function laionClapStateDict(checkpoint: StateDict): StateDict {
  const plain = renameStateDict(checkpoint, (name) => {
    const bare = name.replace(/^module\./, '');
    return LAION_LEFT_OUT.some((pattern) => pattern.test(bare)) ? null : bare;
  });
  return renameStateDict(splitQkv(plain), (name) =>
    LAION_TABLE.reduce((renamed, [from, to]) => renamed.replace(from, to), name),
  );
}

/** Queries, keys and values lie below each other in one tensor, [3 · out, …]: each third under its own name. */
function splitQkv(source: StateDict): StateDict {
  const thirds = new Map<string, { readonly name: string; readonly part: number }>();
  for (const name of source.names()) {
    const match = QKV.exec(name);
    if (!match) continue;
    for (const [i, part] of PARTS.entries()) {
      thirds.set(`${match[1]}.${part}.${match[2]}`, { name, part: i });
    }
  }
  const whole = source.names().filter((name) => !QKV.test(name));
  return {
    names: () => [...whole, ...thirds.keys()],
    entry: (name) => {
      const third = thirds.get(name);
      if (!third) return QKV.test(name) ? undefined : source.entry(name);
      const entry = source.entry(third.name);
      return entry && { ...entry, ...thirdOf(third.name, entry) };
    },
    read: async (name) => {
      const third = thirds.get(name);
      if (!third) return source.read(name);
      const raw = await source.read(third.name);
      const { shape, byteLength } = thirdOf(third.name, { ...raw, byteLength: raw.bytes.byteLength });
      const start = third.part * byteLength;
      return { ...raw, name, shape, bytes: raw.bytes.subarray(start, start + byteLength) };
    },
  };
}

function thirdOf(
  name: string,
  { shape, dtype }: TensorEntry,
): { shape: readonly number[]; byteLength: number } {
  const [rows = 0, ...rest] = shape;
  if (rows % 3 !== 0) {
    throw new StateDictError(
      `"${name}" should hold queries, keys and values below each other, but has ${rows} rows, no multiple of 3. It is of another model.`,
    );
  }
  const part = [rows / 3, ...rest];
  return { shape: part, byteLength: elementCount(part) * BYTES_PER_ELEMENT[dtype] };
}
