import { expect, test, vi } from 'vitest';
import { ModelNotFoundError, StateDictError, WorkerDiedError } from '../../common/errors';
import type { ModelFile } from '../../engine/protocol';
import type { TrainRun } from '../../engine/protocol-training';
import { fakeClapModels } from '../../testing/fake-clap';
import { createFakeEngineClient, fakeModel } from '../../testing/fake-engine-client';
import { fakePann } from '../../testing/fake-panns';
import { isAdapter } from './is-adapter';
import { isClap } from './is-clap';
import { isPann } from './is-pann';
import { isSentenceEmbedder } from './is-sentence-embedder';
import { createModelStore } from './model-store';

const files: readonly ModelFile[] = [{ path: 'tiny/model_index.json', blob: new Blob(['{}']) }];

function setUp(lastModelId: string | null = null) {
  const engine = createFakeEngineClient();
  const onUsed = vi.fn();
  const onAdapter = vi.fn();
  const onClap = vi.fn();
  const onPann = vi.fn();
  const onSentenceModel = vi.fn();
  const options = { lastModelId: () => lastModelId, onUsed, onAdapter, onClap, onPann, onSentenceModel };
  return {
    engine,
    onUsed,
    onAdapter,
    onClap,
    onPann,
    onSentenceModel,
    store: createModelStore(engine, options),
  };
}

test('opening loads the first model and reports bytes meanwhile', async () => {
  const { store, onUsed } = setUp();
  const shares: number[] = [];
  store.subscribe(({ job }) => {
    if (job?.progress) shares.push(job.progress.loadedBytes / job.progress.totalBytes);
  });
  await store.getState().open(null);
  expect(store.getState()).toMatchObject({ current: { id: fakeModel.id }, job: null, failure: null });
  expect(shares.at(-1)).toBe(1);
  expect(shares).toEqual(shares.toSorted());
  expect(onUsed).toHaveBeenCalledWith(fakeModel.id);
});

test('opening takes the model of the last visit, or the first when that is gone', async () => {
  const { store, engine } = setUp('imported-1');
  await engine.models.importFiles(files);
  await store.getState().open(null);
  expect(store.getState().current?.id).toBe('imported-1');

  const gone = setUp('imported-9');
  await gone.store.getState().open(null);
  expect(gone.store.getState().current?.id).toBe(fakeModel.id);
});

test('a model that is loaded already stays', async () => {
  const { store, engine } = setUp();
  const use = vi.spyOn(engine.models, 'load');
  await store.getState().open(fakeModel);
  expect(store.getState().current).toBe(fakeModel);
  expect(use).not.toHaveBeenCalled();
});

test('an imported model is listed and in use; removing it goes back to the bundled one', async () => {
  const { store } = setUp();
  await store.getState().open(null);
  await store.getState().importFiles(files);
  expect(store.getState().current?.id).toBe('imported-1');
  expect(store.getState().models).toHaveLength(2);
  await store.getState().remove('imported-1');
  expect(store.getState().models).toHaveLength(1);
  expect(store.getState().current?.id).toBe(fakeModel.id);
});

test('a failed import says what was wrong and changes nothing', async () => {
  const { store, engine } = setUp();
  await store.getState().open(null);
  engine.failModelJob(new StateDictError('conv_in.weight is missing.'));
  await store.getState().importFiles(files);
  expect(store.getState()).toMatchObject({
    current: { id: fakeModel.id },
    job: null,
    failure: { code: 'state-dict', message: 'conv_in.weight is missing.', during: 'import' },
  });
  store.getState().dismissFailure();
  expect(store.getState().failure).toBeNull();
});

test('files given while a model loads are taken after it, and their failure outlives a load', async () => {
  const { store, engine } = setUp();
  const load = store.getState().use(fakeModel.id);
  expect(store.getState().job).toMatchObject({ kind: 'load' });
  const importing = store.getState().importFiles(files);
  expect(store.getState().importWaits).toBe(true);
  await Promise.all([load, importing]);
  expect(store.getState()).toMatchObject({ current: { id: 'imported-1' }, importWaits: false, job: null });

  engine.failModelJob(new StateDictError('conv_in.weight is missing.'));
  const wrong = store.getState().importFiles(files);
  await Promise.all([wrong, store.getState().use(fakeModel.id)]);
  expect(store.getState()).toMatchObject({
    current: { id: fakeModel.id },
    failure: { during: 'import', message: 'conv_in.weight is missing.' },
  });
});

test('a model taken in before the first one is loaded stays in use', async () => {
  const { store } = setUp();
  const importing = store.getState().importFiles(files);
  await Promise.all([store.getState().open(null), importing]);
  expect(store.getState().current?.id).toBe('imported-1');
});

test('a cancelled import is not a failure', async () => {
  const { store } = setUp();
  await store.getState().open(null);
  const importing = store.getState().importFiles(files);
  store.getState().cancel();
  await importing;
  expect(store.getState()).toMatchObject({ job: null, failure: null });
  expect(store.getState().models).toHaveLength(1);
});

test('a load that fails can be asked for again', async () => {
  const { store, engine } = setUp();
  engine.failModelJob(new ModelNotFoundError('Gone.'));
  await store.getState().open(null);
  expect(store.getState().failure).toMatchObject({ code: 'model-not-found', during: 'load' });
  await store.getState().use(fakeModel.id);
  expect(store.getState()).toMatchObject({ failure: null, current: { id: fakeModel.id } });
});

test('an engine that ends while the list or a model is read is no failure of theirs', async () => {
  const { store, engine } = setUp();
  vi.spyOn(engine.models, 'list').mockRejectedValueOnce(new WorkerDiedError('the engine stopped'));
  await store.getState().open(null);
  expect(store.getState()).toMatchObject({ failure: null, job: null });
  vi.spyOn(engine.models, 'load').mockRejectedValueOnce(new WorkerDiedError('the engine stopped'));
  await store.getState().use(fakeModel.id);
  expect(store.getState()).toMatchObject({ failure: null, job: null });
});

test('a failure to load is forgotten once the engine is back with the model', async () => {
  const { store, engine } = setUp();
  await store.getState().open(null);
  vi.spyOn(engine.models, 'load').mockRejectedValueOnce(new ModelNotFoundError('gone'));
  await store.getState().use('gone');
  expect(store.getState().failure?.during).toBe('load');
  await store.getState().open(fakeModel);
  expect(store.getState().failure).toBeNull();
});

test.each([
  [['rain.safetensors'], true],
  [['lora/adapter_model.safetensors', 'lora/adapter_config.json'], true],
  [['pytorch_lora_weights.bin'], true],
  [['model_index.json', 'unet/config.json', 'unet/diffusion_pytorch_model.safetensors'], false],
  [['pytorch_model_main.bin'], false],
  [['main_config.json', 'pytorch_model_main.bin'], false],
  [[], false],
])('%j: a LoRA is %s', async (paths, expected) => {
  expect(isAdapter(paths.map((path) => ({ path, blob: new Blob() })))).toBe(expected);
});

test('a LoRA goes to the model in use and is chosen; a wrong one changes nothing', async () => {
  const { store, engine, onAdapter } = setUp();
  await store.getState().open(null);
  const lora = [{ path: 'rain.safetensors', blob: new Blob() }];
  const importAdapter = vi.spyOn(engine.train, 'importAdapter');
  importAdapter.mockRejectedValueOnce(new StateDictError('The adapter "rain" is of another model.'));
  await store.getState().importFiles(lora);
  expect(store.getState()).toMatchObject({ addedAdapter: null, failure: { during: 'import' } });
  expect(onAdapter).not.toHaveBeenCalled();

  const run = { id: 'a', name: 'rain' } as TrainRun;
  importAdapter.mockResolvedValueOnce(run);
  await store.getState().importFiles(Promise.resolve(lora));
  expect(importAdapter).toHaveBeenLastCalledWith(lora);
  expect(store.getState()).toMatchObject({ addedAdapter: run, failure: null, job: null });
  expect(store.getState().models).toHaveLength(1);
  expect(onAdapter).toHaveBeenCalledWith(run);
});

test.each<[boolean, readonly string[]]>([
  [true, ['630k-audioset-best.pt', 'tokenizer.json']],
  [
    true,
    ['clap/config.json', 'clap/preprocessor_config.json', 'clap/model.safetensors', 'clap/tokenizer.json'],
  ],
  [false, ['pytorch_model_main.bin', 'pytorch_model_vae.bin', 'main_config.json', 'tokenizer.json']],
  [false, ['model/model_index.json', 'model/feature_extractor/preprocessor_config.json']],
  [false, ['adapter_config.json', 'adapter_model.safetensors']],
])('whether files are a CLAP: %s', (expected, paths) => {
  expect(isClap(paths.map((path) => ({ path, blob: new Blob() })))).toBe(expected);
});

test.each([
  [true, ['gte-large/config.json', 'gte-large/tokenizer.json', 'gte-large/onnx/model_quantized.onnx']],
  [true, ['gte/model.safetensors', 'gte/config.json', 'gte/sentence_bert_config.json']],
  [false, ['pytorch_model_main.bin', 'pytorch_model_vae.bin', 'main_config.json', 'tokenizer.json']],
  [false, ['model/model_index.json', 'model/vae/model.onnx']],
])('whether files are a sentence embedder: %s', (expected, paths) => {
  expect(isSentenceEmbedder(paths.map((path) => ({ path, blob: new Blob() })))).toBe(expected);
});

test('a CLAP is imported beside the model in use', async () => {
  const { store, engine, onClap } = setUp();
  await store.getState().open(null);
  const take = vi.spyOn(engine.clap, 'importFiles').mockResolvedValueOnce(fakeClapModels[0]!);
  await store.getState().importFiles([{ path: '630k-audioset-best.pt', blob: new Blob() }]);
  expect(take).toHaveBeenCalledOnce();
  expect(onClap).toHaveBeenCalledOnce();
  expect(store.getState()).toMatchObject({ current: { id: fakeModel.id }, failure: null });
});

test.each([
  [true, ['Cnn14_16k_mAP=0.438.pth']],
  [true, ['panns_Cnn14/config.json', 'panns_Cnn14/model.safetensors']],
  [true, ['pann.safetensors']],
  [false, ['panning/adapter_model.safetensors']],
  [false, ['630k-audioset-best.pt', 'tokenizer.json']],
  [false, ['cnn14/model_index.json', 'cnn14/unet/diffusion_pytorch_model.safetensors']],
  [false, ['panns/README.md']],
])('PANNs or not (%s): %j', (expected, paths) => {
  expect(isPann(paths.map((path) => ({ path, blob: new Blob() })))).toBe(expected);
});

test('PANNs go where PANNs are kept, though they are one weights file as an adapter is', async () => {
  const { store, engine, onPann, onClap, onAdapter } = setUp();
  await store.getState().importFiles([{ path: 'Cnn14.safetensors', blob: new Blob() }]);
  expect(await engine.panns.models()).toEqual([fakePann]);
  expect(onPann).toHaveBeenCalledOnce();
  expect(onClap).not.toHaveBeenCalled();
  expect(onAdapter).not.toHaveBeenCalled();
  vi.spyOn(engine.panns, 'importFiles').mockRejectedValueOnce(new StateDictError('Not a Cnn14.'));
  await store.getState().importFiles([{ path: 'Cnn14.pth', blob: new Blob() }]);
  expect(store.getState().failure).toMatchObject({ during: 'import', message: 'Not a Cnn14.' });
});
