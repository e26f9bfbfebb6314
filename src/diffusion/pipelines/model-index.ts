import { InvalidConfigError, ModelNotFoundError } from '../../common/errors';
import type { ModelFolder } from '../../weights';

/** Classes that may stand in model_index.json for each component: those that the studio's classes read. */
const SUPPORTED: Readonly<Record<string, readonly string[]>> = {
  text_encoder: ['T5EncoderModel', 'T5ForConditionalGeneration', 'ClapTextModelWithProjection'],
  unet: ['UNet2DConditionModel'],
  vae: ['AutoencoderKL'],
  vocoder: ['SpeechT5HifiGan'],
};

const REQUIRED_FILES = [
  'tokenizer/tokenizer.json',
  'text_encoder/config.json',
  'unet/config.json',
  'vae/config.json',
  'vocoder/config.json',
  'scheduler/scheduler_config.json',
];

/** What published checkpoints look like that are not diffusers folders. */
const PUBLISHED_TANGO = ['pytorch_model_main.bin', 'main_config.json'];

/**
 * Checks that a folder is a Tango pipeline in the diffusers layout, before anything of it is parsed.
 *
 * @throws ModelNotFoundError listing every file that is missing, InvalidConfigError for another kind of pipeline
 */
export async function checkModelIndex(folder: ModelFolder): Promise<void> {
  if (!folder.has('model_index.json')) throw notAPipeline(folder);
  const index = await folder.json('model_index.json');
  refuseAudioldm2(index);
  for (const [component, classes] of Object.entries(SUPPORTED)) {
    const entry = componentOf(index, component);
    if (entry !== undefined && !classes.includes(entry)) {
      throw new InvalidConfigError(
        `model_index.json names ${entry} as ${component}; a Tango pipeline has ${classes.join(' or ')} there. Choose a checkpoint of the Tango family.`,
      );
    }
  }
  const missing = REQUIRED_FILES.filter((path) => !folder.has(path));
  if (missing.length > 0) {
    throw new ModelNotFoundError(
      `The model folder lacks ${missing.join(', ')}. Choose the top folder of the checkpoint with everything in it; a tokenizer is saved as tokenizer.json by its fast (Rust) class.`,
    );
  }
}

/** AudioLDM 2 has a second text encoder and a GPT-2 between the texts and its UNet. */
function refuseAudioldm2(index: unknown): void {
  if (
    componentOf(index, 'language_model') === undefined &&
    componentOf(index, 'projection_model') === undefined
  )
    return;
  throw new InvalidConfigError(
    'This is AudioLDM 2, whose language model (GPT-2) this studio does not have. Use a checkpoint of Tango, Tango 2 or AudioLDM (cvssp/audioldm-s-full-v2, -m-full, -l-full).',
  );
}

/** The class name of a component, when the index names one: `"unet": ["diffusers", "UNet2DConditionModel"]`. */
function componentOf(index: unknown, component: string): string | undefined {
  if (typeof index !== 'object' || index === null) {
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
