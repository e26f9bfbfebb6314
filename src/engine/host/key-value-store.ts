import { createStore, delMany, get, keys, set, type UseStore } from 'idb-keyval';
import { StorageError } from '../../common/errors';

/** A place for values that structured clone can copy. */
export interface KeyValueStore {
  /** False: what is kept is gone with the page. */
  readonly persistent: boolean;
  get(key: StoreKey): Promise<unknown>;
  set(key: StoreKey, value: unknown): Promise<void>;
  deleteMany(keys: readonly StoreKey[]): Promise<void>;
  keys(): Promise<readonly StoreKey[]>;
}
export type StoreKey = readonly (string | number)[];

/** IndexedDB where there is one; else memory, as in Node. */
export function openKeyValueStore(name: string): KeyValueStore {
  return typeof indexedDB === 'undefined' ? new MemoryStore() : new IndexedDbStore(name);
}

export class MemoryStore implements KeyValueStore {
  readonly persistent = false;
  readonly #values = new Map<string, { key: StoreKey; value: unknown }>();

  async get(key: StoreKey): Promise<unknown> {
    return this.#values.get(JSON.stringify(key))?.value;
  }

  async set(key: StoreKey, value: unknown): Promise<void> {
    this.#values.set(JSON.stringify(key), { key, value });
  }

  async deleteMany(keys: readonly StoreKey[]): Promise<void> {
    for (const key of keys) this.#values.delete(JSON.stringify(key));
  }

  async keys(): Promise<readonly StoreKey[]> {
    return [...this.#values.values()].map(({ key }) => key);
  }
}

/** Tries before a connection that keeps failing is given up. */
const ATTEMPTS = 3;

/**
 * One object store of a database of its own. Browsers close connections behind a page's back (storage pressure, a
 * crashed storage process, a sleeping laptop); idb-keyval keeps the dead one, so each call opens a new one and tries
 * again when that is what happened.
 */
class IndexedDbStore implements KeyValueStore {
  readonly persistent = true;
  readonly #name: string;
  #store: UseStore;

  constructor(name: string) {
    this.#name = name;
    this.#store = createStore(name, 'values');
  }

  get(key: StoreKey): Promise<unknown> {
    return this.#attempt((store) => get<unknown>(writable(key), store));
  }

  set(key: StoreKey, value: unknown): Promise<void> {
    return this.#attempt((store) => set(writable(key), value, store));
  }

  deleteMany(list: readonly StoreKey[]): Promise<void> {
    return this.#attempt((store) => delMany(list.map(writable), store));
  }

  async keys(): Promise<readonly StoreKey[]> {
    const all = await this.#attempt((store) => keys<IDBValidKey>(store));
    return all.filter((key): key is (string | number)[] => Array.isArray(key));
  }

  async #attempt<T>(action: (store: UseStore) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await action(this.#store);
      } catch (error) {
        if (attempt < ATTEMPTS && isDeadConnection(error)) this.#store = createStore(this.#name, 'values');
        else throw toStorageError(error);
      }
    }
  }
}

function writable(key: StoreKey): (string | number)[] {
  return [...key];
}

/** InvalidStateError: "the database connection is closing"; UnknownError: the storage process failed. */
function isDeadConnection(error: unknown): boolean {
  return (
    error instanceof DOMException && ['InvalidStateError', 'UnknownError', 'AbortError'].includes(error.name)
  );
}

function toStorageError(error: unknown): StorageError {
  const name = error instanceof DOMException ? error.name : '';
  const message = error instanceof Error ? error.message : String(error);
  return new StorageError(
    name === 'QuotaExceededError'
      ? 'The browser gives the studio no more storage, so the model was not kept. Remove a model you do not need, or free space on the disk, and import it again.'
      : `The browser's storage (IndexedDB) does not answer: ${message}. Reload the page; private windows may not have it at all.`,
    { cause: error },
  );
}
