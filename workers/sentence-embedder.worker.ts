/// <reference lib="webworker" />
import { serveEmbedder } from '../src/engine/embedder/serve-embedder';

serveEmbedder(self);
