import type { AdapterContents, AdapterFile } from './adapter-formats';
import { type LoraConfig, peftConfigJson } from './lora-config';
import type { LoraTensor } from './lora-tensor';
import { LINEAGE_KEY, safetensorsBlob } from './safetensors-blob';

/**
 * adapter_model.safetensors and adapter_config.json, which `PeftModel.from_pretrained(unet, folder)` loads, and
 * pytorch_lora_weights.safetensors, which `pipeline.load_lora_weights(folder)` of diffusers loads.
 *
 * @param baseModel name of the model that the adapter is for
 * @param lineage where it comes from, as JSON: in the weights' metadata, which other tools pass over
 */
export function writeAdapterFiles(
  { config, tensors }: AdapterContents,
  baseModel: string,
  lineage?: string,
): readonly AdapterFile[] {
  const peftJson = peftConfigJson(config, baseModel);
  const origin = lineage === undefined ? {} : { [LINEAGE_KEY]: lineage };
  const named = (prefix: string): ReadonlyMap<string, LoraTensor> =>
    new Map([...tensors].map(([name, tensor]) => [`${prefix}${name}`, tensor]));
  return [
    { path: 'adapter_model.safetensors', blob: safetensorsBlob(named('base_model.model.'), origin) },
    {
      path: 'adapter_config.json',
      blob: new Blob([`${JSON.stringify(peftJson, null, 2)}\n`], { type: 'application/json' }),
    },
    {
      path: 'pytorch_lora_weights.safetensors',
      // diffusers reads alpha from here; without it the scale would be 1.
      blob: safetensorsBlob(named('unet.'), {
        ...origin,
        lora_adapter_metadata: JSON.stringify(diffusersMetadata(config)),
      }),
    },
  ];
}

function diffusersMetadata({
  rank,
  alpha,
  targetModules,
  rankPattern,
  alphaPattern,
}: LoraConfig): Record<string, unknown> {
  return {
    'unet.r': rank,
    'unet.lora_alpha': alpha,
    'unet.target_modules': [...targetModules],
    ...(rankPattern && { 'unet.rank_pattern': rankPattern }),
    ...(alphaPattern && { 'unet.alpha_pattern': alphaPattern }),
  };
}
