import tokenizerJson from '../text/fixtures/byte-level-bpe-tokenizer.json' with { type: 'json' };
import { openTorchCheckpoint, type RawTensor, stateDictFromTensors } from '../weights';
import { readBlob } from './fixture';
import { safetensorsFile } from './safetensors-file';
import type { TangoReleased } from './tango-released';

const COMPONENTS = ['text_encoder', 'unet', 'vae', 'vocoder'] as const;
type ComponentName = (typeof COMPONENTS)[number];

/** What tools/fixtures/tango_released.py says of each component: its config and where its tensors are. */
interface DescribedComponent {
  readonly config: object;
  readonly tensors: Readonly<Record<string, readonly [file: string, key: string, shape: readonly number[]]>>;
}

const STEMS: Readonly<Record<ComponentName, string>> = {
  text_encoder: 'model',
  unet: 'diffusion_pytorch_model',
  vae: 'diffusion_pytorch_model',
  vocoder: 'model',
};

/**
 * The tiny published Tango as diffusers and transformers save it: a folder of safetensors with their names, whole or in
 * shards of so many tensors.
 */
export async function tangoAsDiffusers(
  released: TangoReleased,
  tensorsPerShard = Number.POSITIVE_INFINITY,
): Promise<readonly { path: string; blob: Blob }[]> {
  const url = new URL('./fixtures/tango-released/diffusers.json', import.meta.url);
  const described = JSON.parse(await (await readBlob(url)).text()) as Record<
    ComponentName | 'scheduler',
    DescribedComponent
  >;
  const sources = new Map(
    await Promise.all(
      released.files
        .filter(({ path }) => path.endsWith('.bin'))
        .map(async ({ path, blob }) => [path, await openTorchCheckpoint(blob, path)] as const),
    ),
  );
  const json = (path: string, value: unknown) => ({ path, blob: new Blob([JSON.stringify(value)]) });
  const files = [
    json('model_index.json', {
      _class_name: 'TangoPipeline',
      text_encoder: ['transformers', 'T5EncoderModel'],
      unet: ['diffusers', 'UNet2DConditionModel'],
      vae: ['diffusers', 'AutoencoderKL'],
      vocoder: ['transformers', 'SpeechT5HifiGan'],
    }),
    json('tokenizer/tokenizer.json', tokenizerJson),
    json('tokenizer/tokenizer_config.json', { model_max_length: 512, pad_token: '<pad>' }),
    json('scheduler/scheduler_config.json', described.scheduler.config),
  ];
  for (const component of COMPONENTS) {
    const { config, tensors } = described[component];
    files.push(json(`${component}/config.json`, config));
    const raws: RawTensor[] = [];
    for (const [name, [file, key, shape]] of Object.entries(tensors)) {
      raws.push({ ...(await sources.get(file)!.read(key)), name, shape });
    }
    const stem = `${component}/${STEMS[component]}`;
    if (raws.length <= tensorsPerShard) {
      files.push({
        path: `${stem}.safetensors`,
        blob: await safetensorsFile(stateDictFromTensors(raws)),
      });
      continue;
    }
    const weightMap: Record<string, string> = {};
    for (let start = 0, shard = 1; start < raws.length; start += tensorsPerShard, shard += 1) {
      const part = raws.slice(start, start + tensorsPerShard);
      const path = `${stem}-0000${shard}.safetensors`;
      for (const { name } of part) weightMap[name] = path.slice(component.length + 1);
      files.push({ path, blob: await safetensorsFile(stateDictFromTensors(part)) });
    }
    files.push(json(`${stem}.safetensors.index.json`, { metadata: {}, weight_map: weightMap }));
  }
  return files;
}
