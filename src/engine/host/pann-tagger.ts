import { InvalidInputError, ModelNotFoundError } from '../../common/errors';
import { audiosetClasses, Cnn14Encoder } from '../../models/pann-cnn14';
import type { HubPlan, JobOptions, LoadProgress, ModelFile } from '../protocol';
import type { PannModelSummary, PannsApi, PannTagRequest } from '../protocol-panns';
import type { Turn } from './clap-scorer';
import type { PannLibrary } from './pann-library';

const TAGS = { min: 1, max: 527, default: 5 };

/** What is in a sound, by the PANNs there are; one is loaded when it is asked, and stays until another is. */
export class PannTagger implements PannsApi {
  #loaded: { readonly id: string; readonly encoder: Cnn14Encoder } | null = null;

  constructor(
    private readonly library: PannLibrary,
    private readonly turn: Turn,
  ) {}

  models: PannsApi['models'] = async () => {
    const models = await this.library.list();
    return models.map((one) => (this.#loaded?.id === one.id ? { ...one, loaded: true } : one));
  };

  /** @param plan of the download that the files are of; null: a person gave them */
  importFiles = (
    files: readonly ModelFile[],
    options: JobOptions<LoadProgress> = {},
    plan: HubPlan | null = null,
  ): Promise<PannModelSummary> =>
    this.turn(options.signal, (signal) => this.library.importFiles(files, { ...options, signal }, plan));

  verify: PannsApi['verify'] = (id, options) => this.library.verify(id, options);

  unload: PannsApi['unload'] = (id) =>
    this.turn(undefined, async () => {
      if (this.#loaded?.id === id) this.releaseAll();
    });

  remove: PannsApi['remove'] = (id) =>
    this.turn(undefined, async () => {
      await this.library.remove(id);
      if (this.#loaded?.id === id) this.releaseAll();
    });

  tag: PannsApi['tag'] = async (request, { signal } = {}) => {
    const count = checkedCount(request);
    const id = request.modelId ?? (await this.#firstId());
    const names = await audiosetClasses();
    return this.turn(signal, async (running) => {
      const encoder = await this.#load(id, running);
      const { probabilities } = await encoder.hear(request.audio, request.sampleRateHz, running);
      return Array.from(probabilities, (probability, i) => ({ label: names[i] ?? '', probability }))
        .toSorted((a, b) => b.probability - a.probability)
        .slice(0, count);
    });
  };

  /** Lets the model go: the backend it is on is about to be left. */
  releaseAll(): void {
    this.#loaded?.encoder.dispose();
    this.#loaded = null;
  }

  /** @throws ModelNotFoundError when there is none */
  async #firstId(): Promise<string> {
    const [first] = await this.library.list();
    if (first) return first.id;
    throw new ModelNotFoundError(
      'There are no PANNs in this browser. The Models panel says where they are to be had: import or download one.',
    );
  }

  async #load(id: string, signal: AbortSignal): Promise<Cnn14Encoder> {
    if (this.#loaded?.id === id) return this.#loaded.encoder;
    const { folder } = await this.library.open(id);
    // The one before goes first: two of 80 M parameters need not be there together.
    this.releaseAll();
    const encoder = await Cnn14Encoder.load(folder, signal);
    this.#loaded = { id, encoder };
    return encoder;
  }
}

/** @throws InvalidInputError naming the field */
function checkedCount({ audio, sampleRateHz, count = TAGS.default }: PannTagRequest): number {
  if (!(audio instanceof Float32Array)) {
    throw new InvalidInputError('audio is a Float32Array of mono samples.');
  }
  if (!Number.isInteger(sampleRateHz) || sampleRateHz < 1) {
    throw new InvalidInputError(`sampleRateHz is a whole number of Hz, but ${sampleRateHz} came.`);
  }
  if (!Number.isInteger(count) || count < TAGS.min || count > TAGS.max) {
    throw new InvalidInputError(
      `count is a whole number from ${TAGS.min} to ${TAGS.max}, but ${count} came.`,
    );
  }
  return count;
}
