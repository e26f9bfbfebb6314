export { EngineHost } from './engine-host';
export { MemoryStore, openKeyValueStore } from './key-value-store';
export { ModelStore } from './model-store';
