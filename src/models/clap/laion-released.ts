/**
 * The files that LAION-AI publishes: one .pt of torch.save, no config. Sizes are read from the tensors; what no shape
 * tells is the same in all of them (HTSAT's square of 256, RoBERTa-base's norms, the 48 kHz front end).
 */
import { InvalidConfigError, ModelNotFoundError, StateDictError } from '../../common/errors';
import { type ModelFolder, openWeights, type StateDict } from '../../weights';
import { laionClapStateDict } from './key-map';

const SPEC_SIZE = 256;
/** roberta-base's width of a head. */
const HEAD_WIDTH = 64;
/** LAION's tokenizer call cuts captions there. */
const MAX_TOKENS = 77;

/** preprocessor_config.json of LAION's non-fusion models (audio_cfg of HTSAT-tiny.json). */
const FRONT_END = {
  feature_extractor_type: 'ClapFeatureExtractor',
  feature_size: 64,
  sampling_rate: 48_000,
  hop_length: 480,
  fft_window_size: 1024,
  max_length_s: 10,
  frequency_min: 50,
  frequency_max: 14_000,
  truncation: 'rand_trunc',
  padding: 'repeatpad',
};

/**
 * LAION's .pt with RoBERTa's tokenizer.json as a transformers folder; null when `files` are of another layout.
 *
 * @throws ModelNotFoundError without the tokenizer, InvalidConfigError for a fusion or PANN model, StateDictError,
 *   WeightsFormatError
 */
export async function openLaionReleased(files: ModelFolder): Promise<ModelFolder | null> {
  const path = files.list().find((name) => /\.(pt|ckpt|pth)$/.test(name));
  if (path === undefined || files.has('config.json')) return null;
  const tokenizer = files.list().find((name) => /(^|\/)tokenizer\.json$/.test(name));
  if (tokenizer === undefined) {
    throw new ModelNotFoundError(
      `${path} holds no tokenizer: LAION’s code takes roberta-base’s. Download tokenizer.json from there and choose it together with the .pt file.`,
    );
  }
  const given = await openWeights(await files.blob(path), path);
  const bare = given.names().map((name) => name.replace(/^module\./, ''));
  if (!bare.some((name) => name.startsWith('text_branch.')) || !bare.includes('audio_branch.bn0.weight')) {
    throw new InvalidConfigError(
      `${path} should be a CLAP of LAION with HTSAT and RoBERTa (text_branch.*, audio_branch.bn0.*), but holds ${bare.slice(0, 4).join(', ') || 'nothing'}. Use 630k-audioset-best.pt, 630k-best.pt, or a transformers folder.`,
    );
  }
  if (bare.some((name) => /^audio_branch\.(patch_embed\.)?(fusion_model|mel_conv)/.test(name))) {
    throw new InvalidConfigError(
      `${path} is a CLAP with feature fusion, whose input is another one. Use a model without it: 630k-audioset-best.pt or 630k-best.pt.`,
    );
  }
  const stateDict = laionClapStateDict(given);
  const json = (value: unknown): Blob => new Blob([JSON.stringify(value)]);
  const documents = new Map<string, Blob>([
    ['config.json', json(configOf(stateDict))],
    ['preprocessor_config.json', json({ ...FRONT_END, feature_size: melBinsOf(stateDict) })],
    ['tokenizer.json', await files.blob(tokenizer)],
    ['tokenizer_config.json', json({ pad_token: '<pad>', model_max_length: MAX_TOKENS })],
  ]);
  const blob = async (name: string): Promise<Blob> => {
    const found = documents.get(name);
    if (found) return found;
    throw new ModelNotFoundError(`LAION’s published files hold no "${name}".`);
  };
  return {
    list: () => [...documents.keys()],
    has: (name) => documents.has(name),
    blob,
    json: async (name) => JSON.parse(await (await blob(name)).text()) as unknown,
    stateDict: async () => stateDict,
  };
}

function melBinsOf(weights: StateDict): number {
  return size(weights, 'audio_model.audio_encoder.batch_norm.weight', 0);
}

/** A transformers ClapConfig from the shapes. */
function configOf(weights: StateDict): object {
  const encoder = 'audio_model.audio_encoder';
  const count = (pattern: RegExp): number =>
    new Set(weights.names().flatMap((name) => pattern.exec(name)?.[1] ?? [])).size;
  const stages = count(/^audio_model\.audio_encoder\.layers\.(\d+)\./);
  const biases = (stage: number): string =>
    `${encoder}.layers.${stage}.blocks.0.attention.self.relative_position_bias_table`;
  const each = <T>(of: (stage: number) => T): T[] => Array.from({ length: stages }, (_, stage) => of(stage));
  const width = size(weights, 'text_model.embeddings.word_embeddings.weight', 1);
  return {
    model_type: 'clap',
    projection_dim: size(weights, 'text_projection.linear2.weight', 0),
    projection_hidden_act: 'relu',
    text_config: {
      vocab_size: size(weights, 'text_model.embeddings.word_embeddings.weight', 0),
      hidden_size: width,
      num_hidden_layers: count(/^text_model\.encoder\.layer\.(\d+)\./),
      num_attention_heads: Math.max(1, Math.floor(width / HEAD_WIDTH)),
      intermediate_size: size(weights, 'text_model.encoder.layer.0.intermediate.dense.weight', 0),
      max_position_embeddings: size(weights, 'text_model.embeddings.position_embeddings.weight', 0),
      type_vocab_size: size(weights, 'text_model.embeddings.token_type_embeddings.weight', 0),
      layer_norm_eps: 1e-5,
      pad_token_id: 1,
    },
    audio_config: {
      num_mel_bins: melBinsOf(weights),
      spec_size: SPEC_SIZE,
      patch_size: size(weights, `${encoder}.patch_embed.proj.weight`, 2),
      patch_stride: [4, 4],
      patch_embeds_hidden_size: size(weights, `${encoder}.patch_embed.proj.weight`, 0),
      depths: each((stage) =>
        count(new RegExp(`^audio_model\\.audio_encoder\\.layers\\.${stage}\\.blocks\\.(\\d+)\\.`)),
      ),
      num_attention_heads: each((stage) => size(weights, biases(stage), 1)),
      window_size: (Math.sqrt(size(weights, biases(0), 0)) + 1) / 2,
    },
  };
}

/** The size of a tensor's axis. @throws StateDictError when there is no such tensor */
function size(weights: StateDict, name: string, axis: number): number {
  const found = weights.entry(name)?.shape[axis];
  if (found !== undefined) return found;
  throw new StateDictError(
    `Expected "${name}" (in transformers’ names) in LAION’s checkpoint; it is not there. Download the file again.`,
  );
}
