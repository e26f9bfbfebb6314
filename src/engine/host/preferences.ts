import { InvalidInputError, ModelNotFoundError } from '../../common/errors';
import {
  CANDIDATE_DEFAULTS,
  type CandidateSettings,
  checkCandidateSettings,
  forecastWork,
  PERTURBATIONS_PER_PROMPT,
  planCandidates,
  seedOf,
} from '../../preferences/candidates/plan-candidates';
import { type DatasetHealth, datasetHealth } from '../../preferences/health/dataset-health';
import { perturbCaption, perturbOrder } from '../../preferences/perturbation/perturb-caption';
import {
  CLUSTER_DEFAULTS,
  checkClusterSettings,
  clusterPrompts,
  MAX_ITERATIONS,
} from '../../preferences/prompt-pool/cluster-prompts';
import { collectPrompts } from '../../preferences/prompt-pool/collect-prompts';
import { tagPrompt } from '../../preferences/prompt-pool/tags';
import {
  type ChoiceFilter,
  choosePairs,
  DEFAULT_SHARES,
  viewDataset,
} from '../../preferences/selection/choose-pairs';
import type { CandidateGroup, PoolPrompt, ScoredPair } from '../../preferences/types';
import type { Vote } from '../../preferences/votes/vote';
import type { JobOptions, ModelFile } from '../protocol-jobs';
import type {
  ClusterRequest,
  CreateDatasetRequest,
  NewVote,
  PreferenceDataset,
  PreferenceExportFormat,
  PreferenceForecast,
  PreferenceProgress,
  PreferencesApi,
  PromptClusters,
} from '../protocol-preferences';
import type { TrainingClip, TrainingPair } from '../protocol-training';
import { monoOf } from './clip-samples';
import { embedPrompts } from './embed-prompts';
import { ExclusiveRun } from './exclusive-run';
import { exportPairs } from './preference-export';
import { importPairs } from './preference-import';
import { type PreferenceEngine, PreferenceRun } from './preference-run';
import type { PreferenceStore } from './preference-store';

const PROBE_STEPS = 4;
/** Pairs whose sounds are handed over at once: two clips of 10 s at 48 kHz are 4 MB. */
const MAX_PAIRS_AT_ONCE = 1000;

/** Preference datasets in the engine: planned, made, scored, voted on and taken away. */
export class Preferences implements PreferencesApi {
  readonly #engine: PreferenceEngine;
  readonly #store: PreferenceStore;
  readonly #alone = new ExclusiveRun('tango-studio-preferences', {
    here: 'A dataset is being made already: pause it, or wait until it is done.',
    otherTab:
      'Another tab of the studio is making a dataset: pause it there first. Here you can listen and vote.',
  });
  #run: PreferenceRun | null = null;

  constructor(engine: PreferenceEngine, store: PreferenceStore) {
    this.#engine = engine;
    this.#store = store;
  }

  async clusterPrompts(
    { prompts, embeddings: embedder, ...given }: ClusterRequest,
    { signal, onProgress }: JobOptions<PreferenceProgress> = {},
  ): Promise<PromptClusters> {
    const settings = { ...CLUSTER_DEFAULTS, ...given };
    checkClusterSettings(settings, prompts.length);
    const tell = (change: Pick<PreferenceProgress, 'stage' | 'index' | 'count' | 'remainingSeconds'>): void =>
      onProgress?.({ datasetId: '', prompt: null, ...change });
    const embedded = await embedPrompts(this.#engine, prompts, embedder, {
      ...(signal ? { signal } : {}),
      onProgress: (progress) => tell({ stage: 'embed', ...progress }),
    });
    const clusters = await clusterPrompts(embedded.embeddings, settings, {
      signal,
      onIteration: async (index) => {
        tell({ stage: 'cluster', index, count: MAX_ITERATIONS, remainingSeconds: null });
        await new Promise((next) => setTimeout(next)); // messages that came meanwhile, a cancel among them
      },
    });
    return { ...clusters, modelId: embedded.modelId, modelName: embedded.modelName };
  }

  async datasets(): Promise<readonly PreferenceDataset[]> {
    return (await this.#store.list()).map((one) =>
      one.id === this.#alone.active ? { ...one, state: 'running' } : one,
    );
  }

  async create(request: CreateDatasetRequest): Promise<PreferenceDataset> {
    const settings = settingsOf(request);
    const prompts = poolOf(request.prompts, settings.seed);
    const groups = planCandidates(prompts, settings);
    if (groups.length === 0) {
      throw new InvalidInputError(
        'The strategies make no pairs of these prompts: strategy 3 needs prompts with before, after, then or followed. Choose another strategy or other prompts.',
      );
    }
    const dataset: PreferenceDataset = {
      id: crypto.randomUUID(),
      name: request.name?.trim() || `${prompts.length} prompts`,
      source: 'generated',
      modelId: request.modelId ?? this.#engine.modelId(),
      state: 'stopped',
      settings,
      promptCount: prompts.length,
      groupCount: groups.length,
      clipCount: forecastWork(groups, 16_000).clips,
      clipsMade: 0,
      clapModels: [],
      rankingModelId: null,
      selection: null,
      createdAt: new Date().toISOString(),
      failure: null,
    };
    try {
      await this.#store.saveGroups(dataset.id, groups);
      await this.#store.save(dataset);
    } catch (error) {
      await this.#store.remove(dataset.id).catch(() => {}); // the first error says what happened
      throw error;
    }
    return dataset;
  }

  async forecast(request: CreateDatasetRequest, measure = false): Promise<PreferenceForecast> {
    const settings = settingsOf(request);
    const prompts = poolOf(request.prompts, settings.seed);
    const work = forecastWork(planCandidates(prompts, settings), 16_000);
    const modelId = request.modelId ?? this.#engine.modelId();
    let secondsPerPass = await this.#store.speed(modelId, this.#engine.backend());
    if (secondsPerPass === null && measure && prompts[0]) {
      const { prompt } = prompts[0];
      const { guidanceScale, durationSeconds } = settings;
      const probe = { prompt, steps: PROBE_STEPS, guidanceScale, durationSeconds, modelId, seed: 0 };
      await this.#engine.generate(probe); // the first run loads and compiles
      const [sound] = await this.#engine.generate(probe);
      secondsPerPass = sound!.elapsedSeconds / (PROBE_STEPS * (guidanceScale > 1 ? 2 : 1)) / durationSeconds;
      await this.#store.saveSpeed(modelId, this.#engine.backend(), secondsPerPass);
    }
    const seconds =
      secondsPerPass === null ? null : secondsPerPass * work.unetPasses * settings.durationSeconds;
    return { ...work, seconds };
  }

  async run(datasetId: string, options: JobOptions<PreferenceProgress> = {}): Promise<PreferenceDataset> {
    await this.#store.dataset(datasetId);
    return this.#alone.run(datasetId, async () => {
      this.#run = new PreferenceRun(this.#engine, this.#store, datasetId, options);
      try {
        return await this.#run.work();
      } finally {
        this.#run = null;
      }
    });
  }

  async pause(): Promise<void> {
    this.#run?.pause();
  }

  async remove(datasetId: string): Promise<void> {
    if (datasetId === this.#alone.active) {
      throw new InvalidInputError('The dataset is being made: pause or cancel it first, then remove it.');
    }
    await this.#store.dataset(datasetId);
    await this.#store.remove(datasetId);
  }

  groups(datasetId: string): Promise<readonly CandidateGroup[]> {
    return this.#store.groups(datasetId);
  }

  async clip(datasetId: string, clipId: string): Promise<TrainingClip> {
    const bytes = await this.#store.clip(datasetId, clipId);
    if (!bytes)
      throw new ModelNotFoundError(`The dataset has no clip "${clipId}". Run it to make what is missing.`);
    return monoOf(bytes);
  }

  async select(
    datasetId: string,
    choice: Parameters<PreferencesApi['select']>[1],
  ): Promise<PreferenceDataset> {
    const dataset = { ...(await this.#store.dataset(datasetId)), ...choice };
    const known = new Set(dataset.clapModels.map(({ id }) => id));
    const unknown = [
      dataset.rankingModelId,
      ...(dataset.selection?.bounds ?? []).map(({ modelId }) => modelId),
    ].find((id) => id !== null && !known.has(id));
    if (unknown !== undefined) {
      throw new InvalidInputError(
        `The dataset has no scores of the CLAP "${unknown}"; it has those of ${[...known].join(', ') || 'none'}.`,
      );
    }
    await this.#store.save(dataset);
    return dataset;
  }

  votes(datasetId: string): Promise<readonly Vote[]> {
    return this.#store.votes(datasetId);
  }

  async vote(datasetId: string, vote: NewVote): Promise<Vote> {
    if (vote.rater.trim() === '') throw new InvalidInputError('A vote needs the name of its rater.');
    if (!['a', 'b', 'tie', 'both-bad', 'skip'].includes(vote.choice)) {
      throw new InvalidInputError(`A vote is a, b, tie, both-bad or skip, but ${String(vote.choice)} came.`);
    }
    const kept: Vote = { ...vote, id: crypto.randomUUID(), at: new Date().toISOString() };
    await this.#store.dataset(datasetId);
    await this.#store.changeVotes(datasetId, vote.pairId, (votes) => [...votes, kept]);
    return kept;
  }

  async removeVote(datasetId: string, voteId: string): Promise<void> {
    const vote = (await this.#store.votes(datasetId)).find(({ id }) => id === voteId);
    if (!vote) throw new InvalidInputError('There is no such vote: it may have been undone already.');
    await this.#store.changeVotes(datasetId, vote.pairId, (votes) => votes.filter(({ id }) => id !== voteId));
  }

  async pairs(datasetId: string, filter: ChoiceFilter = {}): Promise<readonly TrainingPair[]> {
    const chosen = await this.#choose(datasetId, filter);
    if (chosen.length > MAX_PAIRS_AT_ONCE) {
      throw new InvalidInputError(
        `${chosen.length} pairs are chosen; at most ${MAX_PAIRS_AT_ONCE} are handed over at once. Narrow the bounds, or give a limit.`,
      );
    }
    const clips = new Map<string, TrainingClip>();
    const hear = async (clipId: string): Promise<TrainingClip> => {
      const clip = clips.get(clipId) ?? (await this.clip(datasetId, clipId));
      clips.set(clipId, clip);
      return clip;
    };
    const pairs: TrainingPair[] = [];
    for (const { id, prompt, winner, loser } of chosen) {
      pairs.push({ id, prompt, winner: await hear(winner.clipId), loser: await hear(loser.clipId) });
    }
    return pairs;
  }

  async health(datasetId: string, filter: ChoiceFilter = {}): Promise<DatasetHealth> {
    const groups = await this.#store.groups(datasetId);
    const splits = new Map(groups.flatMap(({ id, split }) => (split === undefined ? [] : [[id, split]])));
    const pairs = await this.#choose(datasetId, filter);
    const given = new Map(
      pairs.flatMap(({ id, groupId }) => {
        const split = splits.get(groupId);
        return split === undefined ? [] : [[id, split]];
      }),
    );
    return datasetHealth(pairs, filter.shares ?? DEFAULT_SHARES, given);
  }

  importFiles(
    files: readonly ModelFile[],
    options: JobOptions<PreferenceProgress> = {},
  ): Promise<PreferenceDataset> {
    return importPairs(this.#store, files, options);
  }

  async exportFile(
    datasetId: string,
    format: PreferenceExportFormat,
    filter: ChoiceFilter = {},
    options: JobOptions<PreferenceProgress> = {},
  ): Promise<ModelFile> {
    const dataset = await this.#store.dataset(datasetId);
    const pairs = await this.#choose(datasetId, filter);
    if (pairs.length === 0) {
      throw new InvalidInputError('No pair is chosen: widen the bounds, or score the dataset first.');
    }
    const votes = await this.#store.votes(datasetId);
    return exportPairs({ store: this.#store, dataset, pairs, votes, format, filter, ...options });
  }

  async #choose(datasetId: string, filter: ChoiceFilter): Promise<readonly ScoredPair[]> {
    const dataset = await this.#store.dataset(datasetId);
    const groups = await this.#store.groups(datasetId);
    const votes = await this.#store.votes(datasetId);
    return choosePairs(viewDataset(groups, dataset), groups, votes, filter);
  }
}

/** @throws InvalidInputError */
function settingsOf(request: CreateDatasetRequest): CandidateSettings {
  const fields = Object.keys(CANDIDATE_DEFAULTS) as (keyof CandidateSettings)[];
  const given = fields.filter((field) => request[field] !== undefined);
  const settings = {
    ...CANDIDATE_DEFAULTS,
    ...Object.fromEntries(given.map((field) => [field, request[field]])),
  } as CandidateSettings;
  checkCandidateSettings(settings);
  return settings;
}

/** Prompts cleaned and deduped, each with its wrong captions. @throws InvalidInputError when none is left */
function poolOf(entries: CreateDatasetRequest['prompts'], seed: number): readonly PoolPrompt[] {
  if (!Array.isArray(entries)) throw new InvalidInputError('prompts is a list of captions.');
  const given = new Map<string, PoolPrompt>();
  for (const entry of entries) if (typeof entry !== 'string') given.set(entry.prompt, entry);
  const { prompts } = collectPrompts(
    entries.map((entry) => (typeof entry === 'string' ? entry : entry.prompt)),
  );
  if (prompts.length === 0) throw new InvalidInputError('A dataset needs at least one prompt.');
  return prompts.map((prompt, index) => {
    const known = given.get(prompt);
    if (known) return known;
    const count = PERTURBATIONS_PER_PROMPT;
    return {
      prompt,
      perturbed: perturbCaption(prompt, count, seedOf(seed, index, 0)),
      temporal: tagPrompt(prompt).sequence ? perturbOrder(prompt, count, seedOf(seed, index, 1)) : [],
    };
  });
}
