// @vitest-environment happy-dom
import { act, cleanup, configure, render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeAll, expect, test } from 'vitest';
import type { ModelSummary } from '../../../engine/protocol';
import { TRAIN_DEFAULTS } from '../../../engine/protocol-limits';
import { installBlankCanvas } from '../../../testing/canvas';
import { createFakeEngineClient, fakeModel } from '../../../testing/fake-engine-client';
import { installStillLayout } from '../../../testing/layout';
import { memoryStorage } from '../../../testing/memory-storage';
import { App } from '../../app/app';
import { createStudio } from '../../stores/studio';

configure({ asyncUtilTimeout: 20_000, defaultHidden: true });
beforeAll(() => {
  installBlankCanvas();
  installStillLayout();
});
afterEach(cleanup);

const merged: ModelSummary = {
  ...fakeModel,
  id: 'merged',
  name: 'My merged model',
  source: 'imported',
  lineage: {
    run: { id: 'r', name: 'tones', notes: '', createdAt: '2026-01-01T00:00:00Z', step: 40, stepCount: 40 },
    model: 'default',
    dataset: { id: 'd', name: 'tones and noise' },
    pairs: { count: 12, heldOut: 2, sha256: null },
    settings: { ...TRAIN_DEFAULTS },
  },
};
const CHAIN = 'UNet merged from “tones” ← run, step 40 ← tones and noise ← 12 pairs, 2 held out';

test('a model that was merged from a run says so in its row and in its sounds, another one does not', async () => {
  const engine = createFakeEngineClient({ models: [merged] });
  const output = { start: async () => {}, stop: () => {}, positionSeconds: () => 0 };
  const studio = createStudio(engine, { storage: memoryStorage(), output, eachFrame: () => () => {} });
  const user = userEvent.setup();
  render(<App studio={studio} />);
  act(() => studio.view.getState().showPanel('models'));
  const row = (await screen.findByText('My merged model')).closest('li')!;
  expect(row.textContent).toContain(CHAIN);
  expect(screen.getByText('Tango Studio default').closest('li')!.textContent).not.toContain('merged from');
  const use = within(row).getByRole('button', { name: 'Use' });
  // The bundled model is loaded at the start.
  await waitFor(() => expect(use.hasAttribute('disabled')).toBe(false));
  await user.click(use);
  await within(row).findByText('In use');

  act(() => studio.view.getState().showPanel('generate'));
  await user.type(await screen.findByRole('textbox', { name: 'Prompt' }), 'a dog barks');
  await user.click(screen.getByRole('button', { name: /^Generate/ }));
  const link = await screen.findByText('UNet merged from “tones”', { ignore: 'li *' });
  expect(link.closest('p')!.textContent).toBe(`sound ← ${CHAIN}`);
});
