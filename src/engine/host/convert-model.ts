import { ModelNotFoundError } from '../../common/errors';
import { releaseBuffer } from '../../common/release-buffer';
import { openTangoReleased } from '../../diffusion/checkpoints/tango-released';
import type { ComponentName } from '../../diffusion/pipelines/model-index';
import { checkTangoComponents } from '../../diffusion/pipelines/tango-components';
import { type ModelFolder, narrowStateDict, type StateDict, writeSafetensors } from '../../weights';
import type { FileToKeep } from './model-store';

/** A checkpoint of up to this many parameters keeps its float32; a larger one becomes float16, as GPUs hold it. */
export const FLOAT32_PARAMETERS = 256e6;

/** Where a component's weights are kept, whatever layout they came in. */
const WEIGHT_FILES: Readonly<Record<ComponentName, string>> = {
  text_encoder: 'text_encoder/model.safetensors',
  text_encoder_2: 'text_encoder_2/model.safetensors',
  projection_model: 'projection_model/diffusion_pytorch_model.safetensors',
  language_model: 'language_model/model.safetensors',
  unet: 'unet/diffusion_pytorch_model.safetensors',
  vae: 'vae/diffusion_pytorch_model.safetensors',
  vocoder: 'vocoder/model.safetensors',
};
const DOCUMENTS =
  /^(model_index\.json|README\.md|tokenizer(_2)?\/tokenizer(_config)?\.json|scheduler\/scheduler_config\.json)$/;

export interface ConvertedModel {
  /** A diffusers folder over the files that came: weights are converted when they are read. */
  readonly folder: ModelFolder;
  /** The same, to be kept: configs as they are, weights written part by part. */
  readonly files: readonly FileToKeep[];
  /** More than a trial load on the device is worth: names and shapes are checked, values while they are kept. */
  readonly large: boolean;
  /** Tensors whose values do not fit float16 and stay float32: known for those that have been read. */
  readonly overflowed: ReadonlySet<string>;
}

/**
 * Recognises the layout (Tango's published files, or a diffusers folder with safetensors or .bin), checks every name
 * and shape, and gives the model as one diffusers folder. Reads no weight yet.
 *
 * @throws ModelNotFoundError, InvalidConfigError, StateDictError, WeightsFormatError
 */
export async function convertModel(
  given: ModelFolder,
  { float32Parameters = FLOAT32_PARAMETERS } = {},
): Promise<ConvertedModel> {
  const source = (await openTangoReleased(given)) ?? given;
  const components = await checkTangoComponents(source);
  const parameterCount = components.reduce((sum, { stateDict, names }) => sum + countOf(stateDict, names), 0);
  const large = parameterCount > float32Parameters;
  const overflowed = new Set<string>();
  const stateDicts = new Map<string, StateDict>();
  for (const { component, stateDict, names } of components) {
    const narrowed = narrowStateDict(stateDict, names, {
      to: large ? 'F16' : 'F32',
      ownsSource: true,
      onOverflow: (name) => overflowed.add(`${component}.${name}`),
    });
    stateDicts.set(component, narrowed);
  }
  const documents = source.list().filter((path) => isDocument(path));
  const files: FileToKeep[] = await Promise.all(
    documents.map(async (path) => ({ path, blob: await source.blob(path) })),
  );
  for (const { component } of components) {
    const stateDict = stateDicts.get(component);
    if (!stateDict) continue;
    files.push({
      path: WEIGHT_FILES[component],
      expectedBytes: stateDict
        .names()
        .reduce((sum, name) => sum + (stateDict.entry(name)?.byteLength ?? 0), 0),
      write: (put) =>
        writeSafetensors(stateDict, async (bytes) => {
          await put(bytes);
          releaseBuffer(bytes);
        }),
    });
  }
  const folder: ModelFolder = {
    list: () => documents,
    has: (path) => documents.includes(path),
    blob: (path) => source.blob(path),
    json: (path) => source.json(path),
    stateDict: async (component) =>
      stateDicts.get(component) ?? source.stateDict?.(component) ?? missing(component),
  };
  return { folder, files, overflowed, large };
}

/** What a model is read from besides its weights. */
function isDocument(path: string): boolean {
  return (
    DOCUMENTS.test(path) || Object.keys(WEIGHT_FILES).some((component) => path === `${component}/config.json`)
  );
}

function countOf(stateDict: StateDict, names: readonly string[]): number {
  return names.reduce(
    (sum, name) => sum + (stateDict.entry(name)?.shape.reduce((product, size) => product * size, 1) ?? 0),
    0,
  );
}

function missing(component: string): never {
  throw new ModelNotFoundError(`The model has no component "${component}".`);
}
