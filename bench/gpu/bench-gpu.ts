/**
 * The full-size models, the default model and each kernel on a real GPU, through Dawn for Node. Weights are random: the
 * time of a pass does not depend on them. `run.mjs` bundles this into one file, which runs on a machine without npm.
 */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { create, globals } from 'webgpu';
import { TangoPipeline } from '../../src/diffusion/pipelines/tango-pipeline';
import { compileAhead, giveIdleBuffersBack } from '../../src/gpu/device';
import type { BufferPool } from '../../src/gpu/device/buffer-pool';
import { openWebGpuDevice, requestAdapter } from '../../src/gpu/device/webgpu-device';
import {
  CORE_WGSL,
  featuresOf,
  type KernelVariant,
  kernelVariant,
  type ShaderFeatures,
  shaderFeatures,
  withVariant,
} from '../../src/gpu/kernels/common/kernel-variant';
import { recordPrograms } from '../../src/gpu/planning/recorder';
import { predictMilliseconds } from '../../src/gpu/planning/roofline';
import { AutoencoderKL, parseAutoencoderKLConfig } from '../../src/models/autoencoder-kl';
import { HifiGan } from '../../src/models/hifi-gan';
import { TANGO_HIFI_GAN_CONFIG } from '../../src/models/hifi-gan/config';
import { parseT5Config, T5EncoderModel } from '../../src/models/t5';
import { parseUNet2DConditionConfig, UNet2DConditionModel } from '../../src/models/unet-2d-condition';
import { ParameterRoot } from '../../src/nn';
import { diffusionDpoLoss, rewardMargins } from '../../src/training/diffusion-dpo-loss';
import { LoraAdapter } from '../../src/training/lora/lora-adapter';
import { ATTENTION_TARGETS } from '../../src/training/lora/lora-config';
import { AdamW } from '../../src/training/optimizer/adamw';
import { recomputedGradients } from '../../src/training/recompute';
import '../../src/training/register-gradients';
import { folderFromFiles } from '../../src/weights/model-folder';
import unetConfig from '../counts/tango2-unet.json';
import { kernelCases } from './kernel-cases';
import { type ProgramTime, timePrograms } from './program-times';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    out: { type: 'string', default: 'gpu.json' },
    model: { type: 'string' },
    only: { type: 'string' },
    /** Of the training step. */
    steps: { type: 'string', default: '4' },
  },
});
const { quick, out, model: modelFolder } = options;
const ROUNDS = quick ? 1 : 5;
/** Data sheet of the H100 SXM: float32 outside of the tensor cores, and HBM3. */
const H100 = { teraflops: 66.9, gigabytesPerSecond: 3350 };

Object.assign(globalThis, globals);
// A reference of our own: what is collected takes the device along.
const gpu = create([]);
Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });

const results: Record<string, unknown> = {};
function keep(part: string, value: unknown): void {
  results[part] = value;
  writeFileSync(out, `${JSON.stringify(results, null, 1)}\n`);
  process.stdout.write(`${part}: ${JSON.stringify(value)}\n`);
}
const started = performance.now();
async function part(name: string, work: () => Promise<unknown>): Promise<void> {
  if (options.only && !options.only.split(',').includes(name)) return;
  const begun = performance.now();
  try {
    keep(name, await work());
  } catch (error) {
    keep(name, { error: String((error as Error)?.stack ?? error).slice(0, 600) });
  }
  const at = (ms: number): string => (ms / 1000).toFixed(1);
  process.stdout.write(
    `  ${name}: ${at(performance.now() - begun)} s, ${at(performance.now() - started)} s in all\n`,
  );
}

const adapter = await requestAdapter(gpu as unknown as GPU);
if (!adapter) throw new Error('Vulkan gives no adapter here.');
const opened = performance.now();
const device = await openWebGpuDevice(adapter, 'bench');
const backend = tf.backend() as WebGPUBackend;
const pool = (backend as unknown as { bufferManager: BufferPool }).bufferManager;
keep('adapter', {
  vendor: adapter.info.vendor,
  architecture: adapter.info.architecture,
  description: adapter.info.description,
  features: device.features,
  limits: device.limits,
  kernels: { variant: kernelVariant(backend), features: shaderFeatures(backend) },
  openMs: Math.round(performance.now() - opened),
});
const ALL = featuresOf(backend.device);

/** Small random halves, one template for all weights. */
const template = new Uint16Array(2 ** 24);
for (let i = 0; i < template.length; i += 1)
  template[i] = 0x2000 + ((i * 2654435761) >>> 20) + (i % 2) * 0x8000;
const floats = new Float32Array(2 ** 20);
for (let i = 0; i < floats.length; i += 1) floats[i] = (((i * 2654435761) >>> 8) % 2000) / 1000 - 1;

function filled<R extends tf.Rank>(
  shape: readonly number[],
  kind: 'float32' | 'halves' | 'ones' = 'float32',
): tf.Tensor<R> {
  const info = backend.makeTensorInfo([...shape], kind === 'halves' ? 'int32' : 'float32');
  backend.uploadToGPU(info.dataId);
  const buffer = backend.tensorMap.get(info.dataId).resource as GPUBuffer;
  const bytes = 4 * shape.reduce((a, b) => a * b, 1);
  const source = kind === 'halves' ? template : kind === 'ones' ? floats.map(() => 1) : floats;
  for (let at = 0; at < bytes; at += source.byteLength) {
    const part = new Uint8Array(source.buffer, 0, Math.min(source.byteLength, bytes - at));
    backend.device.queue.writeBuffer(buffer, at, part);
  }
  return tf.engine().makeTensorFromTensorInfo(info) as tf.Tensor<R>;
}

function fill(root: ParameterRoot): void {
  for (const parameter of root.list()) {
    if (parameter.shape.length > 1) {
      parameter.assign(filled([Math.ceil(parameter.elementCount / 2)], 'halves'), 'float16');
    } else {
      parameter.assign(
        filled(parameter.shape, parameter.name.endsWith('weight') ? 'ones' : 'float32'),
        'float32',
      );
    }
  }
}

function submit(): void {
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.submitQueue();
}
const done = (): Promise<undefined> => backend.device.queue.onSubmittedWorkDone();
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
const round = (x: number): number => Number(x.toPrecision(4));
type Work = () => tf.Tensor | readonly tf.Tensor[];

/** Computes what `work` promises and forgets it. */
function compute(work: Work): void {
  const made = work();
  for (const y of Array.isArray(made) ? (made as tf.Tensor[]) : [made as tf.Tensor]) {
    backend.uploadToGPU(y.dataId); // whoever reads a result that waits computes it
    y.dispose();
  }
  submit();
}

/** Milliseconds: until everything is encoded, until it is computed, and a pass where the next is encoded meanwhile. */
async function time(
  work: Work,
  rounds = ROUNDS,
): Promise<{ first: number; encode: number; pass: number; streamed: number }> {
  await done();
  let t = performance.now();
  compute(work);
  await done();
  const first = performance.now() - t;
  const encoded: number[] = [];
  const passes: number[] = [];
  for (let i = 0; i < rounds; i += 1) {
    t = performance.now();
    compute(work);
    encoded.push(performance.now() - t);
    await done();
    passes.push(performance.now() - t);
  }
  // Clocks rise and fall: the median of five turns.
  const turns: number[] = [];
  for (let turn = 0; turn < 5; turn += 1) {
    t = performance.now();
    for (let i = 0; i < rounds; i += 1) compute(work);
    await done();
    turns.push((performance.now() - t) / rounds);
  }
  const streamed = median(turns);
  return {
    first: round(first),
    encode: round(median(encoded)),
    pass: round(median(passes)),
    streamed: round(streamed),
  };
}

const OPTIONAL = Object.entries(ALL).flatMap(([name, there]) => (there ? [name] : []));
/** What the studio takes on this adapter. */
const BEST = OPTIONAL.length > 0 ? `tiles with ${OPTIONAL.join(' and ')}` : 'tiles';
const VARIANTS: readonly (readonly [string, KernelVariant, ShaderFeatures])[] = [
  ...(OPTIONAL.length > 0 ? ([[BEST, 'tiles', ALL]] as const) : []),
  ['tiles', 'tiles', CORE_WGSL],
  ['registers', 'registers', CORE_WGSL],
  ['plain tfjs', 'composed', CORE_WGSL],
];

/** Time of work that only lives within it, in each form of the kernels, beside what the counts predict. */
async function inEachVariant(work: Work, names?: readonly string[]): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const [name, variant, features] of VARIANTS) {
    if (names && !names.includes(name)) continue;
    try {
      const inVariant: Work = () => withVariant(variant, () => tf.tidy(() => work() as tf.Tensor), features);
      const times = await time(inVariant);
      const recorder = recordPrograms(backend);
      compute(inVariant);
      const counts = recorder.stop();
      await done();
      found[name] = {
        ...times,
        dispatches: counts.dispatches,
        gflops: round(counts.flops / 1e6 / times.streamed),
        compulsoryGBs: round(
          Object.values(counts.programs).reduce((sum, { compulsoryBytes }) => sum + compulsoryBytes, 0) /
            1e6 /
            times.streamed,
        ),
        predictedMs: round(predictMilliseconds(counts, H100)),
      };
    } catch (error) {
      found[name] = { error: String(error).slice(0, 300) };
    }
    const fault = device.takeError();
    if (fault) found[`${name}: GPU error`] = fault.message.slice(0, 300);
  }
  return found;
}

/** GPU milliseconds of work by program and shape of the result, the dearest first; null where the device cannot tell. */
async function whereTimeGoes(work: () => void): Promise<unknown> {
  if (!device.features.includes('timestamp-query')) return null;
  const times = timePrograms(backend, ({ constructor: { name }, outputShape }) => `${name} [${outputShape}]`);
  work();
  submit();
  await done();
  const found = Object.entries(await times.stop());
  const total = (count: (time: ProgramTime) => number): number =>
    round(found.reduce((sum, [, time]) => sum + count(time), 0));
  return {
    milliseconds: total(({ milliseconds }) => milliseconds),
    dispatches: total(({ dispatches }) => dispatches),
    programs: Object.fromEntries(
      found
        .sort(([, a], [, b]) => b.milliseconds - a.milliseconds)
        .slice(0, 40)
        .map(([name, time]) => [name, `${time.dispatches} x, ${round(time.milliseconds)} ms`]),
    ),
  };
}

const size = (full: number, small: number): number => (quick ? small : full);
const unetJson = quick
  ? { ...unetConfig, block_out_channels: [64, 128, 128, 128], attention_head_dim: [2, 4, 4, 4] }
  : unetConfig;

await part('unet', async () => {
  const parsed = parseUNet2DConditionConfig(unetJson);
  const root = new ParameterRoot();
  const model = new UNet2DConditionModel(parsed, root.scope);
  let t = performance.now();
  fill(root);
  submit();
  await done();
  const found: Record<string, unknown> = {
    parameters: root.parameterCount,
    weightBytes: pool.numBytesUsed,
    uploadMs: round(performance.now() - t),
  };
  for (const [seconds, frames] of quick
    ? ([[1.28, 32]] as const)
    : ([
        [5.12, 128],
        [10.24, 256],
      ] as const)) {
    const states = filled<tf.Rank.R3>([2, 32, parsed.crossAttentionDim[0]![0]!]);
    const mask = filled<tf.Rank.R2>([2, 32], 'ones');
    const sample = filled<tf.Rank.R4>([2, frames, 16, parsed.inChannels]);
    const encoder = model.prepareEncoderStates(states, mask);
    submit();
    const pass: Work = () => model.forward(sample, [500], encoder);
    t = performance.now();
    if (seconds < 6) {
      await compileAhead(() => [pass() as tf.Tensor]);
      found.compileAheadMs = round(performance.now() - t);
      keep('unet', found);
    }
    const submits: number[] = [];
    const original = backend.submitQueue;
    const passBefore = pool.createdBytes;
    found[`${seconds} s`] = await inEachVariant(
      pass,
      quick ? undefined : [BEST, ...(seconds < 6 ? ['plain tfjs'] : [])],
    );
    keep('unet', found);
    // One pass, each submit waited for: the longest is what a driver's watchdog sees.
    let pending: Promise<void> = Promise.resolve();
    backend.submitQueue = () => {
      original.call(backend);
      const begun = performance.now();
      pending = pending.then(async () => {
        await done();
        submits.push(performance.now() - begun);
      });
    };
    compute(pass);
    await pending;
    backend.submitQueue = original;
    found[`${seconds} s, submits`] = { count: submits.length, longestMs: round(Math.max(...submits)) };
    found[`${seconds} s, memory`] = {
      peakBytes: pool.peakBytes,
      createdBytes: pool.createdBytes - passBefore,
    };
    const y = pass() as tf.Tensor;
    const values = await y.data();
    found[`${seconds} s, on the GPU`] = await whereTimeGoes(() => compute(pass));
    found[`${seconds} s, finite`] = values.every(Number.isFinite);
    keep('unet', found);
    y.dispose();
    encoder.dispose();
    tf.dispose([states, mask, sample]);
  }
  const fault = device.takeError();
  if (fault) found.gpuError = fault.message.slice(0, 300);
  root.dispose();
  return found;
});
giveIdleBuffersBack();

// One pair, the reference's pass, block-wise recompute, AdamW: as bench/training counts it.
await part('training step', async () => {
  const parsed = parseUNet2DConditionConfig(unetJson);
  const root = new ParameterRoot();
  const model = new UNet2DConditionModel(parsed, root.scope);
  fill(root);
  submit();
  await done();
  const adapterWeights = LoraAdapter.create(
    model.adaptableLayers(),
    { rank: 8, alpha: 8, targetModules: ATTENTION_TARGETS },
    0,
  );
  const optimizer = new AdamW();
  const frames = size(256, 32);
  const image = [2, frames, 16, parsed.inChannels];
  const batch = {
    noisy: filled<tf.Rank.R4>(image),
    target: filled<tf.Rank.R4>(image),
    states: filled<tf.Rank.R3>([2, 32, parsed.crossAttentionDim[0]![0]!]),
    mask: filled<tf.Rank.R2>([2, 32], 'ones'),
    timesteps: [500, 500],
  };
  const step = (): void => {
    const reference = tf.tidy(() =>
      model.forward(batch.noisy, batch.timesteps, model.prepareEncoderStates(batch.states, batch.mask)),
    );
    const half = (prediction: tf.Tensor, i: number) => {
      const of = (tensor: tf.Tensor): tf.Tensor => tf.split(tensor, 2)[i]!;
      return { prediction: of(prediction), reference: of(reference), target: of(batch.target) };
    };
    const { value, grads } = adapterWeights.within(model.adaptableLayers(), () =>
      recomputedGradients(model, batch, adapterWeights.weights, (prediction) =>
        diffusionDpoLoss(rewardMargins(half(prediction, 0), half(prediction, 1), 2000)),
      ),
    );
    optimizer.step(adapterWeights.weights, grads, 1e-4);
    for (const { tensor } of adapterWeights.weights) backend.uploadToGPU(tensor.dataId);
    tf.dispose([value, reference]);
    submit();
  };
  const found = {
    parameters: root.parameterCount,
    milliseconds: [] as number[],
    encodeMilliseconds: [] as number[],
    peakBytes: 0,
  };
  for (let i = 0; i < Number(options.steps); i += 1) {
    const t = performance.now();
    step();
    found.encodeMilliseconds.push(round(performance.now() - t));
    await done();
    found.milliseconds.push(round(performance.now() - t));
    found.peakBytes = pool.peakBytes;
    keep('training step', found);
  }
  const changed = await Promise.all(adapterWeights.weights.map(({ tensor }) => tensor.data()));
  const fault = device.takeError();
  const result = {
    ...found,
    finite: changed.every((values) => values.every(Number.isFinite)),
    ...(fault ? { gpuError: fault.message.slice(0, 300) } : {}),
    // A processor's time stamps say no more than the step's own time.
    ...(Number(options.steps) > 1 ? { onGpu: await whereTimeGoes(step) } : {}),
  };
  root.dispose();
  return result;
});
giveIdleBuffersBack();

await part('decoder and vocoder', async () => {
  const found: Record<string, unknown> = {};
  const vaeRoot = new ParameterRoot();
  const vae = new AutoencoderKL(
    parseAutoencoderKLConfig({
      in_channels: 1,
      out_channels: 1,
      latent_channels: 8,
      down_block_types: ['DownEncoderBlock2D', 'DownEncoderBlock2D', 'DownEncoderBlock2D'],
      up_block_types: ['UpDecoderBlock2D', 'UpDecoderBlock2D', 'UpDecoderBlock2D'],
      block_out_channels: quick ? [32, 32, 64] : [128, 256, 512],
      layers_per_block: 2,
    }),
    vaeRoot.scope,
  );
  fill(vaeRoot);
  const latents = filled<tf.Rank.R4>([1, size(256, 32), 16, 8]);
  found['VAE decoder, 10.24 s'] = await inEachVariant(() => vae.decode(latents), [BEST, 'plain tfjs']);
  latents.dispose();
  vaeRoot.dispose();
  const vocoderRoot = new ParameterRoot();
  const vocoder = new HifiGan(
    quick ? { ...TANGO_HIFI_GAN_CONFIG, upsampleInitialChannel: 64 } : TANGO_HIFI_GAN_CONFIG,
    vocoderRoot.scope,
  );
  fill(vocoderRoot);
  const mel = filled<tf.Rank.R3>([1, size(1024, 64), 64]);
  found['vocoder, 10.24 s'] = await inEachVariant(() => vocoder.forward(mel), [BEST, 'plain tfjs']);
  mel.dispose();
  vocoderRoot.dispose();
  const t5Root = new ParameterRoot();
  const t5 = new T5EncoderModel(
    parseT5Config({
      vocab_size: 32128,
      d_model: size(1024, 128),
      d_kv: 64,
      d_ff: size(2816, 256),
      num_layers: size(24, 2),
      num_heads: size(16, 2),
      feed_forward_proj: 'gated-gelu',
      is_encoder_decoder: false,
    }),
    t5Root.scope,
  );
  fill(t5Root);
  const ids = tf.tensor2d(
    Array.from({ length: 64 }, (_, i) => (i * 37) % 30000),
    [2, 32],
    'int32',
  );
  const mask = filled<tf.Rank.R2>([2, 32], 'ones');
  found['FLAN-T5-large encoder, two prompts of 32'] = await inEachVariant(
    () => t5.forward(ids, mask),
    [BEST, 'plain tfjs'],
  );
  t5Root.dispose();
  tf.dispose([ids, mask]);
  return found;
});
giveIdleBuffersBack();

await part('default model', async () => {
  if (!modelFolder || !existsSync(modelFolder)) return { skipped: 'no --model=FOLDER' };
  const files: { path: string; blob: Blob }[] = [];
  const walk = (folder: string): void => {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      if (statSync(path).isDirectory()) walk(path);
      else files.push({ path: `model/${relative(modelFolder, path)}`, blob: new Blob([readFileSync(path)]) });
    }
  };
  walk(modelFolder);
  let t = performance.now();
  const pipeline = await TangoPipeline.load(folderFromFiles(files));
  const loadMs = round(performance.now() - t);
  t = performance.now();
  await pipeline.compileAhead(5.12);
  const compileMs = round(performance.now() - t);
  const clips: Record<string, number>[] = [];
  for (let i = 0; i < (quick ? 1 : 6); i += 1) {
    t = performance.now();
    const { audio } = await pipeline.run({
      prompt: 'a dog barks and then a telephone rings',
      negativePrompt: '',
      steps: quick ? 2 : 20,
      guidanceScale: 3,
      scheduler: 'dpm-solver++',
      seed: i,
      durationSeconds: quick ? 1.28 : 5.12,
    } as Parameters<TangoPipeline['run']>[0]);
    clips.push({
      ms: round(performance.now() - t),
      peak: round(audio.reduce((peak, x) => Math.max(peak, Math.abs(x)), 0)),
    });
  }
  pipeline.dispose();
  return { loadMs, compileMs, clips };
});

await part('kernels', async () => {
  const cases = kernelCases(filled, quick ? 8 : 1);
  const found: Record<string, unknown> = {};
  for (const [name, { x, run }] of Object.entries(cases)) {
    const each: Record<string, unknown> = {};
    // tfjs makes ones on the CPU where it is given no gradient of the result, and uploads them.
    const dy = tf.tidy(() => filled(run(x).shape));
    // Ten at once: a single one is as long as a submit.
    const many: Work = () => Array.from({ length: 10 }, () => run(x));
    for (const [variantName, variant, features] of VARIANTS) {
      const timeOf = async (work: Work): Promise<number> => {
        const inVariant: Work = () =>
          withVariant(variant, () => tf.tidy(() => work() as tf.Tensor[]), features);
        return (await time(inVariant, quick ? 1 : 4)).streamed / 10;
      };
      try {
        const forward = await timeOf(many);
        const recorder = recordPrograms(backend);
        compute(() => withVariant(variant, () => tf.tidy(() => run(x)), features));
        const { flops } = recorder.stop();
        const backward = await timeOf(() =>
          Array.from({ length: 10 }, () => tf.grad((input: tf.Tensor) => run(input))(x, dy)),
        );
        each[variantName] = {
          forwardMs: round(forward),
          withGradientMs: round(backward),
          gflops: round(flops / 1e6 / forward),
        };
      } catch (error) {
        each[variantName] = { error: String((error as Error).stack).slice(0, 300) };
      }
      const fault = device.takeError();
      if (fault) each[`${variantName}: GPU error`] = fault.message.slice(0, 300);
    }
    // The same numbers from each form, beside tfjs's own programs.
    const reference = (await withVariant(
      'composed',
      () => tf.tidy(() => run(x)),
      CORE_WGSL,
    ).data()) as Float32Array;
    const rms = Math.sqrt(reference.reduce((sum, v) => sum + v * v, 0) / reference.length);
    const errors: Record<string, number> = {};
    for (const [variantName, variant, features] of VARIANTS) {
      if (variant === 'composed') continue;
      const y = withVariant(variant, () => tf.tidy(() => run(x)), features);
      const values = (await y.data()) as Float32Array;
      errors[variantName] = round(
        values.reduce((worst, v, i) => Math.max(worst, Math.abs(v - reference[i]!)), 0) / rms,
      );
      y.dispose();
    }
    found[name] = { ...each, largestErrorOfRms: errors };
    process.stdout.write(`  ${name}: ${JSON.stringify(found[name])}\n`);
    tf.dispose([x, dy]);
  }
  return found;
});
device.dispose();
process.exit(0);
