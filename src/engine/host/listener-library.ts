import { type ModelFolder, narrowStateDict, type StateDict, writeSafetensors } from '../../weights';
import type { HubPlan, JobOptions, LoadProgress } from '../protocol';
import type { ListenerSummary } from '../protocol-helpers';
import { fingerprint } from './fingerprint';
import { HelperLibrary } from './helper-library';
import { slugOf } from './model-library';

/** A model that hears of up to this many parameters keeps its float32; a larger one becomes float16, as GPUs hold it. */
export const LISTENER_FLOAT32_PARAMETERS = 32e6;

const IDENTITY = /\.(pt|ckpt|pth|bin|safetensors)$|config\.json$/;

/** A model that was read and found good. */
export interface ListenerToKeep<S> {
  /** The files as they came: they tell the model from others. */
  readonly given: ModelFolder;
  /** The summary but for what is known when it is kept: id, bytes, precision. */
  readonly described: S;
  readonly weights: StateDict;
  /** Tensors that are kept. */
  readonly names: readonly string[];
  /** What is kept beside the weights. */
  readonly documents: readonly { readonly path: string; readonly blob: Blob }[];
}

/** Models that hear sounds and that a person imported, of one kind. */
export class ListenerLibrary<S extends ListenerSummary> extends HelperLibrary<S> {
  /**
   * Keeps a model, its weights in one safetensors file; the same files twice are one model.
   * @param plan of the download that the files are of; null: a person gave them
   * @throws WeightsFormatError for values that are no numbers, StorageError: nothing is kept then
   */
  async keep(
    { given, described, weights, names, documents }: ListenerToKeep<S>,
    options: JobOptions<LoadProgress>,
    plan: HubPlan | null,
  ): Promise<S> {
    const identity = await Promise.all(
      given
        .list()
        .filter((path) => IDENTITY.test(path))
        .map(async (path) => ({ path, blob: await given.blob(path) })),
    );
    options.signal?.throwIfAborted();
    const named = plan ? { ...described, ...downloadedAs(plan, described) } : described;
    const id = `${slugOf(named.name)}-${(await fingerprint(identity)).slice(0, 8)}`;
    const kept = await this.whole(id);
    if (kept) return kept;
    const to = described.parameterCount > LISTENER_FLOAT32_PARAMETERS ? 'F16' : 'F32';
    const narrowed = narrowStateDict(weights, names, { to });
    const bytes = bytesOf(narrowed);
    return this.save(
      { ...named, id, bytes, precision: precisionOf(narrowed) },
      [
        ...documents,
        {
          path: 'model.safetensors',
          expectedBytes: bytes,
          write: (put: (bytes: Uint8Array) => Promise<void>) => writeSafetensors(narrowed, put),
        },
      ],
      options,
    );
  }
}

function downloadedAs({ hubUrl, repo, commit, license }: HubPlan, described: ListenerSummary) {
  return { name: repo, license: license ?? described.license, origin: { hubUrl, repo, commit } };
}

export function bytesOf(weights: StateDict, names = weights.names()): number {
  return names.reduce((sum, name) => sum + (weights.entry(name)?.byteLength ?? 0), 0);
}

/** Of matrices and kernels: vectors are float32 in every model. */
export function precisionOf(weights: StateDict, names = weights.names()): 'float16' | 'float32' | 'mixed' {
  const entries = names.map((name) => weights.entry(name));
  const types = new Set(
    entries.filter((entry) => (entry?.shape.length ?? 0) > 1).map((entry) => entry?.dtype),
  );
  if (types.size > 1) return 'mixed';
  return types.has('F16') ? 'float16' : 'float32';
}
