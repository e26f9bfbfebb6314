import byteLevelJson from '../text/fixtures/byte-level-bpe-tokenizer.json' with { type: 'json' };
import unigramJson from '../text/fixtures/unigram-tokenizer.json' with { type: 'json' };
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
  text_encoder_2: 'model.safetensors',
  projection_model: 'diffusion_pytorch_model.safetensors',
  language_model: 'model.safetensors',
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

/** A complete AudioLDM 2 (tools/fixtures/audioldm2.py), in the sizes of the Tango above. */
export async function tinyAudioldm2(dtype: 'F32' | 'F16' = 'F32'): Promise<TinyTango> {
  const fixture = await loadFixture(new URL('./fixtures/tiny-audioldm2.safetensors', import.meta.url));
  const index = {
    _class_name: 'AudioLDM2Pipeline',
    feature_extractor: ['transformers', 'ClapFeatureExtractor'],
    language_model: ['transformers', 'GPT2Model'],
    projection_model: ['audioldm2', 'AudioLDM2ProjectionModel'],
    scheduler: ['diffusers', 'DDIMScheduler'],
    text_encoder: ['transformers', 'ClapModel'],
    text_encoder_2: ['transformers', 'T5EncoderModel'],
    tokenizer: ['transformers', 'RobertaTokenizerFast'],
    tokenizer_2: ['transformers', 'T5TokenizerFast'],
    unet: ['audioldm2', 'AudioLDM2UNet2DConditionModel'],
    vae: ['diffusers', 'AutoencoderKL'],
    vocoder: ['transformers', 'SpeechT5HifiGan'],
  };
  const limits = { model_max_length: fixture.metadata<number>('max_tokens'), pad_token: '<pad>' };
  const files = [
    ...(await filesOf(fixture, index, dtype)).filter(
      ({ path }) => path !== 'tokenizer/tokenizer_config.json',
    ),
    jsonFile('tokenizer/tokenizer_config.json', limits),
    jsonFile('tokenizer_2/tokenizer.json', unigramJson),
    jsonFile('tokenizer_2/tokenizer_config.json', limits),
  ];
  return {
    files,
    folder: folderFromFiles(files),
    fixture,
    prompt: fixture.metadata('prompt'),
    requests: fixture.metadata('requests'),
  };
}

async function filesOf(
  fixture: Fixture,
  modelIndex: object,
  dtype: 'F32' | 'F16',
): Promise<readonly { path: string; blob: Blob }[]> {
  const configs = fixture.metadata<Record<string, object>>('configs');
  type Components = Partial<Record<keyof typeof WEIGHT_FILES, Record<string, number[]>>>;
  const shapes = fixture.metadata<Components>('state_dicts');
  const seeds = fixture.metadata<Record<string, number>>('seeds');
  const files = [
    jsonFile('model_index.json', modelIndex),
    jsonFile('tokenizer/tokenizer.json', byteLevelJson),
    jsonFile('tokenizer/tokenizer_config.json', { model_max_length: 512, pad_token: '<pad>' }),
    jsonFile('scheduler/scheduler_config.json', configs.scheduler),
  ];
  for (const name of Object.keys(WEIGHT_FILES) as (keyof typeof WEIGHT_FILES)[]) {
    const tensors = shapes[name];
    if (!tensors) continue;
    files.push(jsonFile(`${name}/config.json`, configs[name]));
    const stateDict = randomStateDict(tensors, seeds[name]!, dtype);
    files.push({ path: `${name}/${WEIGHT_FILES[name]}`, blob: await safetensorsFile(stateDict) });
  }
  return files;
}

function jsonFile(path: string, json: unknown): { path: string; blob: Blob } {
  return { path, blob: new Blob([JSON.stringify(json)]) };
}
