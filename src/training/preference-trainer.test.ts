import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { TorchGenerator } from '../common/random';
import { parseUNet2DConditionConfig, UNet2DConditionModel } from '../models/unet-2d-condition';
import { ParameterRoot } from '../nn';
import { forEachBackend, loadFixture, randomStateDict } from '../testing';
import { ForwardProcess } from './forward-process';
import { LoraAdapter } from './lora/lora-adapter';
import { ATTENTION_TARGETS, CONVOLUTION_TARGETS } from './lora/lora-config';
import { PreferenceTrainer, type StepMetrics, type TrainerState } from './preference-trainer';
import { LoraPart } from './trained-part';
import type { TrainingData } from './training-data';
import type { TrainingRecipe } from './training-recipe';
import { WholeUNet } from './whole-unet';

const fixture = await loadFixture(new URL('./fixtures/losses.safetensors', import.meta.url));
/** β / 2 = 1000 times what float32's rounding leaves in a mean of squares of the order of one, over 128 of them. */
const LOSS_TOLERANCE = 1e-4;
const LATENT_SHAPE = [4, 8, 4] as const;
const RECIPE: TrainingRecipe = {
  trains: 'lora',
  lora: { rank: 4, alpha: 4, targetModules: ATTENTION_TARGETS },
  beta: 2000,
  learningRate: 2e-3,
  weightDecay: 1e-2,
  warmupSteps: 0,
  maxGradNorm: 1,
  sftEpochs: 0,
  dpoEpochs: 2,
  pairsPerPass: 2,
  pairsPerStep: 3,
  captionDropout: 0.1,
  heldOutShare: 0,
  emaDecay: 0,
  recompute: false,
  seed: 3,
};

/** Winners and losers that differ in their mean, so that there is something to prefer. */
function makeData(count: number): TrainingData {
  const generator = new TorchGenerator(11);
  const draw = (offset: number): Float32Array =>
    generator.randn(LATENT_SHAPE.reduce<number>((a, b) => a * b, 1)).map((value) => value * 0.3 + offset);
  const text = (tokens: number) => ({ states: generator.randn(tokens * 6), tokens, width: 6 });
  return {
    latentShape: LATENT_SHAPE,
    pairs: Array.from({ length: count }, (_, i) => ({
      id: `pair ${i}`,
      prompt: i % 2 === 0 ? 'a dog' : 'a bell rings',
      winner: draw(1),
      loser: draw(-1),
    })),
    texts: new Map([
      ['', text(1)],
      ['a dog', text(3)],
      ['a bell rings', text(4)],
    ]),
  };
}

const DATA = makeData(4);

async function withTrainer<T>(
  recipe: TrainingRecipe,
  body: (trainer: PreferenceTrainer, unet: UNet2DConditionModel) => Promise<T>,
  data = DATA,
  /** The frozen model stays and is the reference, where every weight is trained too. */
  keepsBase = recipe.trains === 'lora',
  precision: 'float32' | 'float16' = 'float32',
): Promise<T> {
  const root = new ParameterRoot();
  const unet = new UNet2DConditionModel(parseUNet2DConditionConfig(fixture.metadata('config')), root.scope);
  await root.load(randomStateDict(fixture.metadata('state_dict'), fixture.metadata('seed')), { precision });
  const part =
    recipe.trains === 'lora'
      ? new LoraPart(LoraAdapter.create(unet.adaptableLayers(), recipe.lora, recipe.seed))
      : keepsBase
        ? WholeUNet.copyOf(unet)
        : WholeUNet.takenFrom(unet);
  const process = new ForwardProcess(fixture.metadata('scheduler'));
  const trainer = new PreferenceTrainer(
    { ...recipe, trains: keepsBase ? 'lora' : 'unet' },
    data,
    part,
    process,
  );
  try {
    if (!keepsBase) await measureAll(trainer, unet);
    return await body(trainer, unet);
  } finally {
    trainer.dispose();
    part.dispose();
    root.dispose();
  }
}

async function measureAll(trainer: PreferenceTrainer, unet: UNet2DConditionModel): Promise<void> {
  const { references } = trainer;
  while (references && references.done < references.count) await trainer.measureReferences(unet);
}

async function run(trainer: PreferenceTrainer, unet: UNet2DConditionModel): Promise<StepMetrics[]> {
  const metrics: StepMetrics[] = [];
  while (!trainer.done) metrics.push(await trainer.step(unet));
  return metrics;
}

forEachBackend('PreferenceTrainer', (backend) => {
  it('begins at ln 2 and learns to prefer the winners', async () => {
    const recipe = { ...RECIPE, beta: 50, dpoEpochs: 8, captionDropout: 0 };
    const metrics = await withTrainer(recipe, run);
    expect(metrics).toHaveLength(16);
    expect(Math.abs(metrics[0]!.loss - Math.LN2)).toBeLessThan(1e-6);
    expect(metrics[0]).toMatchObject({ step: 1, phase: 'dpo', implicitAccuracy: 0.5, margin: 0 });
    expect(metrics[0]!.mseWinner).toBeCloseTo(metrics[0]!.refMseWinner!, 6);
    const last = metrics.slice(-4);
    for (const { loss, implicitAccuracy, margin } of last) {
      expect(loss).toBeLessThan(Math.LN2 - 0.05);
      expect(implicitAccuracy).toBe(1);
      expect(margin).toBeGreaterThan(0);
    }
    expect(last.at(-1)!.learningRate).toBeCloseTo(recipe.learningRate / 16, 10);
  });

  it('trains on the winners first, and lowers their error', async () => {
    const metrics = await withTrainer({ ...RECIPE, sftEpochs: 10, dpoEpochs: 1, captionDropout: 0 }, run);
    expect(metrics.map(({ phase }) => phase)).toEqual([...Array(20).fill('sft'), 'dpo', 'dpo']);
    expect(metrics[0]).toMatchObject({ mseLoser: null, margin: null, implicitAccuracy: null });
    const dpo = metrics[20]!;
    expect(dpo.mseWinner).toBeLessThan(dpo.refMseWinner!);
  });

  it('leaves the model as it was, and nothing behind', async () => {
    await withTrainer({ ...RECIPE, sftEpochs: 1, dpoEpochs: 2 }, async (trainer, unet) => {
      await trainer.step(unet);
      const tensors = tf.memory().numTensors;
      await run(trainer, unet);
      expect(tf.memory().numTensors).toBe(tensors);
      expect([...unet.adaptableLayers().values()].every(({ adapter }) => adapter === null)).toBe(true);
    });
  });

  it.each(['lora', 'unet'] as const)(
    'goes on from a snapshot as if there had been no break: %s',
    async (trains) => {
      const recipe = { ...RECIPE, trains, sftEpochs: 1, learningRate: trains === 'unet' ? 1e-4 : 2e-3 };
      const unbroken = await withTrainer(recipe, run);
      const { state, references } = await withTrainer(recipe, async (trainer, unet) => {
        for (let i = 0; i < 3; i += 1) await trainer.step(unet);
        return { state: await trainer.snapshot(), references: trainer.references?.snapshot() };
      });
      const resumed = await withTrainer(recipe, async (trainer, unet) => {
        if (references) trainer.references?.restore(references);
        trainer.restore(state);
        return run(trainer, unet);
      });
      if (backend === 'wasm') expect(resumed).toEqual(unbroken.slice(3));
      for (const [i, { loss }] of resumed.entries()) expect(loss).toBeCloseTo(unbroken[i + 3]!.loss, 3);
    },
  );

  it.each([
    ['attention', { lora: { ...RECIPE.lora, targetModules: ATTENTION_TARGETS } }],
    [
      'attention and convolutions',
      { lora: { ...RECIPE.lora, targetModules: [...ATTENTION_TARGETS, ...CONVOLUTION_TARGETS] } },
    ],
    [
      'the first and the last layers',
      { lora: { ...RECIPE.lora, targetModules: ['to_q', 'conv_in', 'conv_out', 'linear_1', 'linear_2'] } },
    ],
    ['every weight', { trains: 'unet' }],
  ] as const)(
    'computes the same gradients of %s with activations computed again, in less memory',
    async (_, trained) => {
      const step = (recompute: boolean) =>
        withTrainer({ ...RECIPE, ...trained, recompute }, async (trainer, unet) => {
          const { peakBytes } = await tf.profile(async () => void (await trainer.step(unet)));
          return { state: await trainer.snapshot(), peakBytes };
        });
      const whole = await step(false);
      const parts = await step(true);
      for (const [name, values] of whole.state.values) {
        const other = parts.state.values.get(name)!;
        const scale = Math.max(...values.map(Math.abs), 1e-12);
        for (const [i, value] of values.entries()) {
          expect(Math.abs(other[i]! - value) / scale, name).toBeLessThan(1e-3);
        }
      }
      expect(parts.peakBytes).toBeLessThan(whole.peakBytes);
    },
  );

  it('with its reference measured before, takes each step of every weight as beside the reference itself', async () => {
    const recipe = {
      ...RECIPE,
      trains: 'unet',
      sftEpochs: 1,
      learningRate: 1e-4,
      captionDropout: 0.3,
    } as const;
    const states: TrainerState[] = [];
    const beside = await withTrainer(
      recipe,
      async (trainer, unet) => {
        const metrics: StepMetrics[] = [];
        while (!trainer.done) {
          states.push(await trainer.snapshot());
          metrics.push(await trainer.step(unet));
        }
        return metrics;
      },
      DATA,
      true,
    );
    // From the same weights each time: AdamW makes steps of what rounding leaves where a gradient is near 0.
    const alone = await withTrainer(recipe, async (trainer, unet) => {
      const metrics: StepMetrics[] = [];
      for (const state of states) {
        trainer.restore(state);
        metrics.push(await trainer.step(unet));
      }
      return metrics;
    });
    expect(alone).toHaveLength(6);
    for (const [i, { loss, margin, gradNorm, refMseWinner, refMseLoser }] of alone.entries()) {
      const other = beside[i]!;
      expect(Math.abs(loss - other.loss)).toBeLessThan(LOSS_TOLERANCE);
      expect(Math.abs(gradNorm / other.gradNorm - 1)).toBeLessThan(1e-3);
      expect(refMseWinner).toBe(other.refMseWinner);
      expect(refMseLoser).toBe(other.refMseLoser);
      if (margin !== null) expect(Math.abs(margin - other.margin!)).toBeLessThan(2 * LOSS_TOLERANCE);
    }
    // There is something to compare.
    expect(Math.abs(alone.at(-1)!.margin!)).toBeGreaterThan(0.1);
  });

  it.each(['float32', 'float16'] as const)(
    'begins every weight of a %s model at ln 2 to the bit, with the model gone',
    async (precision) => {
      const recipe = { ...RECIPE, trains: 'unet' } as const;
      await withTrainer(
        recipe,
        async (trainer, unet) => {
          expect([...unet.parameters().values()].every(({ isLoaded }) => !isLoaded)).toBe(true);
          const { loss, pairs } = await trainer.step(unet);
          expect(pairs.map(({ margin }) => margin)).toEqual(pairs.map(() => expect.closeTo(0, 12)));
          expect(Math.abs(loss - Math.LN2)).toBeLessThan(1e-7);
          await expect(trainer.measureReferences(unet)).rejects.toThrow(/not the reference any more/);
        },
        DATA,
        false,
        precision,
      );
    },
  );

  it('names the pair whose reference is NaN, and takes no step before all are measured', async () => {
    const recipe = { ...RECIPE, trains: 'unet', pairsPerPass: 1, pairsPerStep: 4 } as const;
    const pairs = DATA.pairs.map((pair) =>
      pair.id === 'pair 2' ? { ...pair, loser: pair.loser.map(() => Number.NaN) } : pair,
    );
    await expect(withTrainer(recipe, run, { ...DATA, pairs })).rejects.toThrow(
      /before step 1: the pair "pair 2"/,
    );
    await withTrainer(recipe, async (trainer, unet) => {
      const tensors = tf.memory().numTensors;
      trainer.references!.restore({ ...trainer.references!.snapshot(), done: 1 });
      await expect(trainer.step(unet)).rejects.toThrow(/came before measureReferences/);
      expect(tf.memory().numTensors).toBe(tensors);
    });
  });

  it('measures itself on prompts that it does not see, with the averaged weights', async () => {
    const { pairs, ...rest } = DATA;
    const data = {
      ...rest,
      pairs: Array.from({ length: 6 }, (_, i) => ({ ...pairs[i % 4]!, id: `${i}`, prompt: `prompt ${i}` })),
      texts: new Map([
        ...DATA.texts,
        ...Array.from({ length: 6 }, (_, i) => [`prompt ${i}`, DATA.texts.get('a dog')!] as const),
      ]),
    };
    const recipe = { ...RECIPE, beta: 50, dpoEpochs: 3, heldOutShare: 0.2, emaDecay: 0.9 };
    await withTrainer(
      recipe,
      async (trainer, unet) => {
        expect(trainer.split.heldOut).toHaveLength(1);
        expect(await trainer.validate(unet)).toMatchObject({ step: 0, implicitAccuracy: 0.5, margin: 0 });
        const steps = await run(trainer, unet);
        const seen = new Set(steps.flatMap(({ pairs: errors }) => errors.map(({ pair }) => pair)));
        expect([...seen].sort()).toEqual([...trainer.split.training]);
        const raw = new Map((await trainer.snapshot()).values);
        const validation = await trainer.validate(unet);
        expect(validation!.implicitAccuracy).toBe(1);
        expect((await trainer.snapshot()).values).toEqual(raw);
        const name = trainer.part.weights[1]!.name;
        expect(raw.get(`average.${name}`)).not.toEqual(raw.get(`weight.${name}`));
      },
      data,
    );
  });

  it('sums the gradients of its passes to those of one pass', async () => {
    const whole = await withTrainer({ ...RECIPE, pairsPerPass: 3 }, (trainer, unet) => trainer.step(unet));
    const parts = await withTrainer({ ...RECIPE, pairsPerPass: 1 }, (trainer, unet) => trainer.step(unet));
    expect(Math.abs(parts.gradNorm / whole.gradNorm - 1)).toBeLessThan(1e-4);
  });

  it('stops at NaN with the pair that caused it, and keeps the state before', async () => {
    const pairs = DATA.pairs.map((pair) =>
      pair.id === 'pair 2' ? { ...pair, loser: pair.loser.map(() => Number.NaN) } : pair,
    );
    await withTrainer(
      { ...RECIPE, pairsPerPass: 1, pairsPerStep: 4 },
      async (trainer, unet) => {
        const before = await trainer.snapshot();
        const tensors = tf.memory().numTensors;
        await expect(trainer.step(unet)).rejects.toThrow(/step 1: the pair "pair 2"/);
        expect(tf.memory().numTensors).toBe(tensors);
        expect(await trainer.snapshot()).toEqual(before);
      },
      { ...DATA, pairs },
    );
  });
});

it('refuses recipes and data that cannot be trained with, by name', async () => {
  const build = (recipe: Partial<TrainingRecipe>, data = DATA) =>
    withTrainer({ ...RECIPE, ...recipe }, async () => {}, data);
  await expect(build({ beta: 0 })).rejects.toThrow(/beta/);
  await expect(build({ learningRate: Number.NaN })).rejects.toThrow(/learningRate/);
  await expect(build({ pairsPerStep: 1.5 })).rejects.toThrow(/pairsPerStep/);
  await expect(build({ sftEpochs: 0, dpoEpochs: 0 })).rejects.toThrow(/epoch/);
  await expect(build({}, { ...DATA, pairs: [] })).rejects.toThrow(/at least one pair/);
  await expect(build({}, { ...DATA, latentShape: [4, 8, 8] })).rejects.toThrow(/pair 0/);
});
