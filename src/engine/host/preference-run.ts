import { encodeWav } from '../../audio';
import { JobCancelledError, ModelNotFoundError } from '../../common/errors';
import { checkClip } from '../../preferences/health/check-clip';
import type { Candidate, CandidateGroup, ClapModelName, ClipCheck, Scores } from '../../preferences/types';
import type { GenerateProgress, GenerateRequest, Sound } from '../protocol';
import type { ClapApi } from '../protocol-clap';
import type { JobOptions } from '../protocol-jobs';
import type { PreferenceDataset, PreferenceProgress } from '../protocol-preferences';
import type { SentenceEmbeddingsApi } from '../protocol-sentence-embeddings';
import { monoOf } from './clip-samples';
import { GROUPS_PER_CHUNK, type PreferenceStore } from './preference-store';

/** Clips whose time tells that of those to come. */
const TIMED_CLIPS = 20;

/** What a run needs of the engine. Its calls wait for a turn each, so that other jobs run between. */
export interface PreferenceEngine {
  generate(request: GenerateRequest, options?: JobOptions<GenerateProgress>): Promise<readonly Sound[]>;
  readonly clap: Pick<ClapApi, 'models' | 'score' | 'embedText'>;
  readonly sentenceEmbeddings: Pick<SentenceEmbeddingsApi, 'models' | 'embed'>;
  modelId(): string;
  backend(): string;
}

interface Result {
  readonly check: ClipCheck;
  readonly scores: Scores;
}

/** One run over a dataset: each group's missing clips are made and kept, then scored by every CLAP. */
export class PreferenceRun {
  readonly #engine: PreferenceEngine;
  readonly #store: PreferenceStore;
  readonly #id: string;
  readonly #options: JobOptions<PreferenceProgress>;
  readonly #results = new Map<string, Result>();
  readonly #speeds: number[] = [];
  #dataset!: PreferenceDataset;
  #groups: CandidateGroup[] = [];
  #paused = false;

  constructor(
    engine: PreferenceEngine,
    store: PreferenceStore,
    id: string,
    options: JobOptions<PreferenceProgress>,
  ) {
    this.#engine = engine;
    this.#store = store;
    this.#id = id;
    this.#options = options;
  }

  pause(): void {
    this.#paused = true;
  }

  async work(): Promise<PreferenceDataset> {
    this.#dataset = { ...(await this.#store.dataset(this.#id)), state: 'stopped', failure: null };
    this.#groups = [...(await this.#store.groups(this.#id))];
    for (const { candidates } of this.#groups) {
      for (const { clipId, check, scores } of candidates)
        if (check) this.#results.set(clipId, { check, scores });
    }
    const claps = await this.#engine.clap.models();
    const models = claps.map(({ id, name }) => ({ id, name }));
    try {
      for (let index = 0; index < this.#groups.length && !this.#paused; index += 1) {
        await this.#doGroup(index, models);
      }
      return await this.#finish(models);
    } catch (error) {
      const asked = error instanceof JobCancelledError;
      const failure = asked ? null : error instanceof Error ? error.message : String(error);
      // The first error says what happened; a full store would only repeat it.
      await this.#store.save({ ...this.#dataset, failure }).catch(() => {});
      throw error;
    }
  }

  async #finish(models: readonly ClapModelName[]): Promise<PreferenceDataset> {
    const missing = this.#groups.some(({ candidates }) =>
      candidates.some(({ check, scores }) => !check || models.some(({ id }) => scores[id] === undefined)),
    );
    const failure =
      !missing && models.length === 0
        ? 'Every clip is made, but there is no CLAP to score them with: import one in Models, then run the dataset again.'
        : null;
    this.#dataset = { ...this.#dataset, failure, state: missing || failure ? 'stopped' : 'done' };
    await this.#store.save(this.#dataset);
    return this.#dataset;
  }

  async #doGroup(index: number, models: readonly ClapModelName[]): Promise<void> {
    const { candidates } = this.#groups[index]!;
    for (const candidate of candidates) {
      if (this.#paused) return;
      if (!this.#results.has(candidate.clipId)) await this.#make(index, candidate);
    }
    await this.#update(index);
    await this.#score(index, models);
  }

  /** Makes a clip, unless an earlier run kept it and was cut off before it could say so. */
  async #make(index: number, { clipId, recipe }: Candidate): Promise<void> {
    const { signal } = this.#options;
    if (signal?.aborted) throw new JobCancelledError('Making the dataset was cancelled.');
    this.#report('make', index);
    const kept = await this.#store.clip(this.#id, clipId);
    if (kept || !recipe) {
      if (!kept)
        throw new ModelNotFoundError(`The sound "${clipId}" of the dataset is missing. Import it again.`);
      const { audio, sampleRateHz } = monoOf(kept);
      this.#results.set(clipId, { check: checkClip(audio, sampleRateHz), scores: {} });
    } else {
      const request = { ...recipe, ...(this.#dataset.modelId ? { modelId: this.#dataset.modelId } : {}) };
      const [sound] = await this.#engine.generate(request, signal ? { signal } : {});
      const { audio, sampleRateHz, elapsedSeconds } = sound!;
      await this.#store.saveClip(this.#id, clipId, encodeWav([audio], sampleRateHz, 'pcm16'));
      this.#results.set(clipId, { check: checkClip(audio, sampleRateHz), scores: {} });
      await this.#time(elapsedSeconds, recipe);
    }
    this.#dataset = { ...this.#dataset, clipsMade: Math.max(this.#dataset.clipsMade, this.#results.size) };
    await this.#update(index);
    await this.#store.save(this.#dataset);
  }

  async #score(index: number, models: readonly ClapModelName[]): Promise<void> {
    const { prompt, candidates } = this.#groups[index]!;
    for (const model of models) {
      const missing = candidates.filter(
        ({ clipId }) => this.#results.get(clipId)?.scores[model.id] === undefined,
      );
      if (missing.length === 0) continue;
      this.#report('score', index);
      const items = [];
      for (const { clipId } of missing)
        items.push({ prompt, ...monoOf((await this.#store.clip(this.#id, clipId))!) });
      const { signal } = this.#options;
      const answers = await this.#engine.clap.score(
        { items, modelIds: [model.id] },
        signal ? { signal } : {},
      );
      for (const [k, { clipId }] of missing.entries()) {
        const { check, scores } = this.#results.get(clipId)!;
        this.#results.set(clipId, { check, scores: { ...scores, [model.id]: answers[k]![0]!.score } });
      }
      if (!this.#dataset.clapModels.some(({ id }) => id === model.id)) {
        this.#dataset = { ...this.#dataset, clapModels: [...this.#dataset.clapModels, model] };
        await this.#store.save(this.#dataset);
      }
    }
    await this.#update(index);
  }

  /** Writes what is known of a group's clips, with the chunk that holds it. */
  async #update(index: number): Promise<void> {
    const group = this.#groups[index]!;
    const candidates = group.candidates.map((candidate) => ({
      ...candidate,
      ...this.#results.get(candidate.clipId),
    }));
    this.#groups[index] = { ...group, candidates };
    const chunk = Math.floor(index / GROUPS_PER_CHUNK);
    const first = chunk * GROUPS_PER_CHUNK;
    await this.#store.saveChunk(this.#id, chunk, this.#groups.slice(first, first + GROUPS_PER_CHUNK));
  }

  /** Seconds of a UNet pass for each second of sound; decoding is told with it. */
  async #time(elapsedSeconds: number, recipe: NonNullable<Candidate['recipe']>): Promise<void> {
    const passes = recipe.steps * (recipe.guidanceScale > 1 ? 2 : 1);
    this.#speeds.push(elapsedSeconds / passes / recipe.durationSeconds);
    if (this.#speeds.length > TIMED_CLIPS) this.#speeds.shift();
    const { modelId } = this.#dataset;
    if (modelId) await this.#store.saveSpeed(modelId, this.#engine.backend(), median(this.#speeds));
  }

  #report(stage: PreferenceProgress['stage'], index: number): void {
    const { onProgress } = this.#options;
    if (!onProgress) return;
    let work = 0;
    const counted = new Set<string>();
    for (const { candidates } of this.#groups.slice(index)) {
      for (const { clipId, recipe } of candidates) {
        if (!recipe || this.#results.has(clipId) || counted.has(clipId)) continue;
        counted.add(clipId);
        work += recipe.steps * (recipe.guidanceScale > 1 ? 2 : 1) * recipe.durationSeconds;
      }
    }
    onProgress({
      datasetId: this.#id,
      stage,
      index: this.#results.size,
      count: this.#dataset.clipCount,
      prompt: this.#groups[index]?.prompt ?? null,
      remainingSeconds: this.#speeds.length === 0 ? null : median(this.#speeds) * work,
    });
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
