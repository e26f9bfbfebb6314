import type { CandidateSettings, WorkForecast } from '../preferences/candidates/plan-candidates';
import type { DatasetHealth } from '../preferences/health/dataset-health';
import type { ClusterSettings, Clusters } from '../preferences/prompt-pool/cluster-prompts';
import type { ChoiceFilter } from '../preferences/selection/choose-pairs';
import type { SelectionSettings } from '../preferences/selection/ensemble-filter';
import type { CandidateGroup, ClapModelName, PoolPrompt } from '../preferences/types';
import type { Vote } from '../preferences/votes/vote';
import type { JobOptions, ModelFile } from './protocol-jobs';
import type { TrainingClip, TrainingPair } from './protocol-training';

/** Preference datasets as the page and scripts see them: types only. */

export interface PreferenceDataset {
  readonly id: string;
  readonly name: string;
  readonly source: 'generated' | 'imported';
  /** The model whose clips it holds; null for sounds from a file. */
  readonly modelId: string | null;
  /** `stopped`: `run` goes on with it. `done`: every clip is made and scored by every CLAP there was. */
  readonly state: 'running' | 'stopped' | 'done';
  readonly settings: CandidateSettings | null;
  readonly promptCount: number;
  readonly groupCount: number;
  /** Clips of the plan, and those that are made and kept. */
  readonly clipCount: number;
  readonly clipsMade: number;
  /** CLAP models that scored it, in the order of their use. */
  readonly clapModels: readonly ClapModelName[];
  /** Ranks the candidates; null: the first of `clapModels`. */
  readonly rankingModelId: string | null;
  /** null: the default for `clapModels` (the paper's values for the paper's models, else percentiles). */
  readonly selection: SelectionSettings | null;
  /** ISO 8601. */
  readonly createdAt: string;
  /** Why it stopped, when that was not asked for. */
  readonly failure: string | null;
  /** Pairs of an imported file whose sounds do not decode: how many, and of the first ones where and why. */
  readonly leftOut?: { readonly pairCount: number; readonly reasons: readonly string[] };
}

export interface CreateDatasetRequest extends Partial<CandidateSettings> {
  readonly name?: string;
  /** Captions; a string gets its wrong captions by the offline rules. */
  readonly prompts: readonly (string | PoolPrompt)[];
  /** Default: the model in use. */
  readonly modelId?: string;
}

export interface PreferenceForecast extends WorkForecast {
  /** From the speed measured on this model and backend; null before there is one. */
  readonly seconds: number | null;
}

/** A balanced part of a pool of prompts. */
export interface ClusterRequest extends Partial<ClusterSettings> {
  readonly prompts: readonly string[];
  /**
   * Id of what embeds the prompts: a sentence embedder (`sentenceEmbeddings.models()`), or a CLAP (`clap.models()`) by its
   * text tower. Default: the first sentence embedder, or the first CLAP where none is installed.
   */
  readonly embeddings?: string;
}

export interface PromptClusters extends Clusters {
  /** What embedded the prompts. */
  readonly modelId: string;
  readonly modelName: string;
}

export interface PreferenceProgress {
  /** '' where there is none yet. */
  readonly datasetId: string;
  readonly stage: 'make' | 'score' | 'import' | 'export' | 'embed' | 'cluster';
  /** Clips, rows of a file, prompts, or rounds of K-means that are done. */
  readonly index: number;
  readonly count: number;
  readonly prompt: string | null;
  readonly remainingSeconds: number | null;
}

/** What a rater gives; the rest of a `Vote` is filled in. */
export type NewVote = Omit<Vote, 'id' | 'at'>;

export type PreferenceExportFormat =
  /** prompt, chosen, rejected, strategy and the studio's columns, as Python's `datasets` reads them. */
  | 'parquet'
  /** chosen_{i}.wav and reject_{i}.wav with captions, as a zip: the layout that Tango 2's trainer reads. */
  | 'folder'
  /** One pair a line: prompt, names of the sounds, scores, votes; no sound. */
  | 'jsonl'
  | 'csv';

export interface PreferencesApi {
  /**
   * K-means over the prompts' embeddings, and as many prompts from each cluster (the paper: 200 clusters, 70 each). What
   * was asked to embed them and cannot is an error: nothing else takes its place.
   * @throws InvalidInputError naming the field, ModelNotFoundError, JobCancelledError
   */
  clusterPrompts(request: ClusterRequest, options?: JobOptions<PreferenceProgress>): Promise<PromptClusters>;
  /** Newest first. */
  datasets(): Promise<readonly PreferenceDataset[]>;
  /** Plans the clips; `run` makes them. @throws InvalidInputError naming the field */
  create(request: CreateDatasetRequest): Promise<PreferenceDataset>;
  /** The work a request asks for. With `measure`, a few steps are run first when the model's speed is unknown. */
  forecast(request: CreateDatasetRequest, measure?: boolean): Promise<PreferenceForecast>;
  /**
   * Makes and scores what is missing, clip by clip, between other jobs, until all is there, a `pause`, or the signal.
   * What is made is kept: called again, also after the tab was closed, it goes on and makes no clip twice.
   * @throws JobCancelledError, DeviceLostError, StorageError: the dataset stays as far as it was
   */
  run(datasetId: string, options?: JobOptions<PreferenceProgress>): Promise<PreferenceDataset>;
  /** After the clip under way. */
  pause(): Promise<void>;
  remove(datasetId: string): Promise<void>;
  /** Every candidate with its scores, without its sound. */
  groups(datasetId: string): Promise<readonly CandidateGroup[]>;
  clip(datasetId: string, clipId: string): Promise<TrainingClip>;
  /** Keeps the bounds, and which CLAP ranks. */
  select(
    datasetId: string,
    choice: { readonly selection: SelectionSettings | null; readonly rankingModelId?: string | null },
  ): Promise<PreferenceDataset>;
  votes(datasetId: string): Promise<readonly Vote[]>;
  vote(datasetId: string, vote: NewVote): Promise<Vote>;
  /** Undoes a vote. */
  removeVote(datasetId: string, voteId: string): Promise<void>;
  /** The chosen pairs with their sounds, as `train.start` takes them: those within the bounds, votes over CLAP. */
  pairs(datasetId: string, filter?: ChoiceFilter): Promise<readonly TrainingPair[]>;
  /** What may be wrong with the chosen pairs, and what they are about. */
  health(datasetId: string, filter?: ChoiceFilter): Promise<DatasetHealth>;
  /**
   * A parquet file of pairs (Audio-alpaca's or CRPO's columns), or chosen_{i}.wav and reject_{i}.wav with captions. Sounds
   * are WAV, FLAC, MP3, Ogg Vorbis or Ogg Opus, whatever their names say; they are kept as WAV. A sound that does not
   * decode costs its pair (`leftOut`).
   * @throws InvalidInputError when the files are no pairs, or no sound of them decodes: nothing is kept
   */
  importFiles(
    files: readonly ModelFile[],
    options?: JobOptions<PreferenceProgress>,
  ): Promise<PreferenceDataset>;
  exportFile(
    datasetId: string,
    format: PreferenceExportFormat,
    filter?: ChoiceFilter,
    options?: JobOptions<PreferenceProgress>,
  ): Promise<ModelFile>;
}
