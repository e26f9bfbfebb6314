import { describe, expect, it } from 'vitest';
import { StorageError } from '../../common/errors';
import type { ModelSummary } from '../protocol';
import { MemoryStore, type StoreKey } from './key-value-store';
import { ModelStore, type StoredChunk, storedChunk } from './model-store';

const summary = { id: 'tiny-1', name: 'Tiny' } as ModelSummary;
const files = [
  { path: 'model_index.json', blob: new Blob(['{}']) },
  { path: 'unet/config.json', blob: new Blob(['{"a": 1}']) },
];

/** Storage that is full once `limit` values are in it. */
class FullStore extends MemoryStore {
  limit = 1;
  override async set(key: StoreKey, value: unknown): Promise<void> {
    if ((await this.keys()).length >= this.limit) throw new StorageError('full');
    await super.set(key, value);
  }
}

describe('ModelStore', () => {
  it('keeps, lists, opens and removes', async () => {
    const store = new ModelStore(new MemoryStore());
    await store.save(summary, files);
    expect(await store.list()).toEqual([summary]);
    const found = await store.open('tiny-1');
    expect(await found?.folder.json('unet/config.json')).toEqual({ a: 1 });
    expect(await store.open('tiny-2')).toBeNull();
    expect(await store.remove('tiny-1')).toBe(true);
    expect(await store.remove('tiny-1')).toBe(false);
    expect(await store.list()).toEqual([]);
  });

  it('keeps a large file in parts and gives it back whole', async () => {
    const values = new MemoryStore();
    const store = new ModelStore(values);
    const bytes = new Uint8Array(65 * 2 ** 20);
    bytes[bytes.length - 1] = 7;
    await store.save(summary, [...files, { path: 'unet/model.safetensors', blob: new Blob([bytes]) }]);
    expect((await values.keys()).length).toBe(2 + 2 + 1);
    const blob = await (await store.open('tiny-1'))!.folder.blob('unet/model.safetensors');
    expect(blob.size).toBe(bytes.length);
    expect(new Uint8Array(await blob.slice(-1).arrayBuffer())).toEqual(new Uint8Array([7]));
  });

  it('keeps nothing when storage is full', async () => {
    const values = new FullStore();
    const store = new ModelStore(values);
    await expect(store.save(summary, files)).rejects.toBeInstanceOf(StorageError);
    expect(await values.keys()).toEqual([]);
    values.limit = 10;
    await store.save(summary, files);
    expect(await store.list()).toEqual([summary]);
  });

  it('keeps nothing when it is cancelled, and no other model is harmed', async () => {
    const values = new MemoryStore();
    const store = new ModelStore(values);
    await store.save({ ...summary, id: 'other' }, files);
    const controller = new AbortController();
    const saving = store.save(summary, files, {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(saving).rejects.toThrow();
    expect((await store.list()).map(({ id }) => id)).toEqual(['other']);
    expect((await values.keys()).every(([id]) => id === 'other')).toBe(true);
  });

  it('says so when the browser lost a part', async () => {
    const values = new MemoryStore();
    const store = new ModelStore(values);
    await store.save(summary, files);
    await values.deleteMany([['tiny-1', 'file', 'unet/config.json', 0]]);
    await expect(store.open('tiny-1')).rejects.toThrow(/lost a part.*import it again/);
  });

  it('leaves records of a newer studio alone', async () => {
    const values = new MemoryStore();
    await values.set(['newer', 'complete'], { schemaVersion: 3, summary });
    const store = new ModelStore(values);
    await store.save(summary, files);
    expect((await store.list()).map(({ id }) => id)).toEqual(['tiny-1']);
    expect(await values.get(['newer', 'complete'])).toBeDefined();
    expect(await store.unreadable()).toEqual(['Tiny']);
    await expect(store.open('newer')).rejects.toThrow(/newer version.*Reload the page/);
  });

  it('finds a flipped bit and a lost part by their hashes, and says which file it is', async () => {
    const values = new MemoryStore();
    const store = new ModelStore(values);
    await store.save(summary, files);
    expect(await store.verify('tiny-1')).toEqual([]);
    expect(await store.verify('tiny-2')).toBeNull();
    const key = ['tiny-1', 'file', 'unet/config.json', 0];
    const chunk = (await values.get(key)) as StoredChunk;
    await values.set(key, { ...chunk, blob: new Blob(['{"a": 3}']) });
    expect(await store.verify('tiny-1')).toEqual(['unet/config.json']);
    expect((await store.list())[0]?.state).toBeUndefined();
    await values.deleteMany([key]);
    expect(await store.verify('tiny-1')).toEqual(['unet/config.json']);
    expect((await store.list())[0]?.state).toBe('broken');
  });

  it('refuses a chunk that is another one than the model was kept with', async () => {
    const values = new MemoryStore();
    const store = new ModelStore(values);
    await store.save(summary, files);
    await values.set(['tiny-1', 'file', 'unet/config.json', 0], await storedChunk(new Blob(['{"a": 3}'])));
    await expect(store.open('tiny-1')).rejects.toThrow(/lost a part/);
  });

  it('reads what version 1 kept, and gives it hashes when it is checked', async () => {
    const values = new MemoryStore();
    const store = new ModelStore(values);
    await values.set(['old', 'file', 'model_index.json', 0], new Blob(['{}']));
    await values.set(['old', 'complete'], {
      schemaVersion: 1,
      summary: { ...summary, id: 'old' },
      files: [{ path: 'model_index.json', size: 2, chunkCount: 1 }],
    });
    expect((await store.list()).map(({ id }) => id)).toEqual(['old']);
    expect(await (await store.open('old'))?.folder.json('model_index.json')).toEqual({});
    expect(await store.verify('old')).toEqual([]);
    expect(await values.get(['old', 'complete'])).toMatchObject({ schemaVersion: 2 });
    await values.set(['old', 'file', 'model_index.json', 0], new Blob(['[]']));
    expect(await store.verify('old')).toEqual(['model_index.json']);
  });

  it('keeps the chunks of a download that is under way', async () => {
    const values = new MemoryStore();
    await values.set(['download:x', 'download'], {});
    await values.set(['download:x', 'file', 'a.bin', 0], new Blob(['x']));
    await new ModelStore(values).save(summary, files);
    expect((await values.keys()).filter(([id]) => id === 'download:x')).toHaveLength(2);
  });
});
