// @vitest-environment happy-dom
import { act, cleanup, configure, render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import { StorageError } from '../../../common/errors';
import type { CreateDatasetRequest } from '../../../engine/protocol-preferences';
import { installBlankCanvas } from '../../../testing/canvas';
import { createFakeEngineClient } from '../../../testing/fake-engine-client';
import { installStillLayout } from '../../../testing/layout';
import { memoryStorage } from '../../../testing/memory-storage';
import { App } from '../../app/app';
import { createStudio } from '../../stores/studio';

configure({ asyncUtilTimeout: 20_000, defaultHidden: true });
beforeAll(() => {
  installBlankCanvas();
  installStillLayout();
  // Without a layout a virtual list would show nothing.
  for (const side of ['clientHeight', 'clientWidth'])
    Object.defineProperty(HTMLElement.prototype, side, { get: () => 600 });
});
afterEach(cleanup);

const PROMPTS = ['a dog barks and then a bell rings', 'rain falls', 'a car passes by'];

async function openForm() {
  const engine = createFakeEngineClient();
  const created: CreateDatasetRequest[] = [];
  const create = engine.preferences.create.bind(engine.preferences);
  vi.spyOn(engine.preferences, 'create').mockImplementation((request) => {
    created.push(request);
    return create(request);
  });
  const studio = createStudio(engine, {
    storage: memoryStorage(),
    output: { start: async () => {}, stop: () => {}, positionSeconds: () => 0 },
    eachFrame: () => () => {},
  });
  render(<App studio={studio} />);
  act(() => studio.view.getState().showPanel('preferences'));
  const user = userEvent.setup();
  const prompts = await screen.findByRole('textbox', { name: 'Prompts, one a line' });
  await user.click(prompts);
  await user.paste(PROMPTS.join('\n'));
  return { studio, engine, user, created, prompts };
}

test('wrong captions are written, edited, and made into the dataset', async () => {
  const { user, created } = await openForm();
  await user.click(screen.getByText(/^Wrong captions of strategies 2 and 3/));
  await user.click(screen.getByRole('button', { name: 'Write them' }));
  await screen.findByText(/3 of 3 written/);
  const [field] = await screen.findAllByRole('textbox', { name: 'Wrong captions (2)' });
  expect((field as HTMLTextAreaElement).value.split('\n')).toHaveLength(5);
  await user.clear(field!);
  await user.type(field!, 'a cat meows{enter} ');
  await user.click(screen.getByRole('button', { name: 'Create' }));
  await waitFor(() => expect(created).toHaveLength(1));
  const [dog, rain] = created[0]!.prompts as unknown as [
    { perturbed: string[]; temporal: string[] },
    { perturbed: string[] },
  ];
  expect(dog.perturbed).toEqual(['a cat meows']);
  expect(dog.temporal).toHaveLength(5);
  expect(rain.perturbed).toHaveLength(5);
});

test('a balanced part takes the place of all prompts, and back', async () => {
  const { user, prompts } = await openForm();
  await user.click(screen.getByText('Pick a balanced part'));
  const each = screen.getByRole('textbox', { name: 'From each' });
  await user.clear(each);
  await user.type(each, '1');
  await user.click(screen.getByRole('button', { name: 'Cluster 3 prompts' }));
  await screen.findByRole('img', { name: 'Map of 3 prompts in 2 clusters; 2 are picked' });
  await user.click(screen.getByRole('button', { name: 'Keep the 2 picked' }));
  expect((prompts as HTMLTextAreaElement).value.split('\n')).toHaveLength(2);
  await user.click(screen.getByRole('button', { name: 'Back to all prompts' }));
  expect((prompts as HTMLTextAreaElement).value.split('\n')).toEqual(PROMPTS);
});

test('what embeds the prompts is chosen, gte-large by default once it is installed, and the map names it', async () => {
  const { user, engine, studio } = await openForm();
  await user.click(screen.getByText('Pick a balanced part'));
  const field = screen.getByRole('combobox', { name: 'Embeddings' });
  const options = () =>
    within(field)
      .getAllByRole('option')
      .map(({ textContent }) => textContent);
  const towers = ['CLAP text tower: Small CLAP A', 'CLAP text tower: Small CLAP B'];
  await waitFor(() => expect(options()).toEqual(towers));
  await screen.findByText(/\(Xenova\/gte-large\), which is not installed: CLAP’s text tower embeds/);
  const clustered = vi.spyOn(engine.preferences, 'clusterPrompts');
  await user.click(screen.getByRole('button', { name: 'Cluster 3 prompts' }));
  await screen.findByText(/by Small CLAP A\./);

  await act(async () => {
    await studio.models
      .getState()
      .importFiles([{ path: 'gte-large/onnx/model_quantized.onnx', blob: new Blob() }]);
  });
  await waitFor(() => expect(options()).toEqual(['Xenova/gte-large', ...towers]));
  expect(screen.queryByText(/is not installed/)).toBeNull();
  await user.click(screen.getByRole('button', { name: 'Cluster 3 prompts' }));
  await screen.findByText(/by Xenova\/gte-large\./);

  await user.selectOptions(field, 'CLAP text tower: Small CLAP B');
  await user.click(screen.getByRole('button', { name: 'Cluster 3 prompts' }));
  await screen.findByText(/by Small CLAP B\./);
  expect(clustered.mock.calls.map(([{ embeddings }]) => embeddings)).toEqual([
    undefined,
    undefined,
    'fake-clap-2',
  ]);

  await user.selectOptions(field, 'Xenova/gte-large');
  await act(() => studio.sentences.getState().remove('gte-large-1'));
  await user.click(screen.getByRole('button', { name: 'Cluster 3 prompts' }));
  await screen.findByText(/by Small CLAP A\./);
});

test('embedding says that it loads, how far it is, and how long it will take', async () => {
  const { user, studio } = await openForm();
  await user.click(screen.getByText('Pick a balanced part'));
  const work = (index: number, remainingSeconds: number | null) =>
    act(() => studio.pool.setState({ work: { stage: 'embed', index, count: 9, remainingSeconds } }));
  work(0, null);
  screen.getByText('Loading what embeds them');
  work(3, 240);
  screen.getByText('Reading prompt 3 of 9, about 4 min left');
});

test('when what was chosen cannot embed, that is said and nothing else embeds', async () => {
  const { user, engine } = await openForm();
  await engine.sentenceEmbeddings.importFiles([{ path: 'gte/onnx/model.onnx', blob: new Blob() }]);
  vi.spyOn(engine.sentenceEmbeddings, 'embed').mockRejectedValue(
    new StorageError('The browser has lost a part of the model.'),
  );
  await user.click(screen.getByText('Pick a balanced part'));
  await user.click(screen.getByRole('button', { name: 'Cluster 3 prompts' }));
  expect((await screen.findByRole('alert')).textContent).toContain('lost a part of the model');
  expect(screen.queryByRole('img', { name: /^Map of/ })).toBeNull();
});

test('an endpoint that cannot be asked is said beside the form', async () => {
  const { user } = await openForm();
  await user.click(screen.getByText(/^Wrong captions of strategies 2 and 3/));
  await user.click(screen.getByRole('radio', { name: 'A language model' }));
  await user.type(screen.getByRole('textbox', { name: 'Address' }), 'example.org');
  await user.click(screen.getByRole('button', { name: 'Write them' }));
  expect((await screen.findByRole('alert')).textContent).toContain('begins with https://');
});
