import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { required } from '../../common/assert';
import { StudioError } from '../../common/errors';
import { parseUNet2DConditionConfig, UNet2DConditionModel } from '../../models/unet-2d-condition';
import { ParameterRoot } from '../../nn';
import { expectClose, forEachBackend, loadFixture, randomStateDict, readBlob } from '../../testing';
import { type AdapterFile, readAdapterFiles, resolveAdapter } from './adapter-formats';
import { parseLoraTensorName } from './adapter-names';
import { LoraAdapter } from './lora-adapter';
import { scaleOf } from './lora-config';
import { asMatrix, type LoraTensor } from './lora-tensor';
import { writeAdapterFiles } from './peft-format';
import { safetensorsBlob } from './safetensors-blob';

const file = async (path: string, url: URL): Promise<AdapterFile> => ({ path, blob: await readBlob(url) });
const PEFT = await Promise.all([
  file(
    'rain/adapter_model.safetensors',
    new URL('../fixtures/lora-formats/peft/adapter_model.safetensors', import.meta.url),
  ),
  file(
    'rain/adapter_config.json',
    new URL('../fixtures/lora-formats/peft/adapter_config.json', import.meta.url),
  ),
]);
const single = async (name: string, url: URL) => [await file(`${name}.safetensors`, url)];
/** Files by the prediction that they should give. */
const FILES: Readonly<Record<string, readonly AdapterFile[]>> = {
  peft: PEFT,
  unprefixed: await single(
    'unprefixed',
    new URL('../fixtures/lora-formats/unprefixed.safetensors', import.meta.url),
  ),
  diffusers: await single(
    'diffusers',
    new URL('../fixtures/lora-formats/diffusers.safetensors', import.meta.url),
  ),
  'diffusers-down-up': await single(
    'down-up',
    new URL('../fixtures/lora-formats/diffusers-down-up.safetensors', import.meta.url),
  ),
  'diffusers-processors': await single(
    'processors',
    new URL('../fixtures/lora-formats/diffusers-processors.safetensors', import.meta.url),
  ),
  kohya: await single('kohya', new URL('../fixtures/lora-formats/kohya.safetensors', import.meta.url)),
  'kohya-no-alpha': await single(
    'no-alpha',
    new URL('../fixtures/lora-formats/kohya-no-alpha.safetensors', import.meta.url),
  ),
};
const MIXED = await single(
  'mixed',
  new URL('../fixtures/lora-formats/kohya-mixed.safetensors', import.meta.url),
);
const fixture = await loadFixture(new URL('../fixtures/lora-formats/reference.safetensors', import.meta.url));

async function loadUNet(): Promise<{ unet: UNet2DConditionModel; root: ParameterRoot }> {
  const root = new ParameterRoot();
  const unet = new UNet2DConditionModel(parseUNet2DConditionConfig(fixture.metadata('config')), root.scope);
  await root.load(randomStateDict(fixture.metadata('state_dict'), fixture.metadata('seed')));
  return { unet, root };
}

function predict(unet: UNet2DConditionModel): tf.Tensor {
  return tf.tidy(() => {
    const sample = tf.transpose<tf.Tensor4D>(fixture.tensor('winner'), [0, 2, 3, 1]);
    const states = unet.prepareEncoderStates(fixture.tensor('states'), fixture.tensor('mask'));
    const output = unet.forward(sample, [...fixture.values('timesteps').data], states);
    return tf.transpose(output, [0, 3, 1, 2]);
  });
}

forEachBackend('Adapters of other tools', () => {
  let unet: UNet2DConditionModel;
  let root: ParameterRoot;
  beforeAll(async () => {
    ({ unet, root } = await loadUNet());
  });
  afterAll(() => root.dispose());

  async function adapterOf(files: readonly AdapterFile[]): Promise<LoraAdapter> {
    const { config, tensors } = resolveAdapter(await readAdapterFiles(files), [
      ...unet.adaptableLayers().keys(),
    ]);
    return LoraAdapter.fromTensors(unet.adaptableLayers(), config, tensors);
  }

  async function expectPrediction(files: readonly AdapterFile[], name: string): Promise<void> {
    const adapter = await adapterOf(files);
    const prediction = adapter.within(unet.adaptableLayers(), () => predict(unet));
    await expectClose(prediction, fixture.values(`prediction.${name}`), { relativeToRms: 1e-4, label: name });
    prediction.dispose();
    adapter.dispose();
  }

  it.each(Object.entries(FILES))('%s: the prediction is PEFT’s or diffusers’', async (name, files) => {
    await expectPrediction(files, name);
  });

  it('kohya, of two ranks and three alphas: the same as the PEFT adapter it was made of', async () => {
    await expectPrediction(MIXED, 'peft');
  });

  it('kernels of 1×1 are matrices, and the other way round', async () => {
    const contents = resolveAdapter(await readAdapterFiles(required(FILES.unprefixed, 'files')), [
      ...unet.adaptableLayers().keys(),
    ]);
    const otherwise = [...contents.tensors].map(([name, { shape, data }]): [string, LoraTensor] => [
      name,
      { data, shape: shape.length === 2 ? [...shape, 1, 1] : [...asMatrix(shape)] },
    ]);
    expect(otherwise.filter(([, { shape }]) => shape.length === 2).length).toBeGreaterThan(2);
    const adapter = LoraAdapter.fromTensors(unet.adaptableLayers(), contents.config, new Map(otherwise));
    const prediction = adapter.within(unet.adaptableLayers(), () => predict(unet));
    await expectClose(prediction, fixture.values('prediction.unprefixed'), { relativeToRms: 1e-4 });
    prediction.dispose();
    // Whatever came: a matrix for a linear layer, a kernel for a convolution.
    for (const [name, { shape }] of await adapter.tensors()) {
      expect(shape, name).toEqual(contents.tensors.get(name)!.shape);
    }
    adapter.dispose();
  });

  it('what is written of an adapter with two ranks is read as the same one', async () => {
    const paths = [...unet.adaptableLayers().keys()];
    const contents = resolveAdapter(await readAdapterFiles(MIXED), paths);
    const written = writeAdapterFiles(contents, 'a model');
    for (const files of [written, written.slice(2)]) {
      expect(resolveAdapter(await readAdapterFiles(files), paths)).toEqual(contents);
    }
    await expectPrediction(written, 'peft');
  });
});

describe('an adapter’s file', () => {
  const LAYER = 'down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q';
  const PATHS = [LAYER, LAYER.replace('to_q', 'to_k'), 'mid_block.attentions.0.proj_in'];
  const tensor = (...shape: number[]) => ({
    shape,
    data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i + 1),
  });
  const made = (tensors: Readonly<Record<string, ReturnType<typeof tensor>>>, name = 'x.safetensors') => [
    { path: name, blob: safetensorsBlob(new Map(Object.entries(tensors))) },
  ];
  const layer = (name: string) => ({
    [`${name}.lora_A.weight`]: tensor(2, 4),
    [`${name}.lora_B.weight`]: tensor(4, 2),
  });

  it.each<[string, ReturnType<typeof parseLoraTensorName>]>([
    [`base_model.model.${LAYER}.lora_A.weight`, { kind: 'lora_A', layer: LAYER, underscored: false }],
    [`${LAYER}.lora_B.default.weight`, { kind: 'lora_B', layer: LAYER, underscored: false }],
    [`unet.${LAYER}.lora.up.weight`, { kind: 'lora_B', layer: LAYER, underscored: false }],
    [`unet.${LAYER}.alpha`, { kind: 'alpha', layer: LAYER, underscored: false }],
    [
      'unet.a.attn1.processor.to_out_lora.down.weight',
      { kind: 'lora_A', layer: 'a.attn1.to_out.0', underscored: false },
    ],
    ['lora_unet_a_to_q.lora_down.weight', { kind: 'lora_A', layer: 'a_to_q', underscored: true }],
    ['lora_unet_a_to_q.alpha', { kind: 'alpha', layer: 'a_to_q', underscored: true }],
    ['lora_unet_a.hada_w1_a', null],
    ['lora_unet_a.dora_scale', null],
    ['conv_in.weight', null],
  ])('%s', (name, expected) => {
    expect(parseLoraTensorName(name)).toEqual(expected);
  });

  it('without an alpha: the rank’s, layer by layer', async () => {
    const other = LAYER.replace('to_q', 'to_k');
    const parsed = await readAdapterFiles(
      made({
        ...layer(LAYER),
        [`${other}.lora_A.weight`]: tensor(1, 4),
        [`${other}.lora_B.weight`]: tensor(4, 1),
      }),
    );
    const { config } = resolveAdapter(parsed, PATHS);
    expect(scaleOf(LAYER, config)).toEqual({ rank: 2, scaling: 1 });
    expect(scaleOf(other, config)).toEqual({ rank: 1, scaling: 1 });
  });

  it('tensors that share their bytes in a torch file do not cost more than the file', async () => {
    const url = new URL('../fixtures/lora-formats/shared-storage.bin', import.meta.url);
    const files = [await file('pytorch_lora_weights.bin', url)];
    await expect(readAdapterFiles(files)).rejects.toThrow(
      /have 40960 bytes, but the file has \d+: some share/,
    );
  });

  it.each<[string, readonly AdapterFile[], RegExp]>([
    ['no files', [], /no file came/],
    ['no weights', [{ path: 'a.txt', blob: new Blob() }], /a\.txt came/],
    [
      'two adapters',
      [...made(layer('a'), 'a.safetensors'), ...made(layer('b'), 'b.safetensors')],
      /one adapter, got a\.safetensors, b\.safetensors/,
    ],
    [
      'PEFT’s weights without their config',
      made(layer('base_model.model.a'), 'adapter_model.safetensors'),
      /keeps the scale in adapter_config\.json/,
    ],
    ['a whole model', made({ 'conv_in.weight': tensor(1, 1) }), /"conv_in\.weight".*no tensor of a LoRA/],
    ['LoHa', made({ 'lora_unet_a.hada_w1_a': tensor(1, 1) }), /LoHa/],
    ['half a layer', made({ 'a.lora_A.weight': tensor(1, 1) }), /only lora_A \(down\) of the layer "a"/],
    [
      'two ranks in one layer',
      made({ 'a.lora_A.weight': tensor(2, 4), 'a.lora_B.weight': tensor(4, 3) }),
      /rank of 2 in lora_A.*3 in lora_B/,
    ],
    [
      'one layer under two names',
      made({ ...layer('unet.a'), 'a.lora_A.weight': tensor(2, 4) }),
      /"a" twice, under two names/,
    ],
    [
      'an up half of 3×3',
      made({ 'a.lora_A.weight': tensor(2, 4), 'a.lora_B.weight': tensor(4, 2, 3, 3) }),
      /"a\.lora_B\.weight" should be a matrix, or one as a kernel of 1x1, got \[4, 2, 3, 3\]/,
    ],
    [
      'NaN',
      made({
        'a.lora_A.weight': { shape: [1, 1], data: Float32Array.of(Number.NaN) },
        'a.lora_B.weight': tensor(1, 1),
      }),
      /NaN or infinity/,
    ],
    [
      'an alpha of zero',
      made({ ...layer('a'), 'a.alpha': { shape: [], data: Float32Array.of(0) } }),
      /"a\.alpha" should be one number above 0, got 0/,
    ],
    ['nothing in it', made({}), /holds no tensors/],
  ])('%s is refused in words', async (_, files, message) => {
    const reading = readAdapterFiles(files);
    await expect(reading).rejects.toBeInstanceOf(StudioError);
    await expect(reading).rejects.toThrow(message);
  });

  it.each<[string, string, RegExp]>([
    [
      'diffusers',
      `unet.${LAYER.replace('down_blocks.0', 'down_blocks.7')}`,
      /1 of its 1 layers.*"down_blocks\.7\.[^"]+to_q" \(nearest: "down_blocks\.0\.[^"]+to_q"/,
    ],
    [
      'kohya',
      `lora_unet_${LAYER.replace('down_blocks.0', 'down_blocks.7').replaceAll('.', '_')}`,
      /"down_blocks_7_[^"]+to_q" \(nearest: "down_blocks\.0\./,
    ],
    ['a text encoder', 'lora_te_text_model_encoder_layers_0_mlp_fc1', /"lora_te_text_model[^"]+"[.,]? ?/],
  ])('%s: of another model, named with the nearest layers', async (_, name, message) => {
    const names = name.startsWith('lora_')
      ? { [`${name}.lora_down.weight`]: tensor(2, 4), [`${name}.lora_up.weight`]: tensor(4, 2) }
      : layer(name);
    const parsed = await readAdapterFiles(made(names, 'rain.safetensors'));
    expect(() => resolveAdapter(parsed, PATHS)).toThrow(/The adapter "rain" is of another model/);
    expect(() => resolveAdapter(parsed, PATHS)).toThrow(message);
  });
});
