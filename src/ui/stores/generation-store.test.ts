import { expect, test } from 'vitest';
import { DeviceLostError, OutOfMemoryError } from '../../common/errors';
import type { ResolvedGenerateRequest } from '../../engine/protocol';
import { createFakeEngineClient } from '../../testing/fake-engine-client';
import { createGenerationStore, takesInOrder } from './generation-store';

const request: ResolvedGenerateRequest = {
  prompt: 'rain',
  negativePrompt: '',
  steps: 3,
  guidanceScale: 3,
  scheduler: 'ddim',
  seed: 7,
  durationSeconds: 1,
  count: 3,
  modelId: 'default',
};

function seedsOf(store: ReturnType<typeof createGenerationStore>): readonly number[] {
  return takesInOrder(store.getState().generations).map(({ sound }) => sound.seed);
}

test('takes are shown newest first, in newest-first generations', async () => {
  const store = createGenerationStore(createFakeEngineClient());
  await store.getState().start({ ...request, count: 2 });
  await store.getState().start({ ...request, seed: 100, count: 2 });
  expect(seedsOf(store)).toEqual([101, 100, 8, 7]);
  expect(takesInOrder(store.getState().generations).map(({ number }) => number)).toEqual([2, 1, 2, 1]);
  expect(store.getState().generations.every(({ status }) => status === 'done')).toBe(true);
});

test('each take is there as soon as it is finished', async () => {
  const store = createGenerationStore(createFakeEngineClient());
  const seen = new Set<string>();
  store.subscribe(({ generations: [one] }) => seen.add(`${one?.status} ${one?.takes.length}`));
  const running = store.getState().start(request);
  expect(store.getState().runningId).not.toBeNull();
  await running;
  expect([...seen]).toEqual(['running 0', 'running 1', 'running 2', 'running 3', 'done 3']);
  expect(store.getState().runningId).toBeNull();
});

test('a second start while one runs does nothing', async () => {
  const engine = createFakeEngineClient();
  const store = createGenerationStore(engine);
  await Promise.all([store.getState().start(request), store.getState().start(request)]);
  expect(engine.requests).toHaveLength(1);
});

test('cancelling keeps the takes that are finished', async () => {
  const store = createGenerationStore(createFakeEngineClient());
  store.subscribe(({ generations, cancel }) => {
    if (generations[0]?.takes.length === 1) cancel();
  });
  await store.getState().start(request);
  const [generation] = store.getState().generations;
  expect(generation).toMatchObject({ status: 'cancelled', failure: null, progress: null, preview: null });
  expect(seedsOf(store)).toEqual([7]);
});

test('a failure keeps its code and message, and a retry makes only what is missing, with the same seeds', async () => {
  const engine = createFakeEngineClient();
  const store = createGenerationStore(engine);
  engine.failAt(1, new DeviceLostError('The GPU was lost.'));
  await store.getState().start(request);
  const [failed] = store.getState().generations;
  expect(failed).toMatchObject({
    status: 'failed',
    failure: { code: 'device-lost', message: 'The GPU was lost.' },
  });
  expect(seedsOf(store)).toEqual([7]);

  await store.getState().retry(failed!.id);
  expect(engine.requests[1]).toMatchObject({ seed: 8, count: 2 });
  expect(seedsOf(store)).toEqual([9, 8, 7]);
  expect(store.getState().generations).toHaveLength(1);
  expect(store.getState().generations[0]).toMatchObject({ status: 'done', failure: null });
});

test('progress of a retry counts the takes that were there before', async () => {
  const engine = createFakeEngineClient();
  const store = createGenerationStore(engine);
  engine.failAt(1, new OutOfMemoryError('Too much.'));
  await store.getState().start(request);
  const seen = new Set<string>();
  store.subscribe(({ generations: [one] }) => {
    if (one?.progress) seen.add(`${one.progress.takeIndex + 1}/${one.progress.takeCount}`);
  });
  await store.getState().retry(store.getState().generations[0]!.id);
  expect([...seen]).toEqual(['2/3', '3/3']);
});

test('seeds of takes wrap at 2^32', async () => {
  const engine = createFakeEngineClient();
  const store = createGenerationStore(engine);
  engine.failAt(1, new DeviceLostError('Lost.'));
  await store.getState().start({ ...request, seed: 2 ** 32 - 1, count: 2 });
  await store.getState().retry(store.getState().generations[0]!.id);
  expect(engine.requests[1]).toMatchObject({ seed: 0, count: 1 });
});

test('the first take of a generation is selected; later ones do not take the selection away', async () => {
  const store = createGenerationStore(createFakeEngineClient());
  await store.getState().start(request);
  const first = store.getState().generations[0]!.takes[0]!;
  expect(store.getState().selectedTakeId).toBe(first.id);
});

test('removing a generation forgets its takes and a selection among them, but never a running one', async () => {
  const store = createGenerationStore(createFakeEngineClient());
  const running = store.getState().start(request);
  store.getState().remove(store.getState().runningId!);
  expect(store.getState().generations).toHaveLength(1);
  await running;
  store.getState().remove(store.getState().generations[0]!.id);
  expect(store.getState()).toMatchObject({ generations: [], selectedTakeId: null });
});

test('a removal can be taken back until something new is made', async () => {
  const store = createGenerationStore(createFakeEngineClient());
  for (const seed of [10, 20, 30]) await store.getState().start({ ...request, seed, count: 1 });
  store.getState().remove(store.getState().generations[1]!.id);
  expect(seedsOf(store)).toEqual([30, 10]);
  store.getState().undoRemove();
  expect(seedsOf(store)).toEqual([30, 20, 10]);
  store.getState().remove(store.getState().generations[0]!.id);
  await store.getState().start({ ...request, seed: 40, count: 1 });
  expect(store.getState().removed).toBeNull();
  store.getState().undoRemove();
  expect(seedsOf(store)).toEqual([40, 20, 10]);
});
