// @vitest-environment happy-dom
import { act, cleanup, configure, render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import { NonFiniteError } from '../../../common/errors';
import type { TrainingPair } from '../../../engine/protocol-training';
import { installBlankCanvas } from '../../../testing/canvas';
import { createFakeEngineClient } from '../../../testing/fake-engine-client';
import { installStillLayout } from '../../../testing/layout';
import { memoryStorage } from '../../../testing/memory-storage';
import { App } from '../../app/app';
import { createStudio } from '../../stores/studio';
import { runStageText } from './run-text';

configure({ asyncUtilTimeout: 20_000, defaultHidden: true });
// happy-dom has no canvas to draw on; the curves' own test looks at their numbers.
vi.mock('uplot', () => ({
  default: class {
    static join = () => [[]];
    setData() {}
    setSize() {}
    destroy() {}
  },
}));
beforeAll(() => {
  installBlankCanvas();
  installStillLayout();
});
afterEach(cleanup);

const tone = (hertz: number, amplitude = 0.4) => ({
  audio: Float32Array.from({ length: 1600 }, (_, t) => amplitude * Math.sin((hertz * t) / 1600)),
  sampleRateHz: 16_000,
});
const goodPairs: readonly TrainingPair[] = Array.from({ length: 10 }, (_, i) => ({
  prompt: `prompt ${i}`,
  winner: tone(100 + i),
  loser: tone(300 + i),
}));

async function openPanel({
  pairs = goodPairs,
  pause,
}: {
  pairs?: readonly TrainingPair[];
  pause?: () => Promise<void>;
} = {}) {
  const engine = createFakeEngineClient(pause ? { pause } : {});
  const output = { start: async () => {}, stop: () => {}, positionSeconds: () => 0 };
  const studio = createStudio(engine, {
    storage: memoryStorage(),
    output,
    eachFrame: () => () => {},
    pairs: {
      list: async () => [{ id: 'set-1', name: 'my pairs', durationSeconds: null }],
      pairs: async () => pairs,
    },
  });
  render(<App studio={studio} />);
  act(() => studio.view.getState().showPanel('fine-tune'));
  await screen.findByRole('option', { name: 'my pairs' });
  const start = await screen.findByRole('button', { name: 'Start training' });
  await waitFor(() => expect(start.hasAttribute('disabled')).toBe(false));
  return { engine, studio, start, user: userEvent.setup() };
}

test('a run is started with its recipe and dataset, shows itself, and is used in Generate by one press', async () => {
  const { engine, studio, start, user } = await openPanel();
  await user.click(screen.getByRole('radio', { name: /^Paper recipe/ }));
  await user.type(screen.getByRole('textbox', { name: /^Prompts to listen to/ }), 'a dog barks');
  await user.click(start);
  const use = await screen.findByRole('button', { name: 'Use in Generate' });
  await waitFor(() => expect(use.hasAttribute('disabled')).toBe(false));
  const [request] = engine.train.startRequests;
  expect(request).toMatchObject({
    name: 'my pairs',
    modelId: 'default',
    dataset: { id: 'set-1', name: 'my pairs' },
    beta: 2000,
    sftEpochs: 1,
    dpoEpochs: 4,
    pairsPerStep: 32,
    samplePrompts: ['a dog barks'],
  });
  expect(request?.pairs).toHaveLength(10);
  expect(screen.getByRole('region', { name: 'Implicit accuracy' })).toBeTruthy();
  expect(screen.getByRole('button', { name: 'Base' })).toBeTruthy();
  expect(screen.getByText(/9 held out|1 held out/)).toBeTruthy();
  await user.click(use);
  expect(studio.view.getState().panel).toBe('generate');
  expect(studio.settings.getState().adapters).toEqual([{ id: 'run-1', strength: 1 }]);
  const group = await screen.findByRole('group', { name: 'Adapters' });
  expect(within(group).getByRole('checkbox', { checked: true })).toBeTruthy();
  const strength = within(group).getByRole('textbox', { name: /^Strength of/ });
  await user.clear(strength);
  await user.type(strength, '1.5');
  expect(studio.settings.getState().adapters).toEqual([{ id: 'run-1', strength: 1.5 }]);
  await user.type(strength, '00');
  await user.clear(strength);
  expect(strength.getAttribute('aria-invalid')).toBe('true');
  await user.click(within(group).getByRole('checkbox'));
  expect(studio.settings.getState().adapters).toEqual([]);
});

test('the layers that get an adapter are chosen under Advanced, which says what its β means', async () => {
  const { engine, start, user } = await openPanel();
  await user.selectOptions(
    screen.getByRole('combobox', { name: 'Layers' }),
    'attention, feed-forward and convolutions',
  );
  expect(screen.getByText(/its 2000 are 1000 of diffusers/)).toBeTruthy();
  await user.click(start);
  await waitFor(() =>
    expect(engine.train.startRequests[0]?.targets).toBe('attention-feed-forward-and-convolutions'),
  );
});

test('activations are computed again of a whole UNet too', async () => {
  const { engine, start, user } = await openPanel();
  await user.selectOptions(
    screen.getByRole('combobox', { name: 'What is trained' }),
    'The whole UNet, as in the paper',
  );
  await user.click(screen.getByRole('checkbox', { name: /^Compute activations again/ }));
  await user.click(start);
  await waitFor(() =>
    expect(engine.train.startRequests[0]).toMatchObject({ trains: 'unet', recompute: true }),
  );
});

test('the time before the first step is said, where the frozen model is measured', () => {
  const progress = { runId: '1', stage: 'reference', index: 30, count: 120, remainingSeconds: 90 } as const;
  expect(runStageText(progress)).toBe('Measuring the frozen model: 30 of 120');
});

test('a sound shows where its adapter comes from, and leads to the run', async () => {
  const { studio, start, user } = await openPanel();
  await user.click(start);
  const use = await screen.findByRole('button', { name: 'Use in Generate' });
  await waitFor(() => expect(use.hasAttribute('disabled')).toBe(false));
  await waitFor(() => expect(studio.fineTune.getState().busy).toBe(false));
  await user.click(use);
  await user.type(await screen.findByRole('textbox', { name: 'Prompt' }), 'a dog barks');
  await user.click(screen.getByRole('button', { name: /^Generate/ }));
  const open = await screen.findByRole('button', { name: 'Open the run' });
  expect(open.closest('p')?.textContent).toMatch(
    /^sound ← adapter “my pairs” × 1 ← run, step \d+ ← my pairs ← 10 pairs, 1 held out/,
  );
  await user.click(open);
  expect(studio.view.getState().panel).toBe('fine-tune');
  expect(studio.fineTune.getState().selectedId).toBe('run-1');
});

test('pairs that nothing can be learned from are told first, and left out by the next press', async () => {
  const silent = tone(100, 0);
  const pairs = [
    ...goodPairs,
    { prompt: 'quiet', winner: silent, loser: tone(9) },
    { prompt: 'same', winner: tone(5), loser: tone(5) },
  ];
  const { engine, start, user } = await openPanel({ pairs });
  await user.click(start);
  const notice = await screen.findByText('2 pairs cannot be trained with');
  expect(notice.parentElement?.textContent).toMatch(/“quiet”: the winner is silent.*“same”: it is a tie/);
  expect(engine.train.startRequests).toHaveLength(0);
  await user.click(screen.getByRole('button', { name: 'Leave them out and start' }));
  await waitFor(() => expect(engine.train.startRequests[0]?.pairs).toHaveLength(10));
});

test.each([
  ['ties', [], /“my pairs” gives none: its votes are ties.*vote on more pairs/],
  [
    'broken ones',
    [{ prompt: 'quiet', winner: tone(100, 0), loser: tone(9) }],
    /None of the pairs of “my pairs” can be trained with/,
  ],
])(
  'a dataset with nothing but %s is refused in words, and no run is spoken of',
  async (_, pairs, message) => {
    const { engine, start, user } = await openPanel({ pairs });
    await user.click(start);
    const again = screen.queryByRole('button', { name: 'Leave them out and start' });
    if (again) await user.click(again);
    const alert = await screen.findByRole('alert');
    expect(alert.textContent).toMatch(message);
    expect(alert.textContent).not.toMatch(/checkpoint/);
    expect(engine.train.startRequests).toHaveLength(0);
  },
);

test('a run says what was done to its pairs; one of a newer studio only says so', async () => {
  const { engine, studio, start, user } = await openPanel();
  await user.click(start);
  await screen.findByRole('button', { name: 'Use in Generate' });
  await waitFor(() => expect(studio.fineTune.getState().busy).toBe(false));
  const [run] = await engine.train.runs();
  engine.train.put({ ...run!, remarks: ['Clips at 44.1 kHz are converted to 16 kHz.'] });
  const newer = { state: 'newer', settings: null, failure: 'Written by a newer version.' } as const;
  engine.train.put({ ...run!, id: 'later', name: 'from tomorrow', ...newer });
  await act(() => studio.fineTune.getState().refresh());
  expect(screen.getByText('Clips at 44.1 kHz are converted to 16 kHz.')).toBeTruthy();
  await user.click(screen.getByRole('button', { name: /^from tomorrow/ }));
  expect(await screen.findByText('Written by a newer version.')).toBeTruthy();
  expect(screen.queryByRole('button', { name: 'Use in Generate' })).toBeNull();
});

test.each([
  ['Learning rate', '1000', /Learning rate: enter a number from 0 to 0.1; this is 1,000/],
  ['β', '0', /enter a number from 1 to 1,000,000; this is 0/],
  ['β', '1e9', /this is 1,000,000,000/],
  ['Rank', '0', /Rank: enter a whole number from 1/],
])('%s of %s is refused in words', async (label, value, message) => {
  const { start, user } = await openPanel();
  const field = screen.getByRole('textbox', { name: label });
  await user.clear(field);
  await user.type(field, value);
  expect(document.getElementById(`${field.id}-error`)?.textContent).toMatch(message);
  expect(start.hasAttribute('disabled')).toBe(true);
});

test('a run is paused, offered for going on, and gone on with', async () => {
  // The model loads at once; then each step is slow enough for any machine to press Pause in time.
  let turns = 0;
  const pause = () => new Promise<void>((resolve) => setTimeout(resolve, turns++ < 11 ? 0 : 700));
  const { engine, start, user } = await openPanel({ pause });
  await user.click(start);
  await user.click(await screen.findByRole('button', { name: 'Pause' }));
  const go = await screen.findByRole('button', { name: 'Go on' });
  expect(screen.getByText(/“my pairs” stands at step \d of 6/)).toBeTruthy();
  await user.click(go);
  await waitFor(async () => expect((await engine.train.runs())[0]?.state).toBe('done'));
});

test('a run that diverges says which pair, and stays at its checkpoint', async () => {
  const { engine, start, user } = await openPanel();
  engine.train.fail(new NonFiniteError('Training stopped at step 3: the pair "7" gave NaN or infinity.'));
  await user.click(start);
  const alert = await screen.findByRole('alert');
  expect(within(alert).getByText('The run diverged')).toBeTruthy();
  expect(alert.textContent).toMatch(/the pair "7"/);
});

test('a run in another tab is said, and none is started beside it', async () => {
  const { engine, studio, start, user } = await openPanel();
  await user.click(start);
  await screen.findByRole('button', { name: 'Use in Generate' });
  await waitFor(() => expect(studio.fineTune.getState().busy).toBe(false));
  const [run] = await engine.train.runs();
  engine.train.put({ ...run!, id: 'other', name: 'far away', state: 'running', elsewhere: true });
  await act(() => studio.fineTune.getState().refresh());
  expect(screen.getByText(/“far away” is trained in another tab/)).toBeTruthy();
  expect(start.hasAttribute('disabled')).toBe(true);
});

test('runs are duplicated with changes, compared by what differs, measured pair by pair, deleted after a question', async () => {
  const { engine, studio, start, user } = await openPanel();
  await user.click(start);
  await waitFor(async () => expect((await engine.train.runs())[0]?.state).toBe('done'));
  await user.click(await screen.findByRole('button', { name: 'Duplicate my pairs as a new run' }));
  act(() => studio.fineTune.getState().changeSettings({ beta: 500 }));
  await user.click(start);
  await waitFor(async () => expect(await engine.train.runs()).toHaveLength(2));
  expect(engine.train.startRequests[1]).toMatchObject({ dataOf: 'run-1', beta: 500 });
  await user.click(await screen.findByRole('checkbox', { name: 'Compare my pairs' }));
  const table = await screen.findByRole('region', { name: 'Differences' });
  expect(within(table).getByRole('row', { name: 'beta 500 2000' })).toBeTruthy();

  await user.click(await screen.findByRole('button', { name: 'Measure all 10 pairs' }));
  const [, first] = within(await screen.findByRole('region', { name: 'Margins of the pairs' })).getAllByRole(
    'row',
  );
  expect(first?.textContent).toMatch(/−0.3/);

  await user.click(screen.getByRole('button', { name: 'Delete my pairs' }));
  await user.click(within(screen.getByRole('alertdialog')).getByRole('button', { name: 'Delete' }));
  await waitFor(async () => expect(await engine.train.runs()).toHaveLength(1));
});
