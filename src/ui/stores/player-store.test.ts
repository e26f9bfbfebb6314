import { expect, test } from 'vitest';
import { createPlayerStore, type Playable, type SoundOutput } from './player-store';

const sound = (id: string, seconds = 2): Playable => ({
  id,
  audio: new Float32Array(seconds * 100),
  sampleRateHz: 100,
});

/** An output whose clock the test moves. */
function createOutput() {
  let ended = () => {};
  const log: string[] = [];
  const output: SoundOutput & { position: number; readonly log: string[]; end(): void } = {
    position: 0,
    log,
    async start(next: Playable, fromSeconds: number, onEnded: () => void) {
      log.push(`start ${next.id} at ${fromSeconds}`);
      output.position = fromSeconds;
      ended = onEnded;
    },
    stop: () => void log.push('stop'),
    positionSeconds: () => output.position,
    end: () => ended(),
  };
  return output;
}

function createFrames() {
  let tick: (() => void) | null = null;
  return {
    eachFrame(next: () => void) {
      tick = next;
      return () => {
        tick = null;
      };
    },
    next: () => tick?.(),
    get running() {
      return tick !== null;
    },
  };
}

function setUp() {
  const output = createOutput();
  const frames = createFrames();
  return { output, frames, store: createPlayerStore(output, frames.eachFrame) };
}

test('a second sound stops the first: one plays at a time', async () => {
  const { store, output } = setUp();
  await store.getState().toggle(sound('a'));
  await store.getState().toggle(sound('b'));
  expect(output.log).toEqual(['stop', 'start a at 0', 'stop', 'start b at 0']);
  expect(store.getState()).toMatchObject({ soundId: 'b', playing: true });
});

test('pausing keeps the place, and playing goes on from there', async () => {
  const { store, output, frames } = setUp();
  await store.getState().toggle(sound('a'));
  output.position = 0.75;
  frames.next();
  expect(store.getState().positionSeconds).toBe(0.75);
  await store.getState().toggle(sound('a'));
  expect(store.getState()).toMatchObject({ playing: false, positionSeconds: 0.75 });
  expect(frames.running).toBe(false);
  await store.getState().toggle(sound('a'));
  expect(output.log.at(-1)).toBe('start a at 0.75');
});

test('at its end a sound goes back to its start', async () => {
  const { store, output, frames } = setUp();
  await store.getState().toggle(sound('a'));
  output.end();
  expect(store.getState()).toMatchObject({ playing: false, positionSeconds: 0, soundId: 'a' });
  expect(frames.running).toBe(false);
});

test('seeking moves the playhead within the sound, and goes on playing only what played', async () => {
  const { store, output } = setUp();
  await store.getState().seek(sound('a'), 9);
  expect(store.getState()).toMatchObject({ soundId: 'a', playing: false, positionSeconds: 2 });
  await store.getState().toggle(sound('b'));
  await store.getState().seek(sound('b'), 1.5);
  expect(output.log.at(-1)).toBe('start b at 1.5');
  await store.getState().seek(sound('a'), -3);
  expect(store.getState()).toMatchObject({ soundId: 'a', playing: false, positionSeconds: 0 });
});

test('an output that fails says why and plays nothing', async () => {
  const { store, output } = setUp();
  output.start = () => Promise.reject(new Error('There is no audio device.'));
  await store.getState().toggle(sound('a'));
  expect(store.getState()).toMatchObject({ playing: false, failureMessage: 'There is no audio device.' });
});

test('a removed sound falls silent', async () => {
  const { store, output } = setUp();
  await store.getState().toggle(sound('a'));
  store.getState().release(['x', 'a']);
  expect(output.log.at(-1)).toBe('stop');
  expect(store.getState()).toMatchObject({ soundId: null, playing: false });
});
