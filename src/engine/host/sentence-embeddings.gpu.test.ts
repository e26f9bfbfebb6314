import { beforeAll, describe, it } from 'vitest';
import { expectClose } from '../../testing/expect-close';
import { type TinyGte, tinyGte } from '../../testing/tiny-gte';
import { openEmbedderWorker } from './embedder-worker';
import { MemoryStore } from './key-value-store';
import { ModelStore } from './model-store';
import { SentenceEmbedders } from './sentence-embeddings';

const DOCUMENTS = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'README.md'] as const;

let tiny: TinyGte;
beforeAll(async () => {
  tiny = await tinyGte();
});

describe('a sentence embedder in its worker', () => {
  it('gives PyTorch’s embeddings', async () => {
    const embedders = new SentenceEmbedders(new ModelStore(new MemoryStore()), openEmbedderWorker);
    const model = await embedders.importFiles(tiny.folder(...DOCUMENTS, 'onnx/model.onnx'));
    const { embeddings } = await embedders.embed({ texts: tiny.captions, modelId: model.id });
    await expectClose(Float32Array.from(embeddings.flatMap((row) => [...row])), tiny.fixture.values('embeddings'), {
      relativeToRms: 1e-4,
    });
  });
});
