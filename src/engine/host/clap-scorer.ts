import { InvalidInputError, ModelNotFoundError } from '../../common/errors';
import { TorchGenerator } from '../../common/random';
import { ClapEncoder } from '../../models/clap';
import type { HubPlan, JobOptions, LoadProgress, ModelFile } from '../protocol';
import type {
  ClapApi,
  ClapClip,
  ClapEmbeddings,
  ClapModelSummary,
  ClapProgress,
  ClapScore,
} from '../protocol-clap';
import type { ClapLibrary } from './clap-library';

/** CLAPs up to this size stay on the backend beside each other; of the larger ones the last that was asked stays. */
const SMALL_BYTES = 64 * 2 ** 20;

/** Runs `work` when the device is free for it. */
export type Turn = <T>(
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
) => Promise<T>;

interface LoadedClap {
  readonly summary: ClapModelSummary;
  readonly encoder: ClapEncoder;
}

/** Scores and embeddings by the CLAP models there are; a model is loaded when it is first asked. */
export class ClapScorer implements ClapApi {
  readonly #loaded = new Map<string, LoadedClap>();

  constructor(
    private readonly library: ClapLibrary,
    private readonly turn: Turn,
  ) {}

  models: ClapApi['models'] = async () => {
    const models = await this.library.list();
    return models.map((one) => (this.#loaded.has(one.id) ? { ...one, loaded: true } : one));
  };

  /** @param plan of the download that the files are of; null: a person gave them */
  importFiles = (
    files: readonly ModelFile[],
    options: JobOptions<LoadProgress> = {},
    plan: HubPlan | null = null,
  ): Promise<ClapModelSummary> =>
    this.turn(options.signal, (signal) => this.library.importFiles(files, { ...options, signal }, plan));

  verify: ClapApi['verify'] = (id, options) => this.library.verify(id, options);

  unload: ClapApi['unload'] = (id) => this.turn(undefined, async () => this.#release(id));

  remove: ClapApi['remove'] = (id) =>
    this.turn(undefined, async () => {
      await this.library.remove(id);
      this.#release(id);
    });

  score: ClapApi['score'] = async ({ items, modelIds, seed = 0 }, options = {}) => {
    checkList('items', items);
    items.forEach((item, i) => {
      checkClip(item, `items[${i}]`);
      checkPrompt(item.prompt, `items[${i}].prompt`);
    });
    checkSeed(seed);
    if (items.length === 0) return [];
    const ids = modelIds ?? (await this.#everyId());
    checkList('modelIds', ids);
    const prompts = [...new Set(items.map(({ prompt }) => prompt))];
    const scores = items.map((): ClapScore[] => []);
    const count = items.length * ids.length;
    for (const [m, id] of ids.entries()) {
      const words = new Map<string, Float32Array>();
      for (const [i, item] of items.entries()) {
        // One turn a sound: a long list does not hold up what a person asks for meanwhile.
        await this.turn(options.signal, async (signal) => {
          const { summary, encoder } = await this.#load(id, signal);
          if (words.size === 0) {
            const embeddings = await encoder.embedText(prompts, signal);
            prompts.forEach((prompt, p) => {
              words.set(prompt, embeddings[p] ?? new Float32Array(0));
            });
          }
          const sound = await encoder.embedAudio(item.audio, item.sampleRateHz, placeOf(seed, i));
          const score = cosine(sound, words.get(item.prompt) ?? new Float32Array(0));
          scores[i]?.push({ modelId: summary.id, modelName: summary.name, score });
        });
        options.onProgress?.({ index: m * items.length + i + 1, count });
      }
    }
    return scores;
  };

  embedText: ClapApi['embedText'] = async ({ prompts, modelId }, options = {}) => {
    checkList('prompts', prompts);
    prompts.forEach((prompt, i) => {
      checkPrompt(prompt, `prompts[${i}]`);
    });
    return this.#embed(modelId, prompts.length, options, async ({ encoder }, i) => {
      const [row = new Float32Array(0)] = await encoder.embedText([prompts[i] ?? '']);
      return row;
    });
  };

  embedAudio: ClapApi['embedAudio'] = async ({ clips, modelId, seed = 0 }, options = {}) => {
    checkList('clips', clips);
    clips.forEach((clip, i) => {
      checkClip(clip, `clips[${i}]`);
    });
    checkSeed(seed);
    return this.#embed(modelId, clips.length, options, ({ encoder }, i) => {
      const { audio, sampleRateHz } = clips[i] as ClapClip;
      return encoder.embedAudio(audio, sampleRateHz, placeOf(seed, i));
    });
  };

  /** Lets every model go: the backend they are on is about to be left. */
  releaseAll(): void {
    for (const id of [...this.#loaded.keys()]) this.#release(id);
  }

  async #embed(
    modelId: string | undefined,
    count: number,
    { onProgress, signal }: JobOptions<ClapProgress>,
    embed: (clap: LoadedClap, index: number) => Promise<Float32Array>,
  ): Promise<ClapEmbeddings> {
    const id = modelId ?? (await this.#everyId())[0] ?? '';
    const embeddings: Float32Array[] = [];
    const summary = await this.turn(signal, async (running) => (await this.#load(id, running)).summary);
    for (let i = 0; i < count; i += 1) {
      embeddings.push(await this.turn(signal, async (running) => embed(await this.#load(id, running), i)));
      onProgress?.({ index: i + 1, count });
    }
    return { modelId: summary.id, modelName: summary.name, embeddings };
  }

  /** @throws ModelNotFoundError when there is none */
  async #everyId(): Promise<readonly string[]> {
    const ids = (await this.library.list()).map(({ id }) => id);
    if (ids.length > 0) return ids;
    throw new ModelNotFoundError(
      'There is no CLAP in this studio: its own could not be fetched. Reload the page, or import one.',
    );
  }

  async #load(id: string, signal: AbortSignal): Promise<LoadedClap> {
    const known = this.#loaded.get(id);
    if (known) return known;
    const { folder, summary } = await this.library.open(id);
    if (summary.bytes > SMALL_BYTES) {
      for (const [other, { summary: its }] of [...this.#loaded]) {
        if (its.bytes > SMALL_BYTES) this.#release(other);
      }
    }
    const loaded = { summary, encoder: await ClapEncoder.load(folder, signal) };
    this.#loaded.set(id, loaded);
    return loaded;
  }

  #release(id: string): void {
    this.#loaded.get(id)?.encoder.dispose();
    this.#loaded.delete(id);
  }
}

/** Where a long sound is cropped: its own place for each item, the same for the same seed. */
function placeOf(seed: number, index: number): number {
  return new TorchGenerator((seed + index) % 2 ** 32).rand(1)[0] ?? 0;
}

/** Of two vectors of length 1. */
function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);
}

function checkList(name: string, value: unknown): void {
  if (!Array.isArray(value)) throw new InvalidInputError(`${name} is a list, but ${typeof value} came.`);
}

function checkClip(clip: ClapClip, name: string): void {
  if (!(clip?.audio instanceof Float32Array) || clip.audio.length === 0) {
    throw new InvalidInputError(`${name}.audio is a Float32Array of mono samples, at least one.`);
  }
  if (!Number.isInteger(clip.sampleRateHz) || clip.sampleRateHz < 1) {
    throw new InvalidInputError(
      `${name}.sampleRateHz is a whole number of Hz, but ${clip.sampleRateHz} came.`,
    );
  }
}

function checkPrompt(prompt: unknown, name: string): void {
  if (typeof prompt !== 'string')
    throw new InvalidInputError(`${name} is a text, but ${typeof prompt} came.`);
}

function checkSeed(seed: unknown): void {
  if (Number.isInteger(seed) && Number(seed) >= 0 && Number(seed) < 2 ** 32) return;
  throw new InvalidInputError(`seed is a whole number from 0 to 4294967295, but ${String(seed)} came.`);
}
