import { expect, test, vi } from 'vitest';
import { JobCancelledError, StorageError } from '../../common/errors';
import { fakePann, fakePanns } from '../../testing/fake-panns';
import { createPannStore } from './pann-store';

const sound = (key: string) => ({ key, audio: new Float32Array(8), sampleRateHz: 16_000 });

async function setUp() {
  const panns = fakePanns();
  await panns.importFiles([{ path: 'Cnn14.pth', blob: new Blob() }]);
  return { panns, store: createPannStore({ panns }) };
}

test('a sound is asked about once, under the model’s name', async () => {
  const { panns, store } = await setUp();
  const tag = vi.spyOn(panns, 'tag');
  await Promise.all([store.getState().hear([sound('a'), sound('b')]), store.getState().hear([sound('a')])]);
  await store.getState().hear([sound('b')]);
  expect(tag).toHaveBeenCalledTimes(2);
  expect(store.getState().heard.a).toMatchObject({ modelName: fakePann.name, tags: { length: 5 } });
  expect(store.getState()).toMatchObject({ waiting: new Set(), failures: {}, failure: null });
});

test('cancelling ends the sound under way and those behind it, and is no failure', async () => {
  const { panns, store } = await setUp();
  const tag = vi
    .spyOn(panns, 'tag')
    .mockImplementation(
      (_, { signal } = {}) =>
        new Promise((_resolve, reject) =>
          signal?.addEventListener('abort', () => reject(new JobCancelledError('The job was cancelled.'))),
        ),
    );
  const hearing = store.getState().hear([sound('a'), sound('b')]);
  expect([...store.getState().waiting]).toEqual(['a', 'b']);
  await vi.waitFor(() => expect(tag).toHaveBeenCalledOnce());
  store.getState().cancel(['a', 'b']);
  await hearing;
  expect(tag).toHaveBeenCalledOnce();
  expect(store.getState()).toMatchObject({ heard: {}, waiting: new Set(), failures: {} });
});

test('a failure is kept by the sound until it is asked about again; without a model nothing is asked', async () => {
  const { panns, store } = await setUp();
  const tag = vi.spyOn(panns, 'tag').mockRejectedValueOnce(new StorageError('Lost.'));
  await store.getState().hear([sound('a'), sound('b')]);
  expect(store.getState().failures.a).toMatchObject({ code: 'storage', message: 'Lost.' });
  expect(Object.keys(store.getState().heard)).toEqual(['b']);
  await store.getState().remove(fakePann.id);
  await store.getState().hear([sound('a')]);
  expect(tag).toHaveBeenCalledTimes(2);
  expect(store.getState()).toMatchObject({ models: [], failures: {}, waiting: new Set() });
  vi.spyOn(panns, 'models').mockRejectedValueOnce(new StorageError('No storage.'));
  await store.getState().hear([sound('a')]);
  expect(store.getState().failure).toMatchObject({ message: 'No storage.' });
});
