import { InvalidInputError } from '../../common/errors';
import { openPairParquet } from '../../preferences/exchange/read-pair-parquet';
import { checkClip } from '../../preferences/health/check-clip';
import type { Candidate, CandidateGroup, ClipCheck } from '../../preferences/types';
import type { JobOptions, ModelFile } from '../protocol-jobs';
import type { PreferenceDataset, PreferenceProgress } from '../protocol-preferences';
import { monoOf, wavFileOf } from './clip-samples';
import type { PreferenceStore } from './preference-store';

interface ImportedPair {
  readonly place: string;
  readonly prompt: string;
  readonly strategy: string;
  readonly split: string | null;
  readonly chosen: Uint8Array;
  readonly rejected: Uint8Array;
}

interface PairSource {
  readonly name: string;
  readonly count: number;
  readonly pairs: () => AsyncGenerator<ImportedPair>;
}

/** Kept in words: a file whose every second sound is broken does not fill the storage with sentences. */
const MAX_REASONS = 20;

/** Names that a folder's sounds may have; what they are is told by their bytes. */
const SOUND_NAME = /^(chosen|reject)_(\d+)\.(wav|flac|mp3|ogg|oga|opus)$/;

/**
 * Reads pairs into a dataset, a few at a time. A sound that does not decode costs its pair, and the dataset says so;
 * nothing is kept when no pair is left, or anything else is wrong.
 * @throws InvalidInputError saying where
 */
export async function importPairs(
  store: PreferenceStore,
  files: readonly ModelFile[],
  { onProgress, signal }: JobOptions<PreferenceProgress>,
): Promise<PreferenceDataset> {
  const source = await openSource(files);
  const id = crypto.randomUUID();
  const groups: CandidateGroup[] = [];
  const leftOut: InvalidInputError[] = [];
  try {
    let row = 0;
    for await (const { place, prompt, strategy, split, chosen, rejected } of source.pairs()) {
      signal?.throwIfAborted();
      onProgress?.({
        datasetId: id,
        stage: 'import',
        index: row,
        count: source.count,
        prompt,
        remainingSeconds: null,
      });
      row += 1;
      const index = groups.length;
      let sounds: readonly DecodedClip[];
      try {
        sounds = [await decode(place, 'chosen', chosen), await decode(place, 'rejected', rejected)];
      } catch (error) {
        if (!(error instanceof InvalidInputError)) throw error;
        leftOut.push(error);
        continue;
      }
      const candidates: Candidate[] = [];
      for (const [k, { wav, check }] of sounds.entries()) {
        const clipId = `${index}-${k === 0 ? 'chosen' : 'rejected'}`;
        await store.saveClip(id, clipId, wav);
        candidates.push({ clipId, recipe: null, scores: {}, check });
      }
      groups.push({
        id: String(index),
        prompt,
        strategy,
        ranking: 'given',
        candidates,
        ...(split !== null && { split }),
      });
    }
    if (groups.length === 0 && leftOut[0]) throw leftOut[0];
    const dataset: PreferenceDataset = {
      id,
      name: source.name,
      source: 'imported',
      modelId: null,
      state: 'stopped',
      settings: null,
      promptCount: new Set(groups.map(({ prompt }) => prompt)).size,
      groupCount: groups.length,
      clipCount: 2 * groups.length,
      clipsMade: 2 * groups.length,
      clapModels: [],
      rankingModelId: null,
      selection: null,
      createdAt: new Date().toISOString(),
      failure: null,
      ...(leftOut.length > 0 && {
        leftOut: {
          pairCount: leftOut.length,
          reasons: leftOut.slice(0, MAX_REASONS).map(({ message }) => message),
        },
      }),
    };
    await store.saveGroups(id, groups);
    await store.save(dataset);
    return dataset;
  } catch (error) {
    await store.remove(id).catch(() => {}); // the first error says what happened
    throw error;
  }
}

async function openSource(files: readonly ModelFile[]): Promise<PairSource> {
  const parquet = files.filter(({ path }) => /\.parquet$/i.test(path));
  if (parquet.length > 0) return parquetSource(parquet);
  if (files.some(({ path }) => SOUND_NAME.exec(nameOf(path))?.[1] === 'chosen')) return folderSource(files);
  throw new InvalidInputError(
    `Pairs come as .parquet files, or as a folder with chosen_0.wav, reject_0.wav and captions.jsonl; ${
      files.length === 0 ? 'no file came' : `“${files[0]!.path.slice(0, 60)}” came`
    }.`,
  );
}

async function parquetSource(files: readonly ModelFile[]): Promise<PairSource> {
  const opened = await Promise.all(
    files.map(async ({ path, blob }) => ({ path, ...(await openPairParquet(path, blob)) })),
  );
  async function* pairs(): AsyncGenerator<ImportedPair> {
    for (const { path, rows } of opened) {
      for await (const { row, ...pair } of rows()) yield { ...pair, place: `${path}, row ${row + 1}` };
    }
  }
  const count = opened.reduce((sum, { rowCount }) => sum + rowCount, 0);
  return { name: baseName(files[0]!.path), count, pairs };
}

/**
 * The layout that the released trainer reads: chosen_{i}.wav, reject_{i}.wav (here also .flac, .mp3, .ogg, .opus), and
 * the captions by their numbers.
 */
async function folderSource(files: readonly ModelFile[]): Promise<PairSource> {
  const sounds = new Map<string, ModelFile>();
  for (const file of files) {
    const [, kind, index] = SOUND_NAME.exec(nameOf(file.path)) ?? [];
    if (kind) sounds.set(`${kind}_${Number(index)}`, file);
  }
  const list = files.find(({ path }) => /\.(jsonl|json)$/i.test(path));
  if (!list) {
    throw new InvalidInputError(
      'The folder has no captions: add captions.jsonl with a line {"captions": "…"} for each pair, in the order of the numbers.',
    );
  }
  const captions = (await list.blob.text())
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line, i) => captionOf(nameOf(list.path), i + 1, line));
  async function* pairs(): AsyncGenerator<ImportedPair> {
    for (const [index, { prompt, strategy, split }] of captions.entries()) {
      const fileOf = (kind: string): ModelFile => {
        const file = sounds.get(`${kind}_${index}`);
        if (file) return file;
        throw new InvalidInputError(
          `The folder has ${captions.length} captions, but no ${kind}_${index}.wav. Give each caption its two sounds.`,
        );
      };
      const [chosen, rejected] = [fileOf('chosen'), fileOf('reject')];
      yield {
        place: `${nameOf(chosen.path)} and ${nameOf(rejected.path)}`,
        prompt,
        strategy,
        split,
        chosen: new Uint8Array(await chosen.blob.arrayBuffer()),
        rejected: new Uint8Array(await rejected.blob.arrayBuffer()),
      };
    }
  }
  const folder = files[0]!.path.includes('/') ? files[0]!.path.split('/')[0]! : 'Imported pairs';
  return { name: folder, count: captions.length, pairs };
}

function captionOf(
  name: string,
  line: number,
  text: string,
): { prompt: string; strategy: string; split: string | null } {
  let value: { captions?: unknown; caption?: unknown; prompt?: unknown; strategy?: unknown; split?: unknown };
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InvalidInputError(`${name}, line ${line}, is not JSON.`, { cause: error });
  }
  const prompt = value.captions ?? value.prompt ?? value.caption;
  if (typeof prompt !== 'string' || prompt.trim() === '') {
    throw new InvalidInputError(`${name}, line ${line}, has no caption: "captions" or "prompt" is a text.`);
  }
  return {
    prompt,
    strategy: typeof value.strategy === 'string' ? value.strategy : 'imported',
    split: typeof value.split === 'string' ? value.split : null,
  };
}

interface DecodedClip {
  readonly wav: Uint8Array;
  readonly check: ClipCheck;
}

/** @throws InvalidInputError naming the place, what came, and what to do */
async function decode(place: string, side: string, bytes: Uint8Array): Promise<DecodedClip> {
  try {
    const wav = await wavFileOf(bytes.slice()); // the row's buffer holds its whole group
    const { audio, sampleRateHz } = monoOf(wav);
    return { wav, check: checkClip(audio, sampleRateHz) };
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    throw new InvalidInputError(`${place}: the ${side} sound does not decode. ${error.message}`, {
      cause: error,
    });
  }
}

function nameOf(path: string): string {
  return path.split('/').at(-1)!.toLowerCase();
}

function baseName(path: string): string {
  return path
    .split('/')
    .at(-1)!
    .replace(/\.parquet$/i, '');
}
