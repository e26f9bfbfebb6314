import { downloadZip } from 'client-zip';
import Papa from 'papaparse';
import { StorageError } from '../../common/errors';
import { escapeCell } from '../../preferences/exchange/escape-cell';
import { type PairRow, writePairParquet } from '../../preferences/exchange/pair-parquet';
import { type ChoiceFilter, DEFAULT_SHARES } from '../../preferences/selection/choose-pairs';
import { type SplitName, splitOf } from '../../preferences/splits';
import type { Candidate, ScoredPair } from '../../preferences/types';
import { byPair } from '../../preferences/votes/agreement';
import type { Vote } from '../../preferences/votes/vote';
import type { JobOptions, ModelFile } from '../protocol-jobs';
import type { PreferenceDataset, PreferenceExportFormat, PreferenceProgress } from '../protocol-preferences';
import { monoOf } from './clip-samples';
import type { PreferenceStore } from './preference-store';

export interface ExportRequest extends JobOptions<PreferenceProgress> {
  readonly store: PreferenceStore;
  readonly dataset: PreferenceDataset;
  readonly pairs: readonly ScoredPair[];
  readonly votes: readonly Vote[];
  readonly format: PreferenceExportFormat;
  readonly filter: ChoiceFilter;
}

interface ExportJob extends ExportRequest {
  readonly votesOf: ReadonlyMap<string, readonly Vote[]>;
}

/** The chosen pairs as one file. Sounds are read pair by pair, and leave memory with the part they were written in. */
export async function exportPairs(request: ExportRequest): Promise<ModelFile> {
  const job: ExportJob = { ...request, votesOf: byPair(request.votes) };
  const name = job.dataset.name.replace(/[^\p{L}\p{N}_-]+/gu, '-').replace(/^-|-$/g, '') || 'pairs';
  switch (job.format) {
    case 'parquet': {
      const rate = await sampleRateOf(job);
      return { path: `${name}.parquet`, blob: await writePairParquet(rowsOf(job), rate) };
    }
    case 'folder':
      return { path: `${name}.zip`, blob: await downloadZip(folderOf(job)).blob() };
    case 'jsonl': {
      const lines = job.pairs.map((pair) => `${JSON.stringify(describePair(job, pair))}\n`);
      return { path: `${name}.jsonl`, blob: new Blob(lines, { type: 'application/jsonl' }) };
    }
    case 'csv': {
      const rows = job.pairs.map((pair) => flatRow(job, pair));
      const csv = Papa.unparse({
        fields: Object.keys(rows[0]!),
        data: rows.map((row) => Object.values(row)),
      });
      return { path: `${name}.csv`, blob: new Blob([csv], { type: 'text/csv' }) };
    }
  }
}

async function* rowsOf(job: ExportJob): AsyncGenerator<PairRow> {
  for (const [index, pair] of job.pairs.entries()) {
    report(job, index);
    const sound = async ({ clipId }: Candidate, kind: string): Promise<PairRow['chosen']> => ({
      bytes: await wavOf(job, clipId),
      path: `${kind}_${index}.wav`,
    });
    yield {
      prompt: pair.prompt,
      chosen: await sound(pair.winner, 'chosen'),
      rejected: await sound(pair.loser, 'reject'),
      strategy: pair.strategy,
      split: splitOfPair(job, pair.prompt),
      studio: JSON.stringify(describePair(job, pair)),
    };
  }
}

async function* folderOf(
  job: ExportJob,
): AsyncGenerator<{ name: string; input: Uint8Array<ArrayBuffer> | string }> {
  const captions: string[] = [];
  for (const [index, pair] of job.pairs.entries()) {
    report(job, index);
    yield { name: `chosen_${index}.wav`, input: await wavOf(job, pair.winner.clipId) };
    yield { name: `reject_${index}.wav`, input: await wavOf(job, pair.loser.clipId) };
    captions.push(`${JSON.stringify({ index, captions: pair.prompt, ...describePair(job, pair) })}\n`);
  }
  yield { name: 'captions.jsonl', input: captions.join('') };
}

function describePair(job: ExportJob, { id, prompt, strategy, winner, loser, deltas }: ScoredPair) {
  const names = new Map(job.dataset.clapModels.map((model) => [model.id, model.name]));
  const side = ({ clipId, recipe, scores }: Candidate) => ({ clipId, recipe, scores });
  return {
    id,
    prompt,
    strategy,
    split: splitOfPair(job, prompt),
    chosen: side(winner),
    rejected: side(loser),
    deltas,
    clapModels: Object.fromEntries(names),
    modelId: job.dataset.modelId,
    votes: job.votesOf.get(id) ?? [],
  };
}

function flatRow(job: ExportJob, pair: ScoredPair): Record<string, string | number> {
  const scores = job.dataset.clapModels.flatMap(({ id, name }) => [
    [escapeCell(`${name} chosen`), pair.winner.scores[id] ?? ''],
    [escapeCell(`${name} rejected`), pair.loser.scores[id] ?? ''],
  ]);
  return {
    id: escapeCell(pair.id),
    prompt: escapeCell(pair.prompt),
    strategy: escapeCell(pair.strategy),
    split: splitOfPair(job, pair.prompt),
    ...Object.fromEntries(scores),
    votes: job.votesOf.get(pair.id)?.length ?? 0,
  };
}

function splitOfPair({ filter }: ExportJob, prompt: string): SplitName {
  return splitOf(prompt, filter.shares ?? DEFAULT_SHARES);
}

async function wavOf({ store, dataset }: ExportJob, clipId: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await store.clip(dataset.id, clipId);
  if (bytes) return bytes;
  throw new StorageError(
    `The browser has lost the clip "${clipId}" of "${dataset.name}". Run the dataset again.`,
  );
}

/** The rate that all sounds have as far as the first ones tell; `datasets` resamples to what is written. */
async function sampleRateOf(job: ExportJob): Promise<number> {
  return monoOf(await wavOf(job, job.pairs[0]!.winner.clipId)).sampleRateHz;
}

function report({ dataset, pairs, signal, onProgress }: ExportJob, index: number): void {
  signal?.throwIfAborted();
  onProgress?.({
    datasetId: dataset.id,
    stage: 'export',
    index,
    count: pairs.length,
    prompt: pairs[index]!.prompt,
    remainingSeconds: null,
  });
}
