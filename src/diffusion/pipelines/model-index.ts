import { InvalidConfigError, ModelNotFoundError } from '../../common/errors';
import type { ModelFolder } from '../../weights';

/** Folders with weights, by their names in model_index.json, in the order in which a pipeline uses them. */
export type ComponentName =
  | 'text_encoder'
  | 'text_encoder_2'
  | 'projection_model'
  | 'language_model'
  | 'unet'
  | 'vae'
  | 'vocoder';

/** `tango`: one text encoder (Tango, AudioLDM). `audioldm2`: two, and a language model between them and the UNet. */
export type PipelineFamily = 'tango' | 'audioldm2';

/** Classes that may stand in model_index.json for each component: those that the studio's classes read. */
const SUPPORTED: Readonly<Record<PipelineFamily, Partial<Record<ComponentName, readonly string[]>>>> = {
  tango: {
    text_encoder: ['T5EncoderModel', 'T5ForConditionalGeneration', 'ClapTextModelWithProjection'],
    unet: ['UNet2DConditionModel'],
    vae: ['AutoencoderKL'],
    vocoder: ['SpeechT5HifiGan'],
  },
  audioldm2: {
    text_encoder: ['ClapModel'],
    text_encoder_2: ['T5EncoderModel', 'T5ForConditionalGeneration'],
    projection_model: ['AudioLDM2ProjectionModel'],
    language_model: ['GPT2Model', 'GPT2LMHeadModel'],
    unet: ['AudioLDM2UNet2DConditionModel'],
    vae: ['AutoencoderKL'],
    vocoder: ['SpeechT5HifiGan'],
  },
};

const FAMILY_NAMES: Readonly<Record<PipelineFamily, string>> = {
  tango: 'A Tango pipeline',
  audioldm2: 'AudioLDM 2',
};

/** What published checkpoints look like that are not diffusers folders. */
const PUBLISHED_TANGO = ['pytorch_model_main.bin', 'main_config.json'];

/** The components of a pipeline, by its model_index.json. @throws InvalidConfigError when that is no object */
export function componentsOf(index: unknown): readonly ComponentName[] {
  return Object.keys(SUPPORTED[familyOf(index)]) as ComponentName[];
}

/** The class that a component has when model_index.json does not name it. */
export function usualClassOf(index: unknown, component: ComponentName): string {
  return SUPPORTED[familyOf(index)][component]?.[0] ?? component;
}

/**
 * Checks that a folder is a pipeline of a known family in the diffusers layout, before anything of it is parsed.
 *
 * @throws ModelNotFoundError listing every file that is missing, InvalidConfigError for another kind of pipeline
 */
export async function checkModelIndex(folder: ModelFolder): Promise<PipelineFamily> {
  if (!folder.has('model_index.json')) throw notAPipeline(folder);
  const index = await folder.json('model_index.json');
  const family = familyOf(index);
  if (classOf(index, 'text_encoder_2') === 'VitsModel') {
    throw new InvalidConfigError(
      'This AudioLDM 2 reads texts aloud: its second text encoder is VitsModel, which this studio does not have. It supports those for sounds and music, with T5 there: cvssp/audioldm2, cvssp/audioldm2-large, cvssp/audioldm2-music.',
    );
  }
  for (const [component, classes] of Object.entries(SUPPORTED[family])) {
    const entry = classOf(index, component);
    if (entry !== undefined && !classes.includes(entry)) {
      throw new InvalidConfigError(
        `model_index.json names ${entry} as ${component}; ${FAMILY_NAMES[family]} has ${classes.join(' or ')} there. Choose a checkpoint of the Tango family, of AudioLDM or of AudioLDM 2.`,
      );
    }
  }
  const tokenizers = family === 'audioldm2' ? ['tokenizer', 'tokenizer_2'] : ['tokenizer'];
  const required = [
    ...tokenizers.map((name) => `${name}/tokenizer.json`),
    ...componentsOf(index).map((name) => `${name}/config.json`),
    'scheduler/scheduler_config.json',
  ];
  const missing = required.filter((path) => !folder.has(path));
  if (missing.length > 0) {
    throw new ModelNotFoundError(
      `The model folder lacks ${missing.join(', ')}. Choose the top folder of the checkpoint with everything in it; a tokenizer is saved as tokenizer.json by its fast (Rust) class.`,
    );
  }
  return family;
}

/** AudioLDM 2 has a second text encoder and a GPT-2 between the texts and its UNet. */
function familyOf(index: unknown): PipelineFamily {
  const parts = ['language_model', 'projection_model', 'text_encoder_2'];
  return parts.some((part) => classOf(index, part) !== undefined) ? 'audioldm2' : 'tango';
}

/** The class name of a component, when the index names one: `"unet": ["diffusers", "UNet2DConditionModel"]`. */
export function classOf(index: unknown, component: string): string | undefined {
  if (typeof index !== 'object' || index === null || Array.isArray(index)) {
    throw new InvalidConfigError('model_index.json should hold a JSON object that names the components.');
  }
  const entry: unknown = new Map(Object.entries(index)).get(component);
  return Array.isArray(entry) && typeof entry[1] === 'string' ? entry[1] : undefined;
}

function notAPipeline(folder: ModelFolder): ModelNotFoundError {
  if (PUBLISHED_TANGO.some((path) => folder.has(path))) {
    return new ModelNotFoundError(
      'This is a part of Tango’s published files. Choose pytorch_model_main.bin, pytorch_model_vae.bin, main_config.json, vae_config.json and stft_config.json together, with tokenizer.json of google/flan-t5-large.',
    );
  }
  return new ModelNotFoundError(
    `A model folder has model_index.json at its top, but this one has ${folder.list().slice(0, 8).join(', ')}. Choose the top folder of a diffusers checkpoint.`,
  );
}
