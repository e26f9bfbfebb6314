// @vitest-environment happy-dom
import { cleanup, configure, render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { Tooltip } from 'radix-ui';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import { installBlankCanvas } from '../../testing/canvas';
import { createFakeEngineClient, type FakeEngineOptions } from '../../testing/fake-engine-client';
import { memoryStorage } from '../../testing/memory-storage';
import { createStudio } from '../stores/studio';
import { StudioContext } from '../stores/studio-context';
import { BenchmarkSection } from './benchmark-section';

configure({ asyncUtilTimeout: 20_000, defaultHidden: true });
beforeAll(installBlankCanvas);
afterEach(cleanup);

const onGpu = (architecture: string): FakeEngineOptions => ({
  info: {
    backend: 'webgpu',
    adapter: { vendor: 'nvidia', architecture, description: '' },
  },
});

async function renderSection(options: FakeEngineOptions) {
  const user = userEvent.setup();
  const engine = createFakeEngineClient(options);
  const output = { start: async () => {}, stop: () => {}, positionSeconds: () => 0 };
  const studio = createStudio(engine, { storage: memoryStorage(), output, eachFrame: () => () => {} });
  await studio.models.getState().use('default');
  render(
    <StudioContext value={studio}>
      <Tooltip.Provider>
        <BenchmarkSection />
      </Tooltip.Provider>
    </StudioContext>,
  );
  return { user, engine, studio };
}

const measure = () => screen.getByRole('button', { name: 'Measure' });

test('shows each stage beside the prediction of its GPU, and copies it as JSON', async () => {
  const { user } = await renderSection(onGpu('ampere'));
  const written = vi.spyOn(navigator.clipboard, 'writeText').mockResolvedValue();
  await user.click(measure());
  const table = await screen.findByRole('table');
  expect(within(table).getByRole('columnheader', { name: 'Predicted, GeForce RTX 3060' })).toBeTruthy();
  const pass = within(table).getByRole('rowheader', { name: 'UNet pass' }).closest('tr');
  expect([...pass!.querySelectorAll('td')].map((cell) => cell.textContent)).toEqual([
    '20 ms',
    '2.70',
    '135',
    '10 ms',
  ]);
  expect(screen.getByText(/20 steps takes about 431 ms/)).toBeTruthy();
  await user.click(screen.getByRole('button', { name: 'Copy the measurement as JSON' }));
  const copied = JSON.parse(written.mock.calls[0]![0]);
  expect(copied).toMatchObject({ backend: 'webgpu', adapter: { architecture: 'ampere' }, runs: 3 });
  expect(copied.stages).toHaveLength(4);
});

test('says when nothing is predicted for the adapter, or for WebAssembly', async () => {
  const { user } = await renderSection(onGpu('kepler'));
  await user.click(measure());
  expect(await screen.findByText(/not among those that times are predicted for/)).toBeTruthy();
  cleanup();
  const other = await renderSection({});
  await other.user.click(measure());
  expect(await screen.findByText(/this was WebAssembly/)).toBeTruthy();
  expect(screen.queryByRole('columnheader', { name: /Predicted/ })).toBeNull();
});

test('can be stopped, and measured again', async () => {
  let go: () => void = () => {};
  let held = false;
  const pause = () =>
    held
      ? new Promise<void>((resolve) => (go = resolve))
      : new Promise<void>((resolve) => setTimeout(resolve));
  const { user } = await renderSection({ pause });
  held = true;
  await user.click(measure());
  const stop = await screen.findByRole('button', { name: 'Stop measuring' });
  expect(screen.getByRole('progressbar', { name: 'Measuring' })).toBeTruthy();
  await user.click(stop);
  held = false;
  go();
  await user.click(await screen.findByRole('button', { name: 'Measure' }));
  expect(await screen.findByRole('table')).toBeTruthy();
  expect(screen.queryByRole('alert')).toBeNull();
});
