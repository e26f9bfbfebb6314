import { beforeAll, expect, it } from 'vitest';
import type { TangoPipeline } from '../../diffusion/pipelines/tango-pipeline';
import { parseUNet2DConditionConfig, UNet2DConditionModel } from '../../models/unet-2d-condition';
import { ParameterRoot } from '../../nn';
import { startBackend, tinyTango } from '../../testing';
import { TRAIN_DEFAULTS } from '../protocol-limits';
import type { TrainSettings } from '../protocol-training';
import { recipeOf } from './train-request';
import { estimateTraining } from './training-memory';

const tiny = await tinyTango();
const UNET_BYTES = 5000;

beforeAll(() => startBackend('wasm'));

/** A pipeline as far as the estimate looks at it. @param frames of the latents */
async function estimateOf(settings: Partial<TrainSettings>, frames: number) {
  const config = parseUNet2DConditionConfig(await tiny.folder.json('unet/config.json'));
  const pipeline = {
    denoiser: { unet: new UNet2DConditionModel(config, new ParameterRoot().scope) },
    components: [
      { name: 'unet', bytes: UNET_BYTES },
      { name: 'vae', bytes: 700 },
    ],
    clipSize: () => ({ latentShape: [1, config.inChannels, frames, 16] }),
  };
  const recipe = recipeOf({ ...TRAIN_DEFAULTS, ...settings });
  return estimateTraining(pipeline as unknown as TangoPipeline, recipe, 10);
}

it('counts the frozen UNet beside a LoRA, and not where every weight is trained', async () => {
  const lora = await estimateOf({}, 16);
  const whole = await estimateOf({ trains: 'unet' }, 16);
  expect(lora.parts[0]).toEqual({ label: 'Model, frozen', bytes: UNET_BYTES + 700 });
  expect(whole.parts[0]).toEqual({ label: 'The rest of the model, frozen', bytes: 700 });
  expect(whole.parameterCount).toBeGreaterThan(lora.parameterCount);
  for (const { parts, totalBytes } of [lora, whole]) {
    expect(parts.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(totalBytes);
  }
  expect([...lora.advice, ...whole.advice]).toEqual([]);
});

it('advises what helps: activations again with the bytes that it saves, fewer pairs, shorter clips', async () => {
  const kept = await estimateOf({ pairsPerPass: 4 }, 20_000);
  const again = await estimateOf({ pairsPerPass: 4, recompute: true }, 20_000);
  const saved = (kept.totalBytes - again.totalBytes) / 1e9;
  expect(kept.advice[0]).toBe(
    `Turn on "Compute activations again": about ${saved.toFixed(1)} GB less, and it changes no result.`,
  );
  expect(kept.advice.slice(1)).toEqual([
    expect.stringMatching(/pairs in memory to 1/),
    expect.stringMatching(/shorter clips/),
  ]);
  const whole = await estimateOf({ trains: 'unet', recompute: true }, 200_000);
  expect(whole.advice).toEqual([
    expect.stringMatching(/Train a LoRA: .* four float32 copies/),
    expect.stringMatching(/shorter clips/),
  ]);
});
