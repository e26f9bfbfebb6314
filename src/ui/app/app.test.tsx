// @vitest-environment happy-dom
import { act, cleanup, configure, render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import {
  BackendUnavailableError,
  JobCancelledError,
  NonFiniteError,
  WorkerDiedError,
} from '../../common/errors';
import { installBlankCanvas } from '../../testing/canvas';
import { fakeClapModels } from '../../testing/fake-clap';
import { createFakeEngineClient, type FakeEngineOptions } from '../../testing/fake-engine-client';
import { fakePann } from '../../testing/fake-panns';
import { memoryStorage } from '../../testing/memory-storage';
import { createStudio } from '../stores/studio';
import { App } from './app';

// A machine that is busy with other things needs longer than a second; nothing here is hidden, and asking is slow.
configure({ asyncUtilTimeout: 20_000, defaultHidden: true });
beforeAll(installBlankCanvas);
afterEach(() => {
  cleanup();
  location.hash = '';
});

function renderStudio(options: FakeEngineOptions = {}) {
  const engine = createFakeEngineClient(options);
  const played: string[] = [];
  const output = {
    start: async (sound: { id: string }) => void played.push(sound.id),
    stop: () => {},
    positionSeconds: () => 0,
  };
  const studio = createStudio(engine, { storage: memoryStorage(), output, eachFrame: () => () => {} });
  studio.settings.getState().set({ durationSeconds: 1 }); // the fake synthesises real samples
  render(<App studio={studio} />);
  return { engine, studio, played, user: userEvent.setup() };
}

const field = (name: string) => screen.getByRole('textbox', { name });
const generateButton = () => screen.getByRole('button', { name: /^Generate/ });
const takes = () => screen.findAllByRole('region', { name: /^Take/ });

async function ready() {
  await screen.findByRole('button', { name: /Tango Studio default/ });
}

async function generate(user: ReturnType<typeof userEvent.setup>, prompt = 'rain', steps = '2') {
  await ready();
  await user.clear(field('Steps'));
  await user.type(field('Steps'), steps);
  await user.type(field('Prompt'), prompt);
  await user.click(generateButton());
}

test('an example fills the prompt, Ctrl+Enter in it generates, and the take says its seed', async () => {
  const { user, engine } = renderStudio();
  await ready();
  await user.click(screen.getByRole('button', { name: 'birds sing while rain falls' }));
  await user.click(field('Prompt'));
  await user.keyboard('{Control>}{Enter}{/Control}');
  const [take] = await takes();
  const { seed, prompt } = engine.requests[0]!;
  expect(prompt).toBe('birds sing while rain falls');
  expect(take?.getAttribute('aria-label')).toBe(`Take, seed ${seed}, selected`);
  expect(screen.getByRole('heading', { name: 'birds sing while rain falls' })).toBeTruthy();
});

test('each take shows what every CLAP says of it, the best is marked, and takes sort by a score', async () => {
  const { user, studio } = renderStudio();
  studio.settings.getState().set({ takeCount: 3 });
  await generate(user);
  await waitFor(() => expect(screen.getAllByText('best of 3')).toHaveLength(2));
  expect(screen.getAllByRole('definition')).toHaveLength(6);
  await user.click(screen.getByRole('radio', { name: 'Small CLAP B' }));
  const shown = (await takes()).map((take) =>
    Number.parseFloat(within(take).getAllByRole('definition')[1]?.textContent ?? ''),
  );
  expect(shown).toEqual(shown.toSorted((a, b) => b - a));
});

test('a wrong number is said beside its field and nothing is sent', async () => {
  const { user, engine } = renderStudio();
  await ready();
  await user.type(field('Prompt'), 'rain');
  await user.clear(field('Steps'));
  await user.type(field('Steps'), '2000');
  expect(field('Steps').getAttribute('aria-invalid')).toBe('true');
  expect(document.getElementById('steps-error')?.textContent).toMatch(/1 to 1,000; this is 2,000/);
  await user.click(generateButton());
  expect(document.activeElement).toBe(field('Steps'));
  expect(engine.requests).toHaveLength(0);
});

test('an empty prompt is complained about only when Generate is pressed', async () => {
  const { user, engine } = renderStudio();
  await ready();
  expect(screen.queryByText('Describe the sound first.')).toBeNull();
  await user.click(generateButton());
  expect(screen.getByText('Describe the sound first.')).toBeTruthy();
  expect(document.activeElement).toBe(field('Prompt'));
  await user.type(field('Prompt'), 'w');
  expect(screen.queryByText('Describe the sound first.')).toBeNull();
  expect(engine.requests).toHaveLength(0);
});

test('an unlocked seed is drawn anew; typing one locks it', async () => {
  const { user, engine } = renderStudio();
  await generate(user);
  await takes();
  await waitFor(() => expect(generateButton()).toBeTruthy());
  await user.clear(field('Seed'));
  await user.type(field('Seed'), '42');
  expect(screen.getByRole('button', { name: 'Unlock the seed' }).getAttribute('aria-pressed')).toBe('true');
  await user.click(generateButton());
  await screen.findByRole('region', { name: /seed 42/ });
  expect(engine.requests.map(({ seed }) => seed)[1]).toBe(42);
  expect(engine.requests[0]?.seed).not.toBe(42);
});

test('while a generation runs there is progress and a way to cancel, which keeps what is finished', async () => {
  // Quick until the first take is there, then slow enough for any machine to press Cancel in time.
  let pauses = 0;
  const pause = () => new Promise<void>((resolve) => setTimeout(resolve, pauses++ < 60 ? 0 : 500));
  const { user, studio } = renderStudio({ pause });
  act(() => studio.settings.getState().set({ takeCount: 4 }));
  await generate(user, 'rain', '40');
  expect(screen.getByRole('progressbar', { name: 'Generation' })).toBeTruthy();
  expect(document.title).toMatch(/^\d+ % – rain – Tango Studio$/);
  await takes();
  await user.click(screen.getByRole('button', { name: 'Cancel' }));
  await screen.findByText('Cancelled');
  expect((await takes()).length).toBeLessThan(4);
  expect(screen.getByRole('button', { name: /^Make the other/ })).toBeTruthy();
  expect(document.title).toBe('Tango Studio');
});

test('a dead engine is an alert with its message, and one press makes the missing takes', async () => {
  const { user, engine, studio } = renderStudio();
  act(() => studio.settings.getState().set({ takeCount: 2, seed: 5, seedLocked: true }));
  engine.failAt(1, new WorkerDiedError('The engine ended while it made take 2.'));
  await generate(user);
  const alert = await screen.findByRole('alert');
  expect(alert.textContent).toContain('The engine ended while it made take 2.');
  await user.click(within(alert).getByRole('button', { name: 'Try again' }));
  await screen.findByRole('region', { name: /^Take 2, seed 6/ });
  expect(screen.queryByRole('alert')).toBeNull();
  expect(engine.requests[1]).toMatchObject({ seed: 6, count: 1 });
});

test('an engine that cannot start says why and can be started again', async () => {
  const message = 'Neither WebGPU nor WebAssembly SIMD can be used.';
  const { user, engine } = renderStudio({
    status: { state: 'failed', code: 'backend-unavailable', message },
  });
  const restart = vi.spyOn(engine, 'restart');
  const alert = await screen.findByRole('alert');
  expect(alert.textContent).toContain(message);
  expect(generateButton().hasAttribute('disabled')).toBe(true);
  await user.click(within(alert).getByRole('button', { name: 'Start it again' }));
  expect(restart).toHaveBeenCalledOnce();
  act(() => engine.setStatus({ state: 'ready' }));
  await ready();
  expect(screen.queryByRole('alert')).toBeNull();
});

test('Space plays and pauses the selected take, but writes in a text field and presses a focused button', async () => {
  const { user, studio, played } = renderStudio();
  await generate(user);
  const [take] = await takes();
  await user.click(field('Prompt'));
  await user.keyboard(' ');
  expect(played).toHaveLength(0);
  act(() => (document.activeElement as HTMLElement).blur());
  await user.keyboard(' ');
  expect(played).toHaveLength(1);
  expect(within(take!).getByRole('button', { name: 'Pause Take' })).toBeTruthy();
  await user.keyboard(' ');
  expect(studio.player.getState().playing).toBe(false);
  act(() => within(take!).getByRole('button', { name: 'Play Take' }).focus());
  await user.keyboard(' ');
  expect(played).toHaveLength(2);
});

test('“Use the settings” brings back everything that made a take', async () => {
  const { user, studio } = renderStudio();
  act(() => studio.settings.getState().set({ takeCount: 2, seed: 10, seedLocked: true, guidanceScale: 4.5 }));
  await generate(user, 'wind');
  await screen.findByRole('region', { name: /^Take 2/ });
  act(() => studio.settings.getState().set({ prompt: 'x', guidanceScale: 1, seed: 99, seedLocked: false }));
  await user.click(screen.getByRole('button', { name: 'Use the settings of Take 2' }));
  expect(studio.settings.getState()).toMatchObject({
    prompt: 'wind',
    guidanceScale: 4.5,
    seed: 11,
    seedLocked: true,
    takeCount: 1,
  });
});

test('? opens the sheet of every shortcut; letters do nothing once they are turned off there', async () => {
  const { user, studio } = renderStudio();
  await ready();
  await user.keyboard('{Shift>}?{/Shift}');
  const sheet = await screen.findByRole('dialog', { name: 'Keyboard shortcuts' });
  expect(within(within(sheet).getByRole('region', { name: 'Listen to pairs' })).getByText('←')).toBeTruthy();
  expect(within(sheet).getByText('Play the selected take, or pause')).toBeTruthy();
  await user.click(within(sheet).getByRole('checkbox'));
  await user.click(within(sheet).getByRole('button', { name: 'Close' }));
  const { seed } = studio.settings.getState();
  await user.keyboard('r');
  expect(studio.settings.getState().seed).toBe(seed);
});

test('the engine window explains the backend, changes it, and says when that fails', async () => {
  const { user, engine } = renderStudio();
  await ready();
  await user.click(screen.getByRole('button', { name: /WebAssembly/ }));
  const dialog = await screen.findByRole('dialog', { name: 'Engine' });
  expect(within(dialog).getByText(/found no GPU it can use/)).toBeTruthy();
  await user.click(within(dialog).getByRole('radio', { name: 'WebGPU' }));
  await within(dialog).findByRole('heading', { name: /^WebGPU/ });

  vi.spyOn(engine, 'setBackend').mockRejectedValueOnce(new BackendUnavailableError('No adapter here.'));
  await user.click(within(dialog).getByRole('radio', { name: 'WebAssembly' }));
  expect((await within(dialog).findByRole('alert')).textContent).toContain('No adapter here.');
});

test('an imported model is removed only after a question', async () => {
  const { user, studio } = renderStudio();
  await ready();
  await act(() =>
    studio.models.getState().importFiles([{ path: 'tiny/model_index.json', blob: new Blob(['{}']) }]),
  );
  await user.click(screen.getByRole('link', { name: 'Models' }));
  await screen.findByRole('heading', { name: 'Models' });
  await user.click(screen.getByRole('button', { name: 'Remove Imported model' }));
  const question = screen.getByRole('alertdialog', { name: 'Remove Imported model?' });
  await user.click(within(question).getByRole('button', { name: 'Keep it' }));
  expect(studio.models.getState().models).toHaveLength(2);
  await user.click(screen.getByRole('button', { name: 'Remove Imported model' }));
  await user.click(within(screen.getByRole('alertdialog')).getByRole('button', { name: 'Remove' }));
  await waitFor(() => expect(studio.models.getState().models).toHaveLength(1));
});

test('a tab shows its panel and says so in the address; the back button and a link with a hash do as well', async () => {
  const { user, studio } = renderStudio();
  await ready();
  const current = () => screen.getByRole('link', { current: 'page' }).textContent;
  expect(current()).toBe('Generate');
  await user.click(screen.getByRole('link', { name: 'Models' }));
  expect(await screen.findByRole('heading', { name: 'Models' })).toBeTruthy();
  expect(current()).toBe('Models');
  expect(location.hash).toBe('#models');

  act(() => {
    location.hash = '#generate';
  });
  await screen.findByRole('textbox', { name: 'Prompt' });
  act(() => studio.view.getState().showPanel('models'));
  await screen.findByRole('heading', { name: 'Models' });
  expect(location.hash).toBe('#models');
});

test('a key of one panel does nothing on another', async () => {
  const { user, studio } = renderStudio();
  await ready();
  act(() => studio.view.getState().showPanel('models'));
  const { seed } = studio.settings.getState();
  await user.keyboard('r');
  expect(studio.settings.getState().seed).toBe(seed);
  act(() => studio.view.getState().showPanel('generate'));
  await user.keyboard('r');
  expect(studio.settings.getState().seed).not.toBe(seed);
});

test('every CLAP is listed with its licence; an imported one is removed after a question', async () => {
  const { user, studio, engine } = renderStudio();
  await ready();
  const imported = { ...fakeClapModels[0]!, id: 'laion', name: 'LAION CLAP', source: 'imported' as const };
  const models = vi.spyOn(engine.clap, 'models').mockResolvedValue([...fakeClapModels, imported]);
  const remove = vi.spyOn(engine.clap, 'remove').mockImplementation(async () => {
    models.mockResolvedValue(fakeClapModels);
  });
  act(() => studio.view.getState().showPanel('models'));
  const list = await screen.findByRole('region', { name: /^CLAP/ });
  expect(within(list).getAllByText(/^2.0 M parameters · .* · licence Apache-2.0$/)).toHaveLength(3);
  expect(within(list).queryByRole('button', { name: 'Remove Small CLAP A' })).toBeNull();
  await user.click(within(list).getByRole('button', { name: 'Remove LAION CLAP' }));
  expect(remove).not.toHaveBeenCalled();
  await user.click(screen.getByRole('button', { name: 'Remove' }));
  await waitFor(() => expect(within(list).queryByText('LAION CLAP')).toBeNull());
  expect(remove).toHaveBeenCalledWith('laion');
});

test('a take says what PANNs hear once they are there, can be stopped, and says why it failed', async () => {
  const { user, engine, studio } = renderStudio();
  await generate(user);
  const [take] = await takes();
  const card = within(take!);
  const ask = () => user.click(card.getByRole('button', { name: 'What PANNs hear' }));
  await ask();
  await card.findByText(/None are here yet/);
  await user.click(card.getByRole('button', { name: 'Get them in Models' }));
  expect(location.hash).toBe('#models');
  const panns = await screen.findByRole('region', { name: /^PANNs/ });
  expect(within(panns).getByText(/Zenodo’s record 3987831/)).toBeTruthy();
  const file = new File(['weights'], 'Cnn14_16k_mAP=0.438.pth');
  await user.upload(screen.getByLabelText('Model files'), file);
  expect(
    await within(panns).findByText('80.7 M parameters · 161.0 MB · 16-bit · licence not given'),
  ).toBeTruthy();

  act(() => studio.view.getState().showPanel('generate'));
  const back = within((await takes())[0]!);
  const again = () => user.click(back.getByRole('button', { name: 'What PANNs hear' }));
  const tag = vi.spyOn(engine.panns, 'tag');
  tag.mockImplementationOnce(
    (_, { signal } = {}) =>
      new Promise((_resolve, reject) =>
        signal?.addEventListener('abort', () => reject(new JobCancelledError('The job was cancelled.'))),
      ),
  );
  await again();
  await user.click(await back.findByRole('button', { name: 'Stop listening' }));
  await back.findByRole('button', { name: 'What PANNs hear' });
  expect(back.queryByText(/Not heard/)).toBeNull();
  tag.mockRejectedValueOnce(new NonFiniteError('Cnn14 made NaN.'));
  await again();
  await back.findByText('Not heard: Cnn14 made NaN.');
  await again();
  const heard = within(await back.findByLabelText('What PANNs hear', { selector: 'dl' }));
  expect(heard.getAllByRole('term')).toHaveLength(5);
  expect(heard.getAllByRole('definition').map(({ textContent }) => textContent)).toEqual([
    '90 %',
    '45 %',
    '30 %',
    '23 %',
    '18 %',
  ]);
  expect(back.queryByText(/Not heard/)).toBeNull();
  expect(tag.mock.lastCall?.[0]).toMatchObject({ modelId: fakePann.id, sampleRateHz: 16_000 });
});

test('PANNs in the list are checked, and removed after a question', async () => {
  const { user, studio, engine } = renderStudio();
  await ready();
  await engine.panns.importFiles([{ path: 'Cnn14.pth', blob: new Blob(['w']) }]);
  const origin = { hubUrl: 'https://huggingface.co', repo: 'a/b', commit: '0'.repeat(40) };
  vi.spyOn(engine.panns, 'models').mockResolvedValueOnce([{ ...fakePann, origin, license: 'mit' }]);
  vi.spyOn(engine.panns, 'verify').mockResolvedValueOnce({ damaged: ['model.safetensors'] });
  act(() => studio.view.getState().showPanel('models'));
  const list = within(await screen.findByRole('region', { name: /^PANNs/ }));
  expect(await list.findByText('downloaded from huggingface.co')).toBeTruthy();
  expect(list.getByText('80.7 M parameters · 161.0 MB · 16-bit · licence mit')).toBeTruthy();
  await user.click(list.getByRole('button', { name: `Check ${fakePann.name}` }));
  await list.findByText(/Damaged: model.safetensors/);
  await user.click(list.getByRole('button', { name: `Check ${fakePann.name}` }));
  await list.findByText(/every byte is as it was kept/);
  await act(() => engine.panns.tag({ audio: new Float32Array(8), sampleRateHz: 16_000 }));
  await act(() => studio.panns.getState().refresh());
  await list.findByText('In memory');
  await user.click(list.getByRole('button', { name: `Unload ${fakePann.name}` }));
  await waitFor(() => expect(list.queryByText('In memory')).toBeNull());
  await user.click(list.getByRole('button', { name: `Remove ${fakePann.name}` }));
  await user.click(screen.getByRole('button', { name: 'Remove' }));
  await waitFor(() => expect(list.queryByText(fakePann.name)).toBeNull());
  expect(await engine.panns.models()).toEqual([]);
});

test('a sentence embedder is listed once it is imported, checked, and removed after a question', async () => {
  const { user, studio, engine } = renderStudio();
  await ready();
  act(() => studio.view.getState().showPanel('models'));
  const list = await screen.findByRole('region', { name: /^Sentence embeddings/ });
  expect(within(list).queryByRole('listitem')).toBeNull();
  const files = [{ path: 'gte-large/onnx/model_quantized.onnx', blob: new Blob() }];
  await act(() => studio.models.getState().importFiles(files));
  await within(list).findByText(/^8 numbers a prompt · onnx\/model_quantized.onnx, 337.0 MB · licence mit$/);
  const verify = vi.spyOn(engine.sentenceEmbeddings, 'verify');
  await user.click(within(list).getByRole('button', { name: 'Check Xenova/gte-large' }));
  await within(list).findByText(/every byte is as it was kept/);
  expect(verify).toHaveBeenCalledWith('gte-large-1', expect.anything());
  await user.click(within(list).getByRole('button', { name: 'Remove Xenova/gte-large' }));
  await user.click(screen.getByRole('button', { name: 'Remove' }));
  await waitFor(() => expect(within(list).queryByRole('listitem')).toBeNull());
});

test('a repository’s cost and licence are said before its download, which can be paused and gone on with', async () => {
  let slow = true;
  const pause = () => new Promise<void>((resolve) => setTimeout(resolve, slow ? 300 : 0));
  const { user, studio, engine } = renderStudio({ pause });
  await ready();
  act(() => studio.view.getState().showPanel('models'));
  await user.type(await screen.findByRole('textbox', { name: 'Another repository' }), 'declare-lab/tango2');
  const download = vi.spyOn(engine.models, 'download');
  await user.click(screen.getByRole('button', { name: 'What it costs' }));
  expect(await screen.findByText(/5.28 GB to download.*2.64 GB of memory.*cc-by-nc-sa-4.0/)).toBeTruthy();
  expect(screen.getByText(/Text encoder and UNet .*VAE and vocoder/)).toBeTruthy();
  expect(screen.getByText(/tokenizer.json comes from google\/flan-t5-large/)).toBeTruthy();
  expect(download).not.toHaveBeenCalled();

  await user.click(screen.getByRole('button', { name: 'Download' }));
  expect(await screen.findByRole('progressbar', { name: 'Downloading declare-lab/tango2' })).toBeTruthy();
  await user.click(await screen.findByRole('button', { name: 'Pause' }));
  slow = false;
  await user.click(await screen.findByRole('button', { name: 'Download' }));
  expect(await screen.findByText('downloaded from huggingface.co')).toBeTruthy();
  await user.click(screen.getByRole('button', { name: 'Check declare-lab/tango2' }));
  expect(await screen.findByText(/every byte is as it was kept/)).toBeTruthy();
});
