/**
 * What a step of diffusion-DPO takes of a GPU, counted on a device that does nothing, beside the bar at full size and
 * beside the estimate that the studio shows before a run. Prints the counts as JSON lines.
 */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parseUNet2DConditionConfig } from '../../src/models/unet-2d-condition';
import {
  ATTENTION_TARGETS,
  CONVOLUTION_TARGETS,
  FEED_FORWARD_TARGETS,
} from '../../src/training/lora/lora-config';
import { stepMemory } from '../../src/training/training-memory';
import type { TrainingRecipe } from '../../src/training/training-recipe';
import tango2 from '../counts/tango2-unet.json';
import { countStep } from './count-step';

const bundled = JSON.parse(readFileSync('public/models/default/unet/config.json', 'utf8')) as object;
const narrow = (share: number): object => ({
  ...tango2,
  block_out_channels: tango2.block_out_channels.map((channels) => channels * share),
  norm_num_groups: 16,
});
const models = {
  default: { config: bundled, bins: 8 },
  quarter: { config: narrow(0.25), bins: 16 },
  half: { config: narrow(0.5), bins: 16 },
  full: { config: tango2, bins: 16 },
};
const attention = ATTENTION_TARGETS;
const all = [...ATTENTION_TARGETS, ...FEED_FORWARD_TARGETS];
const convolutions = [...ATTENTION_TARGETS, ...CONVOLUTION_TARGETS];
/** Of the latents, 25 a second for Tango and 12.5 for the default model. */
const cases = [
  { model: 'default', frames: 32, pairsPerPass: 1, rank: 8, targets: attention, recompute: false },
  { model: 'default', frames: 64, pairsPerPass: 1, rank: 8, targets: attention, recompute: true },
  { model: 'default', frames: 64, pairsPerPass: 2, rank: 64, targets: all, recompute: false },
  { model: 'default', frames: 128, pairsPerPass: 4, rank: 8, targets: attention, recompute: false },
  { model: 'default', frames: 128, pairsPerPass: 4, rank: 8, targets: attention, recompute: true },
  { model: 'quarter', frames: 128, pairsPerPass: 1, rank: 8, targets: attention, recompute: false },
  { model: 'quarter', frames: 256, pairsPerPass: 2, rank: 16, targets: all, recompute: false },
  { model: 'quarter', frames: 256, pairsPerPass: 2, rank: 16, targets: all, recompute: true },
  { model: 'half', frames: 128, pairsPerPass: 2, rank: 8, targets: attention, recompute: false },
  { model: 'half', frames: 256, pairsPerPass: 1, rank: 8, targets: attention, recompute: true },
  { model: 'default', frames: 64, pairsPerPass: 2, rank: 8, targets: convolutions, recompute: false },
  { model: 'default', frames: 64, pairsPerPass: 2, rank: 8, targets: convolutions, recompute: true },
  { model: 'half', frames: 128, pairsPerPass: 1, rank: 16, targets: convolutions, recompute: false },
  { model: 'half', frames: 128, pairsPerPass: 1, rank: 16, targets: convolutions, recompute: true },
  { model: 'full', frames: 128, pairsPerPass: 1, rank: 8, targets: convolutions, recompute: false },
  { model: 'full', frames: 256, pairsPerPass: 1, rank: 8, targets: convolutions, recompute: true },
  { model: 'full', frames: 64, pairsPerPass: 1, rank: 8, targets: attention, recompute: true },
  { model: 'full', frames: 128, pairsPerPass: 1, rank: 8, targets: attention, recompute: false },
  { model: 'full', frames: 128, pairsPerPass: 1, rank: 8, targets: attention, recompute: true },
  { model: 'full', frames: 256, pairsPerPass: 1, rank: 8, targets: attention, recompute: false },
  { model: 'full', frames: 256, pairsPerPass: 1, rank: 8, targets: attention, recompute: true },
  { model: 'full', frames: 256, pairsPerPass: 1, rank: 64, targets: all, recompute: true },
  { model: 'full', frames: 256, pairsPerPass: 2, rank: 8, targets: attention, recompute: true },
  { model: 'default', frames: 64, pairsPerPass: 1, rank: 0, targets: attention, recompute: false },
  { model: 'default', frames: 128, pairsPerPass: 4, rank: 0, targets: attention, recompute: false },
  { model: 'quarter', frames: 128, pairsPerPass: 1, rank: 0, targets: attention, recompute: false },
  { model: 'full', frames: 64, pairsPerPass: 1, rank: 0, targets: attention, recompute: false },
  { model: 'full', frames: 256, pairsPerPass: 1, rank: 0, targets: attention, recompute: false },
  { model: 'default', frames: 64, pairsPerPass: 1, rank: 0, targets: attention, recompute: true },
  { model: 'default', frames: 128, pairsPerPass: 4, rank: 0, targets: attention, recompute: true },
  { model: 'quarter', frames: 128, pairsPerPass: 1, rank: 0, targets: attention, recompute: true },
  { model: 'half', frames: 256, pairsPerPass: 1, rank: 0, targets: attention, recompute: true },
  { model: 'full', frames: 64, pairsPerPass: 1, rank: 0, targets: attention, recompute: true },
  { model: 'full', frames: 256, pairsPerPass: 1, rank: 0, targets: attention, recompute: true },
  { model: 'half', frames: 128, pairsPerPass: 1, rank: 0, targets: attention, recompute: true, passes: 2 },
  { model: 'full', frames: 256, pairsPerPass: 1, rank: 0, targets: attention, recompute: false, passes: 2 },
  { model: 'full', frames: 256, pairsPerPass: 1, rank: 0, targets: attention, recompute: true, passes: 2 },
  { model: 'default', frames: 64, pairsPerPass: 1, rank: 0, targets: attention, recompute: false, passes: 2 },
] as const;
const TOKENS = 32;
const TOLERANCE = 0.15;

const titled = cases.map((one) => ({
  ...one,
  title: `${one.model}, ${one.frames} frames, ${one.pairsPerPass} pairs, rank ${one.rank}${one.targets === all ? ' on all' : one.targets === convolutions ? ' with convolutions' : ''}${one.recompute ? ', computed again' : ''}${'passes' in one ? ', two passes' : ''}`,
}));

it.each(titled)('the estimate is within 15 % of the count: $title', async (one) => {
  const { model, frames, pairsPerPass, rank, targets, recompute, title } = one;
  const passes = 'passes' in one ? one.passes : 1;
  const { config, bins } = models[model];
  const lora = rank === 0 ? null : { rank, alpha: rank, targetModules: targets };
  const counts = await countStep({
    config,
    latentSize: [frames, bins],
    tokens: TOKENS,
    pairsPerPass,
    lora,
    recompute,
    passes,
  });
  const parsed = parseUNet2DConditionConfig(config);
  const trains = lora ? 'lora' : 'unet';
  const pairsPerStep = passes * pairsPerPass;
  const recipe = { trains, lora, pairsPerPass, pairsPerStep, recompute, emaDecay: 0 } as TrainingRecipe;
  const estimate = stepMemory(parsed, recipe, {
    latentShape: [parsed.inChannels, frames, bins],
    adapterParameters: counts.adapterParameters,
  });
  const estimated = Object.values(estimate).reduce((sum, bytes) => sum + bytes, counts.weightBytes);
  const { step, ...memory } = counts;
  const { dispatches } = step;
  process.stdout.write(
    `${JSON.stringify({ title, ...memory, dispatches, estimated: Math.round(estimated) })}\n`,
  );
  expect(Math.abs(estimated / counts.peakBytes - 1)).toBeLessThan(TOLERANCE);
});

it('is at most 2100 dispatches of the default model', async () => {
  const { step } = await countStep({
    config: bundled,
    latentSize: [64, 8],
    tokens: TOKENS,
    pairsPerPass: 1,
    lora: { rank: 8, alpha: 8, targetModules: attention },
    recompute: false,
  });
  expect(step.dispatches).toBeLessThanOrEqual(2100);
  // What each weight, norm and activation takes is programs of the studio's own.
  expect(Object.keys(step.programs)).toEqual(
    expect.arrayContaining(['AdamWProgram', 'GroupNormGradientProgram', 'RowNormGradientProgram']),
  );
});

it('fits 8 GB at full size, 10.24 s', async () => {
  const { peakBytes, firstPeakBytes, adapterParameters } = await countStep({
    config: tango2,
    latentSize: [256, 16],
    tokens: TOKENS,
    pairsPerPass: 1,
    lora: { rank: 8, alpha: 8, targetModules: attention },
    recompute: true,
  });
  // The second step finds both moments there.
  expect(peakBytes - 8 * adapterParameters).toBeLessThan(1.01 * firstPeakBytes);
  expect(peakBytes).toBeLessThanOrEqual(8e9);
});

it.each([true, false])(
  'every weight is trained without the frozen ones: computed again %s',
  async (recompute) => {
    const request = {
      config: tango2,
      latentSize: [256, 16] as const,
      ...{ tokens: TOKENS, pairsPerPass: 1, lora: null, recompute },
    };
    const beside = await countStep({ ...request, keepsBase: true });
    const alone = await countStep(request);
    const used = ({ taken }: typeof alone): number => taken[0]?.used ?? 0;
    process.stdout.write(`${JSON.stringify({ beside, alone })}\n`);
    expect(alone.weightBytes).toBe(0);
    // To a few numbers of the step; idle buffers come and go.
    expect(Math.abs((used(beside) - used(alone)) / alone.baseBytes - 1)).toBeLessThan(1e-3);
    expect(beside.peakBytes - alone.peakBytes).toBeGreaterThan(0.9 * alone.baseBytes);
  },
);

it('takes no more in steps 256 to 500 than in those before', async () => {
  const { taken } = await countStep({
    // Two levels are enough to have every kind of layer.
    config: {
      ...bundled,
      block_out_channels: [32, 64],
      down_block_types: ['DownBlock2D', 'CrossAttnDownBlock2D'],
      up_block_types: ['CrossAttnUpBlock2D', 'UpBlock2D'],
    },
    latentSize: [16, 8],
    tokens: TOKENS,
    pairsPerPass: 1,
    lora: { rank: 8, alpha: 8, targetModules: attention },
    recompute: false,
    steps: 500,
  });
  expect(taken).toHaveLength(499);
  // Uploads of numbers come and go between steps, so the most of a span is what compares.
  for (const key of ['used', 'allocated', 'tensors'] as const) {
    const most = (from: number, to: number) => Math.max(...taken.slice(from, to).map((one) => one[key]));
    expect(most(255, 499), key).toBeLessThanOrEqual(most(10, 255));
  }
}, 240_000);
