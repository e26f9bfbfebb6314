import { expect, it } from 'vitest';
import { expectClose, expectNoLeak, forEachBackend, loadFixture } from '../../testing';
import { TrainableWeight } from '../trainable-weight';
import { AdamW } from './adamw';
import { clipFactor, GradientSum, globalNorm } from './gradients';
import { linearSchedule } from './linear-schedule';

const fixture = await loadFixture(new URL('../fixtures/adamw.safetensors', import.meta.url));
const OPTIONS = { beta1: 0.9, beta2: 0.98, eps: 1e-7, weightDecay: 0.05 };
const BASE_RATE = 3e-3;
const STEPS = 4;
const names = ['a', 'b', 'c'];

const start = (): TrainableWeight[] =>
  names.map((name) => new TrainableWeight(name, fixture.tensor(`start.${name}`)));

/** One step as torch makes it: accumulated, clipped, at the schedule's rate. @returns the norm before clipping */
async function step(optimizer: AdamW, weights: readonly TrainableWeight[], index: number): Promise<number> {
  const sum = new GradientSum();
  // In two halves, as gradient accumulation would have it.
  for (const share of [0.25, 0.75]) {
    sum.add(
      names.map((name) => fixture.tensor(`gradient.${index}.${name}`)),
      share,
    );
  }
  const norm = globalNorm(sum.gradients);
  const [value] = await norm.data();
  norm.dispose();
  sum.scale(clipFactor(value!, 1));
  optimizer.step(weights, sum.take(), BASE_RATE * linearSchedule(index, 1, 5));
  sum.dispose();
  return value!;
}

forEachBackend('AdamW', () => {
  it('follows torch through clipping, warm-up and decay', async () => {
    const weights = start();
    const optimizer = new AdamW(OPTIONS);
    for (let index = 0; index < STEPS; index += 1) {
      const norm = await step(optimizer, weights, index);
      expect(Math.abs(norm / fixture.values('norms').data[index]! - 1)).toBeLessThan(1e-5);
      for (const weight of weights) {
        const expected = fixture.values(`after.${index}.${weight.name}`);
        await expectClose(weight.tensor, expected, { relativeToRms: 1e-5, label: `step ${index}` });
        // What moved, and not only where it is: the values hardly change in four steps.
        const moved = await movement(await weight.read(), weight.name);
        const shouldMove = await movement(expected.data, weight.name);
        if (index > 0)
          await expectClose(moved, { shape: [moved.length], data: shouldMove }, { relativeToRms: 1e-3 });
      }
    }
    optimizer.dispose();
    for (const weight of weights) weight.dispose();
  });

  it('goes on from a snapshot bit for bit', async () => {
    const unbroken = start();
    const first = new AdamW(OPTIONS);
    await step(first, unbroken, 0);
    await step(first, unbroken, 1);
    const moments = await first.snapshot();
    const values = await Promise.all(unbroken.map((weight) => weight.read()));
    await step(first, unbroken, 2);

    const resumed = start();
    const second = new AdamW(OPTIONS);
    resumed.forEach((weight, i) => {
      weight.write(values[i]!);
    });
    second.restore(resumed, moments, 2);
    await step(second, resumed, 2);
    for (const [i, weight] of resumed.entries())
      expect(await weight.read()).toEqual(await unbroken[i]!.read());
    first.dispose();
    second.dispose();
    for (const weight of [...unbroken, ...resumed]) weight.dispose();
  });

  it('keeps nothing behind but its moments', async () => {
    const weights = start();
    const optimizer = new AdamW(OPTIONS);
    await expectNoLeak(async () => {
      await step(optimizer, weights, 0);
    });
    optimizer.dispose();
    for (const weight of weights) weight.dispose();
  });
});

async function movement(values: ArrayLike<number>, name: string): Promise<Float32Array> {
  const from = fixture.values(`start.${name}`).data;
  return Float32Array.from(values, (value, i) => value - from[i]!);
}

it('the rates of the schedule equal transformers', () => {
  const rates = [...fixture.values('rates').data];
  for (const [index, rate] of rates.entries()) {
    expect(BASE_RATE * linearSchedule(index, 1, 5)).toBeCloseTo(rate, 12);
  }
  expect(linearSchedule(5, 1, 5)).toBe(0);
  expect(linearSchedule(0, 0, 5)).toBe(1);
});
