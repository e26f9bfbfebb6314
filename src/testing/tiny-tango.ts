import tokenizerJson from '../text/fixtures/byte-level-bpe-tokenizer.json' with { type: 'json' };
import { folderFromFiles, type ModelFolder } from '../weights';
import { type Fixture, loadFixture } from './fixture';
import { randomStateDict } from './random-state-dict';
import { safetensorsFile } from './safetensors-file';

/** A request of the fixture, all but what the tests add. */
export interface TinyTangoRequest {
  readonly scheduler: 'ddpm' | 'ddim' | 'dpm-solver++';
  readonly seed: number;
  readonly negativePrompt: string;
  readonly guidanceScale: number;
  readonly durationSeconds: number;
  readonly steps: number;
}

export interface TinyTango {
  /** The files of a diffusers folder, as a person would pick them. */
  readonly files: readonly { path: string; blob: Blob }[];
  readonly folder: ModelFolder;
  /** PyTorch's tensors of every stage: `<request>/<stage>`. */
  readonly fixture: Fixture;
  readonly prompt: string;
  readonly requests: Readonly<Record<string, TinyTangoRequest>>;
}

const WEIGHT_FILES = {
  text_encoder: 'model.safetensors',
  unet: 'diffusion_pytorch_model.safetensors',
  vae: 'diffusion_pytorch_model.safetensors',
  vocoder: 'model.safetensors',
} as const;

/**
 * A complete Tango of 180,000 parameters whose every stage is known from PyTorch (tools/fixtures/pipeline.py): 1,600 Hz,
 * 16 mel bins, 100 frames a second.
 *
 * @param dtype F16 stores the weights in half precision
 */
export async function tinyTango(dtype: 'F32' | 'F16' = 'F32'): Promise<TinyTango> {
  const fixture = await loadFixture(new URL('./fixtures/tiny-tango.safetensors', import.meta.url));
  const index = { _class_name: 'TangoPipeline', unet: ['diffusers', 'UNet2DConditionModel'] };
  const files = await filesOf(fixture, index, dtype);
  return {
    files,
    folder: folderFromFiles(files),
    fixture,
    prompt: fixture.metadata('prompt'),
    requests: fixture.metadata('requests'),
  };
}

/** A complete AudioLDM (tools/fixtures/audioldm.py), in the sizes of the Tango above. */
export async function tinyAudioldm(): Promise<Omit<TinyTango, 'requests'> & { request: TinyTangoRequest }> {
  const fixture = await loadFixture(new URL('./fixtures/tiny-audioldm.safetensors', import.meta.url));
  const index = {
    _class_name: 'AudioLDMPipeline',
    text_encoder: ['transformers', 'ClapTextModelWithProjection'],
    unet: ['diffusers', 'UNet2DConditionModel'],
  };
  const files = await filesOf(fixture, index, 'F32');
  return {
    files,
    folder: folderFromFiles(files),
    fixture,
    prompt: fixture.metadata('prompt'),
    request: fixture.metadata('request'),
  };
}

async function filesOf(
  fixture: Fixture,
  modelIndex: object,
  dtype: 'F32' | 'F16',
): Promise<readonly { path: string; blob: Blob }[]> {
  const configs = fixture.metadata<Record<string, object>>('configs');
  const shapes = fixture.metadata<Record<keyof typeof WEIGHT_FILES, Record<string, number[]>>>('state_dicts');
  const seeds = fixture.metadata<Record<keyof typeof WEIGHT_FILES, number>>('seeds');
  const files = [
    jsonFile('model_index.json', modelIndex),
    jsonFile('tokenizer/tokenizer.json', tokenizerJson),
    jsonFile('tokenizer/tokenizer_config.json', { model_max_length: 512, pad_token: '<pad>' }),
    jsonFile('scheduler/scheduler_config.json', configs.scheduler),
  ];
  for (const name of ['text_encoder', 'unet', 'vae', 'vocoder'] as const) {
    files.push(jsonFile(`${name}/config.json`, configs[name]));
    const stateDict = randomStateDict(shapes[name], seeds[name], dtype);
    files.push({ path: `${name}/${WEIGHT_FILES[name]}`, blob: await safetensorsFile(stateDict) });
  }
  return files;
}

function jsonFile(path: string, json: unknown): { path: string; blob: Blob } {
  return { path, blob: new Blob([JSON.stringify(json)]) };
}
