import { InvalidInputError, StateDictError } from '../../common/errors';
import { float16Table } from '../../common/float16';
import { openSafetensors, type RawTensor } from '../../weights';
import { parseJsonFile } from '../../weights/model-folder';
import type { LoraTensor } from './lora-adapter';
import { type LoraConfig, parsePeftConfig, peftConfigJson } from './lora-config';
import { safetensorsBlob } from './safetensors-blob';

/** Adapters as other tools have them: PEFT's folder and diffusers' single file. */

export interface AdapterFile {
  readonly path: string;
  readonly blob: Blob;
}

export interface AdapterContents {
  readonly config: LoraConfig;
  readonly tensors: ReadonlyMap<string, LoraTensor>;
}

/** Before the layer's path: in PEFT's files, in diffusers', and in this studio. */
const PREFIXES = ['base_model.model.', 'unet.', ''] as const;
const WEIGHTS_FILE = 'adapter_model.safetensors';
const CONFIG_FILE = 'adapter_config.json';

/**
 * adapter_model.safetensors and adapter_config.json, which `PeftModel.from_pretrained(unet, folder)` loads, and
 * pytorch_lora_weights.safetensors, which `pipeline.load_lora_weights(folder)` of diffusers loads.
 *
 * @param baseModel name of the model that the adapter is for
 */
export function writeAdapterFiles(
  { config, tensors }: AdapterContents,
  baseModel: string,
): readonly AdapterFile[] {
  const peftJson = peftConfigJson(config, baseModel);
  const named = (prefix: string): ReadonlyMap<string, LoraTensor> =>
    new Map([...tensors].map(([name, tensor]) => [`${prefix}${name}`, tensor]));
  return [
    { path: WEIGHTS_FILE, blob: safetensorsBlob(named('base_model.model.')) },
    {
      path: CONFIG_FILE,
      blob: new Blob([`${JSON.stringify(peftJson, null, 2)}\n`], { type: 'application/json' }),
    },
    {
      path: 'pytorch_lora_weights.safetensors',
      // diffusers reads alpha from here; without it the scale would be 1.
      blob: safetensorsBlob(named('unet.'), {
        lora_adapter_metadata: JSON.stringify(diffusersMetadata(config)),
      }),
    },
  ];
}

function diffusersMetadata({ rank, alpha, targetModules }: LoraConfig): Record<string, unknown> {
  return { 'unet.r': rank, 'unet.lora_alpha': alpha, 'unet.target_modules': [...targetModules] };
}

/**
 * Reads PEFT's two files.
 * @throws InvalidInputError when one is missing, InvalidConfigError, WeightsFormatError, StateDictError
 */
export async function readAdapterFiles(files: readonly AdapterFile[]): Promise<AdapterContents> {
  const find = (name: string): Blob => {
    const file = files.find(({ path }) => path === name || path.endsWith(`/${name}`));
    if (file) return file.blob;
    throw new InvalidInputError(
      `An adapter is a folder with ${CONFIG_FILE} and ${WEIGHTS_FILE}, but ${files.map(({ path }) => path).join(', ') || 'no file'} came. Choose the folder that PEFT saved.`,
    );
  };
  const config = parsePeftConfig(parseJsonFile(CONFIG_FILE, await find(CONFIG_FILE).text()));
  const file = await openSafetensors(find(WEIGHTS_FILE), WEIGHTS_FILE);
  const tensors = new Map<string, LoraTensor>();
  for (const name of file.names()) tensors.set(layerName(name), decode(await file.read(name)));
  return { config, tensors };
}

function layerName(name: string): string {
  const prefix = PREFIXES.find((candidate) => name.startsWith(candidate)) ?? '';
  return name.slice(prefix.length).replace(/\.(lora_[AB])\.default\.weight$/, '.$1.weight');
}

function decode({ name, dtype, shape, bytes }: RawTensor): LoraTensor {
  const [rows, columns] = shape;
  if (rows === undefined || columns === undefined || shape.length !== 2) {
    throw new StateDictError(
      `"${name}" should be a matrix, got [${shape.join(', ')}]: LoRA of convolutions is not supported.`,
    );
  }
  const words = bytes.slice().buffer;
  const table = float16Table();
  if (dtype === 'F32') return finite(name, { shape: [rows, columns], data: new Float32Array(words) });
  if (dtype === 'F16') {
    return finite(name, {
      shape: [rows, columns],
      data: Float32Array.from(new Uint16Array(words), (bits) => table[bits]!),
    });
  }
  throw new StateDictError(
    `"${name}" should be float32 or float16, got ${dtype}. Save the adapter in one of these.`,
  );
}

function finite(name: string, tensor: LoraTensor): LoraTensor {
  if (tensor.data.every(Number.isFinite)) return tensor;
  throw new StateDictError(
    `"${name}" has NaN or infinity: its training diverged. Use an earlier checkpoint.`,
  );
}
