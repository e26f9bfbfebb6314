import { expect, test } from 'vitest';
import type { TrainMetrics } from '../../../engine/protocol-training';
import { charts, curvesOf, smoothed } from './curves';
import { roomyRange, tickText } from './line-chart';

const metrics = [1, 2, 3].map(
  (step): TrainMetrics => ({
    step,
    epoch: 0,
    phase: step === 1 ? 'sft' : 'dpo',
    loss: step,
    learningRate: 1e-4,
    gradNorm: 1,
    mseWinner: 0.5,
    mseLoser: step === 1 ? null : 0.6,
    refMseWinner: null,
    refMseLoser: null,
    implicitAccuracy: null,
    margin: null,
    pairs: [],
    seconds: 30,
  }),
);
const run = { name: 'a run', stepsPerEpoch: 2 };

test('a loss has a curve for each phase, by step, epoch or minutes', () => {
  const [loss] = charts;
  const points = (x: 'step' | 'epoch' | 'time') =>
    curvesOf(loss!, run, { metrics, validations: [] }, { x, smoothing: 0 }).map((curve) => [
      curve.label,
      curve.points,
    ]);
  expect(points('step')).toEqual([
    [
      'DPO',
      [
        [2, 2],
        [3, 3],
      ],
    ],
    ['supervised', [[1, 1]]],
  ]);
  expect(points('epoch')[0]).toEqual([
    'DPO',
    [
      [1, 2],
      [1.5, 3],
    ],
  ]);
  expect(points('time')[0]).toEqual([
    'DPO',
    [
      [1, 2],
      [1.5, 3],
    ],
  ]);
});

test('smoothing keeps a constant, from its first point on', () => {
  expect(
    smoothed(
      [
        [1, 4],
        [2, 4],
        [3, 4],
      ],
      0.9,
    ).map(([, y]) => y),
  ).toEqual([4, 4, 4].map((y) => expect.closeTo(y, 12)));
  expect(
    smoothed(
      [
        [1, 0],
        [2, 1],
      ],
      0.5,
    )[1]![1],
  ).toBeCloseTo(2 / 3, 12);
});

test('an axis has room for a flat curve, and its ticks tell themselves apart', () => {
  const [low, high] = roomyRange(Math.LN2, Math.LN2);
  expect(high - low).toBeGreaterThan(0.01);
  expect((low + high) / 2).toBeCloseTo(Math.LN2, 12);
  const [below, above] = roomyRange(-1, 3);
  expect(below).toBeLessThan(-1);
  expect(above).toBeGreaterThan(3);
  expect([0.6935, 0.694].map((tick) => tickText(tick, 5e-4))).toEqual(['0.6935', '0.6940']);
  expect([-0.5, 0, 0.5].map((tick) => tickText(tick, 0.5))).toEqual(['−0.5', '0', '0.5']);
  expect([1.5e-5, 2e-5].map((tick) => tickText(tick, 5e-6))).toEqual(['1.5e-5', '2.0e-5']);
  expect(tickText(200, 50)).toBe('200');
});
