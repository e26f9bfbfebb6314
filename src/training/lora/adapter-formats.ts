import { InvalidInputError, StateDictError } from '../../common/errors';
import { nearestNames } from '../../common/nearest-names';
import { float32Values, openSafetensors, openWeights, type RawTensor, type StateDict } from '../../weights';
import { parseJsonFile } from '../../weights/model-folder';
import { parseLoraTensorName } from './adapter-names';
import { type LoraConfig, parsePeftConfig } from './lora-config';
import type { LoraTensor } from './lora-tensor';
import { LINEAGE_KEY } from './safetensors-blob';

/** Adapters as other tools save them: PEFT's folder, diffusers' and kohya's single files. */

export interface AdapterFile {
  readonly path: string;
  readonly blob: Blob;
}

export interface AdapterContents {
  readonly config: LoraConfig;
  /** `<path>.lora_A.weight` [rank, in] and `<path>.lora_B.weight` [out, rank]; of convolutions with their kernels. */
  readonly tensors: ReadonlyMap<string, LoraTensor>;
}

/** A file that has been read; which layers of a model it is for is not known yet. */
export interface ParsedAdapter {
  readonly name: string;
  /** What the file says beside its tensors (PEFT's config, diffusers' metadata); null when it says nothing. */
  readonly config: LoraConfig | null;
  /** What the studio wrote into the file of where it comes from; null in files of other tools. */
  readonly origin: string | null;
  readonly layers: readonly ParsedLayer[];
}

interface ParsedLayer {
  /** As it is in the file, for messages. */
  readonly name: string;
  readonly underscored: boolean;
  readonly down: LoraTensor; // [rank, in] or [rank, in, kh, kw]
  readonly up: LoraTensor; // [out, rank] or [out, rank, 1, 1]
  readonly alpha: number | null;
}

const CONFIG_FILE = 'adapter_config.json';
const WEIGHTS = /\.(safetensors|bin|pt|pth|ckpt)$/;
/** Of a folder that holds one adapter under several names, PEFT's comes first: its config lies beside it. */
const PEFT_WEIGHTS = /(^|\/)adapter_model\.\w+$/;
const PEFT_PREFIX = 'base_model.model.';
const METADATA_KEY = 'lora_adapter_metadata';

/**
 * Reads the files of one adapter.
 * @throws InvalidInputError when there is none, or more than one; InvalidConfigError, WeightsFormatError,
 *   StateDictError when it is no LoRA
 */
export async function readAdapterFiles(files: readonly AdapterFile[]): Promise<ParsedAdapter> {
  const { path, blob } = weightsOf(files);
  const configFile = files.find((file) => file.path === CONFIG_FILE || file.path.endsWith(`/${CONFIG_FILE}`));
  const stateDict = await openWeights(blob, path);
  checkSize(stateDict, blob, path);
  if (!configFile && stateDict.names().some((name) => name.startsWith(PEFT_PREFIX))) {
    throw new InvalidInputError(
      `"${path}" is of PEFT, which keeps the scale in ${CONFIG_FILE}; that file did not come. Choose both, or the folder that PEFT saved.`,
    );
  }
  const metadata = path.endsWith('.safetensors') ? (await openSafetensors(blob, path)).metadata : null;
  const config = configFile
    ? parsePeftConfig(parseJsonFile(CONFIG_FILE, await configFile.blob.text()))
    : configInMetadata(metadata?.get(METADATA_KEY), path);
  const origin = metadata?.get(LINEAGE_KEY) ?? null;
  return { name: nameOf(path), config, origin, layers: await readLayers(stateDict, path) };
}

function weightsOf(files: readonly AdapterFile[]): AdapterFile {
  const weights = files.filter(({ path }) => WEIGHTS.test(path));
  const chosen = weights.find(({ path }) => PEFT_WEIGHTS.test(path)) ?? weights[0];
  const listed = files.map(({ path }) => path).join(', ') || 'no file';
  if (!chosen) {
    throw new InvalidInputError(
      `An adapter is a .safetensors file, or a folder with ${CONFIG_FILE} and adapter_model.safetensors, but ${listed} came. Choose the file, or the folder that PEFT saved.`,
    );
  }
  if (weights.length > 1 && !PEFT_WEIGHTS.test(chosen.path)) {
    throw new InvalidInputError(`Expected the file of one adapter, got ${listed}. Add them one by one.`);
  }
  return chosen;
}

/** Tensors of a torch file may share their bytes; those of an adapter are all read, and are its own. */
function checkSize(stateDict: StateDict, blob: Blob, path: string): void {
  const bytes = stateDict.names().reduce((sum, name) => sum + (stateDict.entry(name)?.byteLength ?? 0), 0);
  if (bytes <= blob.size) return;
  throw new StateDictError(
    `The tensors of ${path} have ${bytes} bytes, but the file has ${blob.size}: some share theirs. Save the adapter as safetensors.`,
  );
}

/** What diffusers (0.35 and newer) writes into the header: PEFT's config, its fields behind "unet.". */
function configInMetadata(text: string | undefined, path: string): LoraConfig | null {
  if (text === undefined) return null;
  const fields = Object.entries(Object(parseJsonFile(`${METADATA_KEY} of ${path}`, text)));
  return parsePeftConfig(
    Object.fromEntries([
      ['peft_type', 'LORA'],
      ...fields.map(([name, value]) => [name.replace(/^unet\./, ''), value]),
    ]),
  );
}

/** "rain.safetensors" -> "rain"; a name that says nothing gives way to its folder's. */
function nameOf(path: string): string {
  const parts = path.split('/');
  const file = (parts.pop() ?? '').replace(WEIGHTS, '');
  const generic = /^(adapter_model|pytorch_lora_weights)$/.test(file);
  return (generic ? parts.at(-1) : file) || 'Imported adapter';
}

async function readLayers(stateDict: StateDict, path: string): Promise<readonly ParsedLayer[]> {
  const layers = new Map<
    string,
    { underscored: boolean; down?: LoraTensor; up?: LoraTensor; alpha?: number }
  >();
  for (const name of stateDict.names()) {
    const parsed = parseLoraTensorName(name);
    if (!parsed) {
      throw new StateDictError(
        `"${name}" of ${path} is no tensor of a LoRA: expected names that end in lora_A.weight and lora_B.weight, lora.down.weight and lora.up.weight, or lora_down.weight, lora_up.weight and alpha. LoHa, LoKr and DoRA cannot be used.`,
      );
    }
    const layer = layers.get(parsed.layer) ?? { underscored: parsed.underscored };
    layers.set(parsed.layer, layer);
    const field = ({ lora_A: 'down', lora_B: 'up', alpha: 'alpha' } as const)[parsed.kind];
    if (layer[field] !== undefined) {
      throw new StateDictError(`${path} has the layer "${parsed.layer}" twice, under two names ("${name}").`);
    }
    const raw = await stateDict.read(name);
    if (field === 'alpha') layer.alpha = scalarOf(raw);
    else layer[field] = lowRankOf(raw, field);
  }
  if (layers.size === 0) throw new StateDictError(`${path} holds no tensors. Save the adapter again.`);
  return [...layers].map(([name, { underscored, down, up, alpha }]) => {
    if (!down || !up) {
      throw new StateDictError(
        `${path} has only ${down ? 'lora_A (down)' : up ? 'lora_B (up)' : 'alpha'} of the layer "${name}". The file is not whole; download or save it again.`,
      );
    }
    if (down.shape[0] !== up.shape[1]) {
      throw new StateDictError(
        `The layer "${name}" of ${path} has a rank of ${down.shape[0]} in lora_A (down) and ${up.shape[1]} in lora_B (up). The file is damaged; save it again.`,
      );
    }
    return { name, underscored, down, up, alpha: alpha ?? null };
  });
}

function scalarOf(raw: RawTensor): number {
  const [alpha, ...more] = raw.dtype === 'I64' ? integers(raw) : float32Values(raw);
  if (alpha !== undefined && more.length === 0 && Number.isFinite(alpha) && alpha > 0) return alpha;
  throw new StateDictError(`"${raw.name}" should be one number above 0, got ${[alpha, ...more].join(', ')}.`);
}

/** Scripts that make alpha of a Python integer save it so. */
function integers({ bytes }: RawTensor): readonly number[] {
  return Array.from(new BigInt64Array(bytes.slice().buffer), Number);
}

/** A matrix, or the kernel of a convolution, whose up half is one of 1x1. */
function lowRankOf(raw: RawTensor, half: 'down' | 'up'): LoraTensor {
  const { shape } = raw;
  const isKernel = shape.length === 4 && (half === 'down' || shape.slice(2).every((size) => size === 1));
  if (shape.length !== 2 && !isKernel) {
    throw new StateDictError(
      `"${raw.name}" should be a matrix${half === 'down' ? ' or a kernel [rank, in, height, width]' : ', or one as a kernel of 1x1'}, got [${shape.join(', ')}].`,
    );
  }
  const data = Float32Array.from(float32Values(raw));
  if (data.every(Number.isFinite)) return { shape, data };
  throw new StateDictError(
    `"${raw.name}" has NaN or infinity: its training diverged. Use an earlier checkpoint.`,
  );
}

/**
 * The adapter for a model: its layers' names are those of the model, and rank and alpha are what the file says. A layer
 * without an alpha has its rank's, so that its product counts as it is.
 *
 * @param paths of the layers that an adapter may attach to
 * @throws StateDictError for layers that the model does not have, with the nearest ones that it has
 */
export function resolveAdapter(
  { name, config, layers }: ParsedAdapter,
  paths: readonly string[],
): AdapterContents {
  const byUnderscored = new Map(paths.map((path) => [path.replaceAll('.', '_'), path]));
  const known = new Set(paths);
  const strangers: string[] = [];
  const resolved = layers.flatMap((layer) => {
    const path = layer.underscored ? byUnderscored.get(layer.name) : layer.name;
    if (path !== undefined && known.has(path)) return [{ ...layer, path }];
    strangers.push(layer.name);
    return [];
  });
  if (strangers.length > 0) {
    const described = strangers.slice(0, 2).map((stranger) => {
      const near = nearestNames(stranger, paths).slice(0, 2);
      return `"${stranger}"${near.length > 0 ? ` (nearest: ${near.join(', ')})` : ''}`;
    });
    throw new StateDictError(
      `The adapter "${name}" is of another model: ${strangers.length} of its ${layers.length} layers are not in this one: ${described.join(', ')}${strangers.length > 2 ? ` and ${strangers.length - 2} more` : ''}. Use it with the model that it was trained for.`,
    );
  }
  const tensors = new Map(
    resolved.flatMap(({ path, down, up }): [string, LoraTensor][] => [
      [`${path}.lora_A.weight`, down],
      [`${path}.lora_B.weight`, up],
    ]),
  );
  return { config: config ?? configOf(resolved), tensors };
}

type ResolvedLayer = ParsedLayer & { readonly path: string };

/** The commonest rank and alpha for all, and the others by name, as PEFT writes them. */
function configOf(layers: readonly ResolvedLayer[]): LoraConfig {
  const rankOf = ({ down }: ResolvedLayer): number => down.shape[0] ?? 0;
  const alphaOf = (layer: ResolvedLayer): number => layer.alpha ?? rankOf(layer);
  const rank = commonest(layers.map(rankOf));
  const alpha = commonest(layers.map(alphaOf));
  const others = (measure: (layer: ResolvedLayer) => number, usual: number) =>
    Object.fromEntries(
      layers.filter((layer) => measure(layer) !== usual).map((layer) => [layer.path, measure(layer)]),
    );
  const rankPattern = others(rankOf, rank);
  const alphaPattern = others(alphaOf, alpha);
  return {
    rank,
    alpha,
    targetModules: layers.map(({ path }) => path).sort(),
    ...(Object.keys(rankPattern).length > 0 && { rankPattern }),
    ...(Object.keys(alphaPattern).length > 0 && { alphaPattern }),
  };
}

function commonest(values: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? 0;
}
