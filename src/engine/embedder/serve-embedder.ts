import * as Comlink from 'comlink';
import { required } from '../../common/assert';
import { settle } from '../rpc/wire-error';
import type { EmbedderService } from './embedder-service';
import { SentenceEmbedder } from './sentence-embedder';

/** Answers for one model, which is opened first. Runs in a worker that is ended after the work. */
export function serveEmbedder(endpoint: Comlink.Endpoint): void {
  let embedder: SentenceEmbedder | null = null;
  const service: EmbedderService = {
    open: (files) =>
      settle(async () => {
        embedder = await SentenceEmbedder.open(files);
      }),
    embed: (texts) => settle(() => required(embedder, 'a model that was opened').embed(texts)),
  };
  Comlink.expose(service, endpoint);
}
