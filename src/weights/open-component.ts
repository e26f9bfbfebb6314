import { ModelNotFoundError, WeightsFormatError } from '../common/errors';
import { openSafetensors } from './formats/safetensors';
import { openTorchCheckpoint } from './formats/torch-checkpoint';
import type { ModelFolder } from './model-folder';
import { noSuchTensor, type StateDict } from './state-dict';

/** What diffusers and transformers call a component's weights; safetensors first, then torch.save's. */
const STEMS = ['diffusion_pytorch_model', 'model', 'pytorch_model'];
const FORMATS = ['safetensors', 'bin'];
/** Half-precision variants come second: a folder with both was made for float32 first. */
const VARIANTS = ['', '.fp16'];

/**
 * Opens the weights of one component of a diffusers folder ("unet", "vae", …; '' for the folder itself): a single
 * file, safetensors or torch.save's, or the shards that an index.json lists.
 *
 * @throws ModelNotFoundError when no weights file is there, WeightsFormatError when one is damaged.
 */
export async function openComponentStateDict(folder: ModelFolder, component: string): Promise<StateDict> {
  if (folder.stateDict) return folder.stateDict(component);
  const prefix = component === '' ? '' : `${component}/`;
  const tried: string[] = [];
  for (const variant of VARIANTS) {
    for (const stem of STEMS) {
      for (const format of FORMATS) {
        const single = `${prefix}${stem}${variant}.${format}`;
        if (folder.has(single)) return openWeights(await folder.blob(single), single);
        // diffusers writes model.safetensors.index.fp16.json, transformers model.fp16.safetensors.index.json.
        const indices = new Set([
          `${prefix}${stem}.${format}.index${variant}.json`,
          `${prefix}${stem}${variant}.${format}.index.json`,
        ]);
        for (const index of indices) if (folder.has(index)) return openShards(folder, prefix, index);
        tried.push(single);
      }
    }
  }
  const present = folder.list().filter((path) => path.startsWith(prefix));
  throw new ModelNotFoundError(
    `Expected the weights of "${component}" in one of ${tried.join(', ')}; the folder has ` +
      `${present.slice(0, 12).join(', ') || 'no file there'}. Save the model with safe_serialization=True.`,
  );
}

/** Opens a weights file by its name: safetensors, or torch.save's .bin, .pt, .ckpt. @throws WeightsFormatError */
export function openWeights(blob: Blob, path: string): Promise<StateDict> {
  return /\.(bin|pt|pth|ckpt)$/.test(path) ? openTorchCheckpoint(blob, path) : openSafetensors(blob, path);
}

/** One state dict over the shards of an index; each shard's header is checked, and that it holds what the index says. */
async function openShards(folder: ModelFolder, prefix: string, indexPath: string): Promise<StateDict> {
  const shardOfTensor = parseWeightMap(await folder.json(indexPath), indexPath);
  const shards = new Map<string, StateDict>();
  for (const file of new Set(shardOfTensor.values())) {
    const path = `${prefix}${file}`;
    shards.set(file, await openWeights(await folder.blob(path), path));
  }
  for (const [name, file] of shardOfTensor) {
    if (!shards.get(file)?.entry(name)) {
      throw new WeightsFormatError(
        `${indexPath}: expected "${name}" in the shard "${file}", it is not there. ` +
          'Index and shards are of different downloads; download all of them again.',
      );
    }
  }
  const shardOf = (name: string): StateDict | undefined => shards.get(shardOfTensor.get(name) ?? '');
  return {
    names: () => [...shardOfTensor.keys()],
    entry: (name) => shardOf(name)?.entry(name),
    read: async (name) => {
      const shard = shardOf(name);
      if (!shard) throw noSuchTensor(name, indexPath);
      return shard.read(name);
    },
  };
}

function parseWeightMap(index: unknown, indexPath: string): ReadonlyMap<string, string> {
  const weightMap =
    typeof index === 'object' && index !== null && 'weight_map' in index ? index.weight_map : undefined;
  if (typeof weightMap !== 'object' || weightMap === null || Array.isArray(weightMap)) {
    throw new WeightsFormatError(
      `${indexPath}: expected a "weight_map" of tensor names to shard files. Download the file again.`,
    );
  }
  const entries = Object.entries(weightMap).map(([name, file]: [string, unknown]): [string, string] => {
    if (typeof file !== 'string' || file.includes('/') || file.includes('\\')) {
      throw new WeightsFormatError(
        `${indexPath}: expected the shard of "${name}" to be a file beside the index, got ${JSON.stringify(file)}.`,
      );
    }
    return [name, file];
  });
  return new Map(entries);
}
