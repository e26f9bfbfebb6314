import { describe, expect, it } from 'vitest';
import { TrainingPlan } from './training-plan';

const OPTIONS = {
  pairs: Array.from({ length: 10 }, (_, i) => i),
  pairsPerStep: 4,
  sftEpochs: 1,
  dpoEpochs: 2,
  captionDropout: 0.1,
  numTrainTimesteps: 1000,
  seed: 5,
};

describe('TrainingPlan', () => {
  it('takes every pair once an epoch, supervised first', () => {
    const plan = new TrainingPlan(OPTIONS);
    expect(plan.totalSteps).toBe(9);
    const steps = Array.from({ length: 9 }, (_, i) => plan.step(i));
    expect(steps.map(({ phase }) => phase)).toEqual([...Array(3).fill('sft'), ...Array(6).fill('dpo')]);
    expect(steps.map(({ pairs }) => pairs.length)).toEqual([4, 4, 2, 4, 4, 2, 4, 4, 2]);
    const orders = [0, 1, 2].map((epoch) =>
      steps.filter((step) => step.epoch === epoch).flatMap(({ pairs }) => pairs.map(({ pair }) => pair)),
    );
    for (const order of orders)
      expect([...order].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(orders[0]).not.toEqual(orders[1]);
  });

  it('is the same whatever was asked before, and another one for another seed', () => {
    const inOrder = new TrainingPlan(OPTIONS);
    const steps = Array.from({ length: 9 }, (_, i) => inOrder.step(i));
    expect(new TrainingPlan(OPTIONS).step(7)).toEqual(steps[7]);
    expect(new TrainingPlan({ ...OPTIONS, seed: 6 }).step(7)).not.toEqual(steps[7]);
  });

  it('draws timesteps and left-out captions evenly', () => {
    const plan = new TrainingPlan({
      ...OPTIONS,
      pairs: Array.from({ length: 20_000 }, (_, i) => i),
      pairsPerStep: 20_000,
    });
    const { pairs } = plan.step(0);
    const mean = pairs.reduce((sum, { timestep }) => sum + timestep, 0) / pairs.length;
    expect(Math.abs(mean - 499.5)).toBeLessThan(8); // four standard errors
    expect(Math.min(...pairs.map(({ timestep }) => timestep))).toBe(0);
    expect(Math.max(...pairs.map(({ timestep }) => timestep))).toBe(999);
    const dropped = pairs.filter(({ dropCaption }) => dropCaption).length / pairs.length;
    expect(Math.abs(dropped - 0.1)).toBeLessThan(0.009);
    expect(new Set(pairs.map(({ noiseSeed }) => noiseSeed)).size).toBeGreaterThan(19_990);
  });
});
