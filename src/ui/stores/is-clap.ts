import type { ModelFile } from '../../engine/protocol';

/** Whether files look like a CLAP: LAION's .pt, or a transformers folder with what its audio goes through first. */
export function isClap(files: readonly ModelFile[]): boolean {
  const names = files.map(({ path }) => path.slice(path.lastIndexOf('/') + 1));
  if (names.includes('model_index.json')) return false;
  return names.some((name) => /\.(pt|pth|ckpt)$/.test(name) || name === 'preprocessor_config.json');
}
