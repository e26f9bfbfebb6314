import { ModelNotFoundError } from '../../common/errors';
import type { ModelFolder } from '../../weights';
import type { JobOptions, LoadProgress, ModelCheck } from '../protocol';
import type { HelperSummary } from '../protocol-helpers';
import type { FileToKeep, ModelStore } from './model-store';

export interface FoundHelper<S> {
  readonly folder: ModelFolder;
  readonly summary: S;
}

/** Models beside the one that makes sounds, of one kind, that a person imported. */
export class HelperLibrary<S extends HelperSummary> {
  /** Kept models that did not pass `verify`. */
  readonly #broken = new Set<string>();

  /** @param kind "CLAP", for messages */
  constructor(
    private readonly kind: string,
    private readonly store: ModelStore<S>,
  ) {}

  async list(): Promise<readonly S[]> {
    const kept = await this.store.list();
    return kept.map((one) => (this.#broken.has(one.id) ? { ...one, state: 'broken' as const } : one));
  }

  /** @throws ModelNotFoundError, WeightsFormatError, StorageError */
  async open(id: string): Promise<FoundHelper<S>> {
    const found = await this.store.open(id);
    if (found) return found;
    const known = (await this.list()).map((model) => model.id).join(', ');
    throw new ModelNotFoundError(
      `There is no ${this.kind} "${id}" in this browser. There are: ${known || 'none'}. Choose one of them, or import one.`,
    );
  }

  /** @throws ModelNotFoundError, StorageError */
  async verify(id: string, options: JobOptions<LoadProgress> = {}): Promise<ModelCheck> {
    const damaged = await this.store.verify(id, options);
    if (!damaged) throw new ModelNotFoundError(`There is no ${this.kind} "${id}" in this browser to check.`);
    if (damaged.length > 0) this.#broken.add(id);
    else this.#broken.delete(id);
    return { damaged };
  }

  /** Keeps a model, in place of a broken one. @throws StorageError: nothing is kept then */
  protected async save(
    summary: S,
    files: readonly FileToKeep[],
    options: JobOptions<LoadProgress>,
  ): Promise<S> {
    const kept = await this.store.save(summary, files, options);
    this.#broken.delete(summary.id);
    return kept;
  }

  /** A kept model of which nothing is known to be wrong. */
  protected async whole(id: string): Promise<S | undefined> {
    return (await this.list()).find((one) => one.id === id && one.state !== 'broken');
  }

  /** @throws ModelNotFoundError */
  async remove(id: string): Promise<void> {
    if (await this.store.remove(id)) return;
    throw new ModelNotFoundError(`There is no ${this.kind} "${id}" in this browser to remove.`);
  }
}
