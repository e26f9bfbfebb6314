import { ModelNotFoundError, StorageError } from '../../common/errors';
import type { CandidateGroup } from '../../preferences/types';
import type { Vote } from '../../preferences/votes/vote';
import type { PreferenceDataset } from '../protocol-preferences';
import type { KeyValueStore } from './key-value-store';

/**
 * Preference datasets.
 *
 *     [id, 'clip', clipId]     Uint8Array: the sound as a WAV file, written before any group says that it is there
 *     [id, 'groups', chunk]    CandidateGroup[]: a chunk of them, so that a result rewrites kilobytes
 *     [id, 'votes', pairId]    Vote[]
 *     [id, 'dataset']          DatasetRecord: what makes it exist, written last
 *     ['speed', modelId]       seconds of one UNet pass for each second of sound, by backend
 */
const SCHEMA_VERSION = 1;
export const GROUPS_PER_CHUNK = 32;

interface DatasetRecord {
  readonly schemaVersion: number;
  readonly dataset: PreferenceDataset;
}

export class PreferenceStore {
  readonly #values: KeyValueStore;

  constructor(values: KeyValueStore) {
    this.#values = values;
  }

  /** Newest first; those of a newer studio are left alone and not shown. */
  async list(): Promise<readonly PreferenceDataset[]> {
    const keys = (await this.#values.keys()).filter(([, kind]) => kind === 'dataset');
    const records = (await Promise.all(keys.map((key) => this.#values.get(key)))) as (
      | DatasetRecord
      | undefined
    )[];
    return records
      .flatMap((record) => (record?.schemaVersion === SCHEMA_VERSION ? [record.dataset] : []))
      .sort((a, b) => b.createdAt.localeCompare(a.createdAt));
  }

  /** @throws ModelNotFoundError, StorageError when it was written by a newer studio */
  async dataset(id: string): Promise<PreferenceDataset> {
    const record = (await this.#values.get([id, 'dataset'])) as DatasetRecord | undefined;
    if (!record) throw new ModelNotFoundError(`There is no preference dataset "${id}" in this browser.`);
    if (record.schemaVersion === SCHEMA_VERSION) return record.dataset;
    throw new StorageError(
      `The dataset "${record.dataset.name}" was written by a newer version of the studio (format ${record.schemaVersion}, this one reads ${SCHEMA_VERSION}). Reload the page to get the newest studio.`,
    );
  }

  async save(dataset: PreferenceDataset): Promise<void> {
    const record: DatasetRecord = { schemaVersion: SCHEMA_VERSION, dataset };
    await this.#values.set([dataset.id, 'dataset'], record);
  }

  async groups(id: string): Promise<readonly CandidateGroup[]> {
    const { groupCount, name } = await this.dataset(id);
    const chunks = await Promise.all(
      Array.from({ length: Math.ceil(groupCount / GROUPS_PER_CHUNK) }, (_, k) =>
        this.#values.get([id, 'groups', k]),
      ),
    );
    if (chunks.some((chunk) => chunk === undefined)) {
      throw new StorageError(
        `The browser has lost a part of the dataset "${name}". Remove it and make it again.`,
      );
    }
    return (chunks as CandidateGroup[][]).flat();
  }

  async saveChunk(id: string, chunk: number, groups: readonly CandidateGroup[]): Promise<void> {
    await this.#values.set([id, 'groups', chunk], groups);
  }

  async saveGroups(id: string, groups: readonly CandidateGroup[]): Promise<void> {
    for (let first = 0; first < groups.length; first += GROUPS_PER_CHUNK) {
      await this.saveChunk(id, first / GROUPS_PER_CHUNK, groups.slice(first, first + GROUPS_PER_CHUNK));
    }
  }

  async clip(id: string, clipId: string): Promise<Uint8Array<ArrayBuffer> | null> {
    return ((await this.#values.get([id, 'clip', clipId])) as Uint8Array<ArrayBuffer> | undefined) ?? null;
  }

  async saveClip(id: string, clipId: string, bytes: Uint8Array): Promise<void> {
    await this.#values.set([id, 'clip', clipId], bytes);
  }

  async votes(id: string): Promise<readonly Vote[]> {
    const keys = (await this.#values.keys()).filter(([owner, kind]) => owner === id && kind === 'votes');
    const lists = (await Promise.all(keys.map((key) => this.#values.get(key)))) as (Vote[] | undefined)[];
    return lists.flatMap((list) => list ?? []).sort((a, b) => a.at.localeCompare(b.at));
  }

  async changeVotes(
    id: string,
    pairId: string,
    change: (votes: readonly Vote[]) => readonly Vote[],
  ): Promise<void> {
    const votes = ((await this.#values.get([id, 'votes', pairId])) as Vote[] | undefined) ?? [];
    await this.#values.set([id, 'votes', pairId], change(votes));
  }

  async speed(modelId: string, backend: string): Promise<number | null> {
    return ((await this.#values.get(['speed', `${modelId} ${backend}`])) as number | undefined) ?? null;
  }

  async saveSpeed(modelId: string, backend: string, secondsPerPass: number): Promise<void> {
    await this.#values.set(['speed', `${modelId} ${backend}`], secondsPerPass);
  }

  async remove(id: string): Promise<void> {
    await this.#values.deleteMany([[id, 'dataset']]);
    await this.#values.deleteMany((await this.#values.keys()).filter(([owner]) => owner === id));
  }
}
