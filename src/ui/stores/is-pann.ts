import type { ModelFile } from '../../engine/protocol';

const PANN_WEIGHTS = /(cnn14|\bpanns?\b)[^/]*(\/[^/]+)?\.(pth|pt|ckpt|bin|safetensors)$/i;

/** Whether files look like PANNs: weights whose name, or whose folder's name, says so, as all published ones do. */
export function isPann(files: readonly ModelFile[]): boolean {
  if (files.some(({ path }) => path.endsWith('model_index.json'))) return false;
  return files.some(({ path }) => PANN_WEIGHTS.test(path));
}
