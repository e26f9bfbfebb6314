import { afterEach, expect, it } from 'vitest';
import { StorageError } from '../../common/errors';
import { type KeyValueStore, openKeyValueStore } from './key-value-store';

const name = `key-value-store-test-${Date.now()}`;
const store: KeyValueStore = openKeyValueStore(name);
const { transaction } = IDBDatabase.prototype;

afterEach(() => {
  IDBDatabase.prototype.transaction = transaction;
});

/** The next `times` uses of a connection fail as they do on one that the browser has closed. */
function breakConnections(times: number): void {
  let left = times;
  IDBDatabase.prototype.transaction = function (...args) {
    if (left-- > 0) throw new DOMException('The database connection is closing.', 'InvalidStateError');
    return transaction.apply(this, args);
  };
}

it('keeps values in IndexedDB, under keys of several parts', async () => {
  expect(store.persistent).toBe(true);
  await store.set(['tiny', 'file', 'unet/config.json', 0], new Blob(['{}']));
  await store.set(['tiny', 'complete'], { schemaVersion: 1 });
  const blob = await openKeyValueStore(name).get(['tiny', 'file', 'unet/config.json', 0]);
  expect(await (blob as Blob).text()).toBe('{}');
  expect(await store.keys()).toEqual([
    ['tiny', 'complete'],
    ['tiny', 'file', 'unet/config.json', 0],
  ]);
  await store.deleteMany([['tiny', 'complete']]);
  expect(await store.get(['tiny', 'complete'])).toBeUndefined();
});

it('opens a new connection when the browser has closed the old one', async () => {
  breakConnections(2);
  await store.set(['a'], 1);
  expect(await store.get(['a'])).toBe(1);
});

it('says so when no connection works', async () => {
  breakConnections(Number.POSITIVE_INFINITY);
  await expect(store.get(['a'])).rejects.toBeInstanceOf(StorageError);
  await expect(store.get(['a'])).rejects.toThrow(/IndexedDB\) does not answer.*Reload the page/);
});

it('says so when storage is full', async () => {
  IDBDatabase.prototype.transaction = () => {
    throw new DOMException('', 'QuotaExceededError');
  };
  await expect(store.set(['a'], 1)).rejects.toThrow(/no more storage.*Remove a model/);
});
