import type { ModelFile } from '../../engine/protocol';

/** Whether files look like a LoRA rather than a model: PEFT's config among them, or one weights file by itself. */
export function isAdapter(files: readonly ModelFile[]): boolean {
  const names = files.map(({ path }) => path.slice(path.lastIndexOf('/') + 1));
  if (names.includes('model_index.json')) return false;
  const [only = ''] = names;
  return (
    names.includes('adapter_config.json') ||
    (names.length === 1 && /\.safetensors$|^(adapter_model|pytorch_lora_weights)\.bin$/.test(only))
  );
}
