import { InvalidInputError, StudioError } from '../../common/errors';
import { openPairParquet } from '../../preferences/exchange/read-pair-parquet';
import { checkClip } from '../../preferences/health/check-clip';
import type { Candidate, CandidateGroup } from '../../preferences/types';
import type { JobOptions, ModelFile } from '../protocol-jobs';
import type { PreferenceDataset, PreferenceProgress } from '../protocol-preferences';
import { monoOf } from './clip-samples';
import type { PreferenceStore } from './preference-store';

interface ImportedPair {
  readonly place: string;
  readonly prompt: string;
  readonly strategy: string;
  readonly chosen: Uint8Array;
  readonly rejected: Uint8Array;
}

interface PairSource {
  readonly name: string;
  readonly count: number;
  readonly pairs: () => AsyncGenerator<ImportedPair>;
}

/**
 * Reads pairs into a dataset, a few at a time. Nothing is kept when anything is wrong.
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
  try {
    for await (const pair of source.pairs()) {
      signal?.throwIfAborted();
      const index = groups.length;
      onProgress?.({
        datasetId: id,
        stage: 'import',
        index,
        count: source.count,
        prompt: pair.prompt,
        remainingSeconds: null,
      });
      const candidate = async (bytes: Uint8Array, side: string): Promise<Candidate> => {
        const clipId = `${index}-${side}`;
        const { audio, sampleRateHz } = decode(pair.place, side, bytes);
        await store.saveClip(id, clipId, bytes.slice());
        return { clipId, recipe: null, scores: {}, check: checkClip(audio, sampleRateHz) };
      };
      const candidates = [await candidate(pair.chosen, 'chosen'), await candidate(pair.rejected, 'rejected')];
      const { prompt, strategy } = pair;
      groups.push({ id: String(index), prompt, strategy, ranking: 'given', candidates });
    }
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
  if (files.some(({ path }) => /(^|\/)chosen_\d+\.wav$/i.test(path))) return folderSource(files);
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

/** The layout that the released trainer reads: chosen_{i}.wav, reject_{i}.wav, and the captions by their numbers. */
async function folderSource(files: readonly ModelFile[]): Promise<PairSource> {
  const byName = new Map(files.map(({ path, blob }) => [path.split('/').at(-1)!.toLowerCase(), blob]));
  const list = [...byName].find(([name]) => /\.(jsonl|json)$/.test(name));
  if (!list) {
    throw new InvalidInputError(
      'The folder has no captions: add captions.jsonl with a line {"captions": "…"} for each pair, in the order of the numbers.',
    );
  }
  const captions = (await list[1].text())
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line, i) => captionOf(list[0], i + 1, line));
  async function* pairs(): AsyncGenerator<ImportedPair> {
    for (const [index, { prompt, strategy }] of captions.entries()) {
      const read = async (kind: string): Promise<Uint8Array> => {
        const blob = byName.get(`${kind}_${index}.wav`);
        if (blob) return new Uint8Array(await blob.arrayBuffer());
        throw new InvalidInputError(
          `The folder has ${captions.length} captions, but no ${kind}_${index}.wav. Give each caption its two sounds.`,
        );
      };
      yield {
        place: `pair ${index}`,
        prompt,
        strategy,
        chosen: await read('chosen'),
        rejected: await read('reject'),
      };
    }
  }
  const folder = files[0]!.path.includes('/') ? files[0]!.path.split('/')[0]! : 'Imported pairs';
  return { name: folder, count: captions.length, pairs };
}

function captionOf(name: string, line: number, text: string): { prompt: string; strategy: string } {
  let value: { captions?: unknown; caption?: unknown; prompt?: unknown; strategy?: unknown };
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InvalidInputError(`${name}, line ${line}, is not JSON.`, { cause: error });
  }
  const prompt = value.captions ?? value.prompt ?? value.caption;
  if (typeof prompt !== 'string' || prompt.trim() === '') {
    throw new InvalidInputError(`${name}, line ${line}, has no caption: "captions" or "prompt" is a text.`);
  }
  return { prompt, strategy: typeof value.strategy === 'string' ? value.strategy : 'imported' };
}

function decode(place: string, side: string, bytes: Uint8Array) {
  try {
    return monoOf(bytes);
  } catch (error) {
    const why = error instanceof StudioError ? error.message : String(error);
    throw new InvalidInputError(
      `${place}: the ${side} sound does not decode (${why}). Pairs are read as WAV; convert other formats first.`,
      { cause: error },
    );
  }
}

function baseName(path: string): string {
  return path
    .split('/')
    .at(-1)!
    .replace(/\.parquet$/i, '');
}
