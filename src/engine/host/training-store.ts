import { ModelNotFoundError, StorageError } from '../../common/errors';
import type { AdapterContents } from '../../training/lora/adapter-formats';
import type { TrainerState } from '../../training/preference-trainer';
import type { KeptReferences } from '../../training/reference-errors';
import type { TrainingData } from '../../training/training-data';
import { type TrainHistory, type TrainRun, type TrainSample, WITHOUT_STEPS } from '../protocol-training';
import type { KeyValueStore } from './key-value-store';

/**
 * Runs and adapters.
 *
 *     [id, 'data']                    TrainingData: latents and text states
 *     [id, 'adapter']                 AdapterContents of an imported adapter
 *     [id, 'checkpoint', g, 'state']  Checkpoint, in the generations 0 and 1 by turns
 *     [id, 'checkpoint', g, 'complete']  CheckpointMark, written after its state
 *     [id, 'references']              KeptReferences of a run that trains every weight, as far as they are measured
 *     [id, 'sample', step, k]         TrainSample: the k-th sample prompt's sound
 *     [id, 'run']                     RunRecord: what makes the run exist, written last
 */
const SCHEMA_VERSION = 1;

interface RunRecord {
  readonly schemaVersion: number;
  readonly run: TrainRun;
}

interface CheckpointMark {
  readonly schemaVersion: number;
  readonly step: number;
}

export interface Checkpoint extends TrainHistory {
  readonly state: TrainerState;
}

export class TrainingStore {
  readonly #values: KeyValueStore;

  constructor(values: KeyValueStore) {
    this.#values = values;
  }

  /** Newest first. Of a newer studio's runs no more than the name is read. @throws StorageError */
  async list(): Promise<readonly TrainRun[]> {
    const keys = (await this.#values.keys()).filter(([, kind]) => kind === 'run');
    const records = await Promise.all(keys.map(([id]) => this.#record(String(id))));
    const runs = records.flatMap((record) => (record ? [readable(record)] : []));
    return runs.sort((a, b) => b.createdAt.localeCompare(a.createdAt));
  }

  /** @throws ModelNotFoundError, StorageError when it was written by a newer studio */
  async run(id: string): Promise<TrainRun> {
    const record = await this.#record(id);
    if (!record) throw new ModelNotFoundError(`There is no run or adapter "${id}" in this browser.`);
    checkVersion(record.schemaVersion, `The run "${record.run.name}"`);
    return record.run;
  }

  async saveRun(run: TrainRun): Promise<void> {
    const record: RunRecord = { schemaVersion: SCHEMA_VERSION, run };
    await this.#values.set([run.id, 'run'], record);
  }

  /** Keeps all that a new run needs; it exists when everything is written. */
  async create(
    run: TrainRun,
    contents: { data: TrainingData } | { adapter: AdapterContents },
  ): Promise<void> {
    try {
      if ('data' in contents) await this.#values.set([run.id, 'data'], contents.data);
      else await this.#values.set([run.id, 'adapter'], contents.adapter);
      await this.saveRun(run);
    } catch (error) {
      await this.remove(run.id).catch(() => {}); // the first error says what happened
      throw error;
    }
  }

  async data(id: string): Promise<TrainingData> {
    return present(await this.#values.get([id, 'data']), id) as TrainingData;
  }

  async adapter(id: string): Promise<AdapterContents | null> {
    return ((await this.#values.get([id, 'adapter'])) as AdapterContents | undefined) ?? null;
  }

  /** The generation that is replaced is the older one: whatever breaks on the way, the newer one stays whole. */
  async saveCheckpoint(id: string, checkpoint: Checkpoint): Promise<void> {
    const marks = await this.#marks(id);
    const [first, second] = marks;
    const generation = !first || (second && first.step <= second.step) ? 0 : 1;
    await this.#values.deleteMany([[id, 'checkpoint', generation, 'complete']]);
    await this.#values.set([id, 'checkpoint', generation, 'state'], checkpoint);
    const mark: CheckpointMark = { schemaVersion: SCHEMA_VERSION, step: checkpoint.state.completedSteps };
    await this.#values.set([id, 'checkpoint', generation, 'complete'], mark);
  }

  /** The newest complete one. @throws StorageError when there is none */
  async checkpoint(id: string): Promise<Checkpoint> {
    const marks = await this.#marks(id);
    const newest = marks
      .map((mark, generation) => ({ mark, generation }))
      .filter(({ mark }) => mark !== null)
      .sort((a, b) => (b.mark?.step ?? 0) - (a.mark?.step ?? 0));
    for (const { mark, generation } of newest) {
      checkVersion(mark?.schemaVersion ?? 0, 'The checkpoint');
      const value = await this.#values.get([id, 'checkpoint', generation, 'state']);
      if (value !== undefined) return value as Checkpoint;
    }
    return present<Checkpoint>(undefined, id);
  }

  async saveReferences(id: string, references: KeptReferences): Promise<void> {
    await this.#values.set([id, 'references'], references);
  }

  /** Null before the first are kept. */
  async references(id: string): Promise<KeptReferences | null> {
    return ((await this.#values.get([id, 'references'])) as KeptReferences | undefined) ?? null;
  }

  async saveSample(id: string, index: number, sample: TrainSample): Promise<void> {
    await this.#values.set([id, 'sample', sample.step, index], sample);
  }

  /** By step, then in the order of the prompts. */
  async samples(id: string): Promise<readonly TrainSample[]> {
    const keys = (await this.#values.keys()).filter(([owner, kind]) => owner === id && kind === 'sample');
    keys.sort((a, b) => Number(a[2]) - Number(b[2]) || Number(a[3]) - Number(b[3]));
    return (await Promise.all(keys.map((key) => this.#values.get(key)))) as readonly TrainSample[];
  }

  async remove(id: string): Promise<void> {
    await this.#values.deleteMany([[id, 'run']]);
    await this.#values.deleteMany((await this.#values.keys()).filter(([owner]) => owner === id));
  }

  async #marks(id: string): Promise<readonly (CheckpointMark | null)[]> {
    const values = [0, 1].map((generation) => this.#values.get([id, 'checkpoint', generation, 'complete']));
    return (await Promise.all(values)).map((value) => (value as CheckpointMark | undefined) ?? null);
  }

  async #record(id: string): Promise<RunRecord | null> {
    return ((await this.#values.get([id, 'run'])) as RunRecord | undefined) ?? null;
  }
}

function checkVersion(version: number, what: string): void {
  if (version !== SCHEMA_VERSION) throw new StorageError(newerText(version, what));
}

function newerText(version: number, what: string): string {
  return `${what} was written by a newer version of the studio (format ${version}, this one reads ${SCHEMA_VERSION}). Reload the page to get the newest studio; nothing of it is lost.`;
}

/** The record's run; of a newer studio's only what names it, since its other fields may mean something else. */
function readable({ schemaVersion, run }: RunRecord): TrainRun {
  if (schemaVersion === SCHEMA_VERSION) return run;
  return {
    ...WITHOUT_STEPS,
    id: run.id,
    name: String(run.name),
    modelId: String(run.modelId),
    state: 'newer',
    parameterCount: 0,
    createdAt: String(run.createdAt),
    failure: newerText(schemaVersion, `The run "${run.name}"`),
  };
}

function present<T>(value: T | undefined, id: string): T {
  if (value !== undefined) return value;
  throw new StorageError(`The browser has lost a part of the run "${id}". Remove it and train again.`);
}
