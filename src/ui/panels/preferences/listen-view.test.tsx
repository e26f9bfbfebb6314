// @vitest-environment happy-dom
import { act, cleanup, configure, render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import { encodeWav } from '../../../audio';
import { StorageError } from '../../../common/errors';
import { installBlankCanvas } from '../../../testing/canvas';
import { createFakeEngineClient } from '../../../testing/fake-engine-client';
import { memoryStorage } from '../../../testing/memory-storage';
import { App } from '../../app/app';
import { shortcutText } from '../../app/shortcut-text';
import { viewShortcuts } from '../../app/view-shortcuts';
import { createStudio } from '../../stores/studio';

configure({ asyncUtilTimeout: 20_000, defaultHidden: true });
beforeAll(() => {
  installBlankCanvas();
  vi.stubGlobal('AudioContext', SilentContext);
  const node = class {
    gain = { cancelScheduledValues() {}, setTargetAtTime() {} };
    connect = <T,>(next: T): T => next;
    start() {}
    stop() {}
  };
  vi.stubGlobal('GainNode', node);
  vi.stubGlobal('AudioBufferSourceNode', node);
});
afterEach(cleanup);

/** Its clock runs as the page's does. */
class SilentContext {
  state = 'running';
  destination = {};
  get currentTime() {
    return performance.now() / 1000;
  }
  createBuffer(_: number, samples: number, rate: number) {
    return { duration: samples / rate, getChannelData: () => new Float32Array(samples) };
  }
  async close() {}
}

const PROMPTS = ['a dog barks', 'a bell rings', 'rain falls'];
const tone = (hz: number) =>
  encodeWav(
    [Float32Array.from({ length: 8000 }, (_, t) => 0.5 * Math.sin((2 * Math.PI * hz * t) / 16_000))],
    16_000,
  );

async function openPairs() {
  const engine = createFakeEngineClient();
  const studio = createStudio(engine, {
    storage: memoryStorage(),
    output: { start: async () => {}, stop: () => {}, positionSeconds: () => 0 },
    eachFrame: () => () => {},
  });
  render(<App studio={studio} />);
  await waitFor(() => expect(studio.engine.getState().status.state).toBe('ready'));
  act(() => studio.view.getState().showPanel('preferences'));
  const files = PROMPTS.flatMap((_, i) => [
    { path: `set/chosen_${i}.wav`, blob: new Blob([tone(300 + 10 * i)]) },
    { path: `set/reject_${i}.wav`, blob: new Blob([tone(900 + 10 * i)]) },
  ]);
  const captions = new Blob(PROMPTS.map((captions) => `${JSON.stringify({ captions })}\n`));
  await act(() =>
    studio.preferences.getState().importFiles([...files, { path: 'set/captions.jsonl', blob: captions }]),
  );
  const user = userEvent.setup();
  await user.click(await screen.findByRole('button', { name: 'Listen' }));
  await screen.findByRole('button', { name: 'A' });
  return { studio, engine, user };
}
const votes = (studio: Awaited<ReturnType<typeof openPairs>>['studio']) =>
  studio.preferences.getState().votes;
const shownPrompt = () => screen.getByRole('heading', { level: 4 }).textContent;
const isPlaying = (name: 'A' | 'B') =>
  screen.getByRole('button', { name }).getAttribute('aria-pressed') === 'true';

async function hearBoth(user: ReturnType<typeof userEvent.setup>) {
  await user.keyboard('a');
  await waitFor(() => expect(isPlaying('A')).toBe(true));
  await new Promise((passed) => setTimeout(passed, 1200));
  await user.keyboard('b');
  await screen.findByText('Both sounds were heard.');
}

test('keys vote only when both sounds were heard, once a pair, and take a vote back', async () => {
  const { studio, user } = await openPairs();
  expect(shownPrompt()).toBe(PROMPTS[0]);
  await user.keyboard('{ArrowLeft}{ArrowRight}{ArrowUp}{ArrowDown}');
  expect(votes(studio)).toEqual([]);

  await hearBoth(user);
  expect([isPlaying('A'), isPlaying('B')]).toEqual([false, true]);
  await user.keyboard('{ArrowLeft}{ArrowLeft}');
  await waitFor(() => expect(shownPrompt()).toBe(PROMPTS[1]));
  await user.keyboard('{ArrowLeft}'); // the new pair was not heard
  expect(votes(studio)).toHaveLength(1);
  const [vote] = votes(studio);
  expect(vote!.choice).toBe(vote!.left);
  expect(Math.min(vote!.heardSeconds.a, vote!.heardSeconds.b)).toBeGreaterThanOrEqual(1);

  await user.keyboard('s');
  await waitFor(() => expect(shownPrompt()).toBe(PROMPTS[2]));
  expect(votes(studio).map(({ choice }) => choice)).toEqual([vote!.choice, 'skip']);
  await user.keyboard('{Control>}z{/Control}');
  await waitFor(() => expect(shownPrompt()).toBe(PROMPTS[1]));
  expect(votes(studio)).toHaveLength(1);
});

test('a vote that is not kept leaves the pair where it is, to be voted on again', async () => {
  const { studio, engine, user } = await openPairs();
  vi.spyOn(engine.preferences, 'vote').mockRejectedValueOnce(new StorageError('The disk is full.'));
  await user.keyboard('s');
  await screen.findByText('The disk is full.');
  expect(shownPrompt()).toBe(PROMPTS[0]);
  await user.keyboard('s');
  await waitFor(() => expect(shownPrompt()).toBe(PROMPTS[1]));
  expect(votes(studio)).toHaveLength(1);
});

test('PANNs say what they hear in both sounds of the pair that is open', async () => {
  const { engine, user } = await openPairs();
  await engine.panns.importFiles([{ path: 'Cnn14.pth', blob: new Blob(['w']) }]);
  const tag = vi.spyOn(engine.panns, 'tag');
  await user.click(screen.getByRole('button', { name: 'What PANNs hear' }));
  const first = async (side: string) =>
    within(await screen.findByLabelText(`What PANNs hear in ${side}`)).getAllByRole('term')[0]?.textContent;
  const [a, b] = [await first('A'), await first('B')];
  const [left, right] = tag.mock.calls.map(([request]) => request);
  const label = async (request: typeof left) => (await engine.panns.tag(request!))[0]?.label;
  expect([a, b]).toEqual([await label(left), await label(right)]);
  expect(left!.audio).not.toEqual(right!.audio);
  // The next pair has not been heard.
  await user.keyboard('s');
  await screen.findByRole('button', { name: 'What PANNs hear' });
  expect(screen.queryByLabelText(/^What PANNs hear in/)).toBeNull();
});

test('Space plays the side that was heard last; in a field the keys write', async () => {
  const { studio, user } = await openPairs();
  act(() => (document.activeElement as HTMLElement).blur());
  await user.keyboard(' ');
  await waitFor(() => expect(isPlaying('A')).toBe(true));
  await user.keyboard('b');
  await waitFor(() => expect(isPlaying('B')).toBe(true));
  await user.keyboard(' ');
  await waitFor(() => expect(isPlaying('B')).toBe(false));
  await user.keyboard(' ');
  await waitFor(() => expect(isPlaying('B')).toBe(true));
  const rater = screen.getByRole('textbox', { name: 'Rater' });
  await user.clear(rater);
  await user.type(rater, 'sab s');
  expect((rater as HTMLInputElement).value).toBe('sab s');
  expect(votes(studio)).toEqual([]);
});

test('the sheet of shortcuts lists the keys that the view binds and its buttons show', async () => {
  const { user } = await openPairs();
  const buttons = screen.getAllByRole('button').map(({ textContent }) => textContent);
  for (const { id, label, shortcut } of viewShortcuts) {
    if (!/^(vote|skip)/.test(id)) continue;
    expect(buttons).toContain(`${label} ${shortcutText(shortcut)}`);
  }
  await user.keyboard('{Shift>}?{/Shift}');
  const sheet = await screen.findByRole('dialog', { name: 'Keyboard shortcuts' });
  const group = within(sheet).getByRole('region', { name: 'Listen to pairs' });
  const terms = within(group)
    .getAllByRole('term')
    .map(({ textContent }) => textContent);
  expect(terms).toEqual(viewShortcuts.map(({ label }) => label));
  const keys = within(group)
    .getAllByRole('definition')
    .map(({ textContent }) => textContent);
  expect(keys).toEqual(['A', 'B', 'Space', '←', '→', '↓', '↑', 'S', 'CtrlZ']);
});
