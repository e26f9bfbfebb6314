/// <reference lib="webworker" />
import { EngineHost } from '../src/engine/host';
import { serveEngine } from '../src/engine/rpc/serve-engine';

const lifeLock = 'locks' in navigator ? `tango-studio-engine-${Date.now()}-${Math.random()}` : null;

serveEngine((options, onEvent) => EngineHost.open(options, onEvent), self, lifeLock);
