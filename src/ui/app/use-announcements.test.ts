import { expect, test } from 'vitest';
import type { ResolvedGenerateRequest } from '../../engine/protocol';
import { createFakeEngineClient } from '../../testing/fake-engine-client';
import { createGenerationStore } from '../stores/generation-store';
import { announcementOf } from './use-announcements';

const request: ResolvedGenerateRequest = {
  prompt: 'rain',
  negativePrompt: '',
  steps: 8,
  guidanceScale: 3,
  scheduler: 'ddim',
  seed: 7,
  durationSeconds: 1,
  count: 2,
  modelId: 'default',
};

function listen() {
  const store = createGenerationStore(createFakeEngineClient());
  const said: string[] = [];
  store.subscribe((now, before) => {
    const text = announcementOf(now, before);
    if (text !== null) said.push(text);
  });
  return { store, said };
}

test('a screen reader hears the start, the quarters, each take and the end, and no step in between', async () => {
  const { store, said } = listen();
  await store.getState().start(request);
  expect(said).toEqual([
    'Generating rain',
    '25 percent',
    '50 percent',
    'Take 1 of 2 is finished.',
    '75 percent',
    'Take 2 of 2 is finished.',
    'Finished: 2 takes. Press Space to play.',
  ]);
});

test('a cancelled generation says what was kept', async () => {
  const { store, said } = listen();
  const running = store.getState().start(request);
  store.getState().cancel();
  await running;
  expect(said.at(-1)).toBe('Cancelled; 0 takes kept.');
});
