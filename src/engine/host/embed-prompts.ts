import { ModelNotFoundError } from '../../common/errors';
import type { ClapApi } from '../protocol-clap';
import type { JobOptions } from '../protocol-jobs';
import type { SentenceEmbeddingsApi } from '../protocol-sentence-embeddings';

export interface Embedders {
  readonly clap: Pick<ClapApi, 'models' | 'embedText'>;
  readonly sentenceEmbeddings: Pick<SentenceEmbeddingsApi, 'models' | 'embed'>;
}

export interface EmbeddedPrompts {
  readonly modelId: string;
  readonly modelName: string;
  readonly embeddings: readonly Float32Array[];
}

export interface EmbedProgress {
  readonly index: number;
  readonly count: number;
  /** From the prompts that are done; null before there are any. */
  readonly remainingSeconds: number | null;
}

/**
 * One vector of length 1 for each prompt, by the model that is asked for; by default the first sentence embedder, or the
 * text tower of the first CLAP where none is installed.
 *
 * @param now seconds on a clock that only goes forward
 * @throws ModelNotFoundError, and whatever the model throws: no other one takes its place
 */
export async function embedPrompts(
  { clap, sentenceEmbeddings }: Embedders,
  prompts: readonly string[],
  modelId: string | undefined,
  { signal, onProgress }: JobOptions<EmbedProgress>,
  now: () => number = () => performance.now() / 1000,
): Promise<EmbeddedPrompts> {
  const sentenceIds = (await sentenceEmbeddings.models()).map(({ id }) => id);
  const id = modelId ?? sentenceIds[0];
  let begun: { readonly at: number; readonly index: number } | null = null;
  const options = {
    ...(signal ? { signal } : {}),
    onProgress: ({ index, count }: { readonly index: number; readonly count: number }): void => {
      // The first report comes after the loading, which says nothing of what is left.
      const since = begun;
      begun ??= { at: now(), index };
      const remainingSeconds = since && ((now() - since.at) / (index - since.index)) * (count - index);
      onProgress?.({ index, count, remainingSeconds });
    },
  };
  if (id !== undefined && sentenceIds.includes(id)) {
    return sentenceEmbeddings.embed({ texts: prompts, modelId: id }, options);
  }
  if (id !== undefined) {
    const clapIds = (await clap.models()).map((one) => one.id);
    if (!clapIds.includes(id)) {
      throw new ModelNotFoundError(
        `Nothing called "${id}" embeds prompts here. There are: ${[...sentenceIds, ...clapIds].join(', ') || 'none'}.`,
      );
    }
  }
  return clap.embedText({ prompts, ...(id === undefined ? {} : { modelId: id }) }, options);
}
