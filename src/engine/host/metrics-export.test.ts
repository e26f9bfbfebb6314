import { expect, test } from 'vitest';
import { TRAIN_DEFAULTS } from '../protocol-limits';
import type { TrainHistory, TrainRun } from '../protocol-training';
import { metricsFile } from './metrics-export';

const run = {
  id: 'run-1',
  name: 'Glöckchen',
  createdAt: '2026-01-02T03:04:05.500Z',
  settings: TRAIN_DEFAULTS,
} as TrainRun;
const history: TrainHistory = {
  metrics: [1, 2].map((step) => ({
    step,
    epoch: 0,
    phase: step === 1 ? 'sft' : 'dpo',
    loss: step / 4,
    learningRate: 1e-4,
    gradNorm: 1,
    mseWinner: 0.5,
    mseLoser: step === 1 ? null : 0.75,
    refMseWinner: step === 1 ? null : 0.25,
    refMseLoser: step === 1 ? null : 0.125,
    implicitAccuracy: step === 1 ? null : 1,
    margin: step === 1 ? null : -2,
    pairs: [],
    seconds: 30,
  })),
  validations: [{ step: 2, loss: 0.5, implicitAccuracy: 0.5, margin: 0, mseWinner: 0.5, mseLoser: 0.25 }],
};
const textOf = (format: 'jsonl' | 'csv'): Promise<string> => metricsFile(run, history, format).blob.text();

test('CSV has a line for each step, and nothing where there is nothing', async () => {
  const lines = (await textOf('csv')).trim().split('\n');
  expect(lines[0]).toMatch(/^step,epoch,phase,loss/);
  expect(lines.slice(1)).toEqual([
    '1,0,sft,0.25,,,0.5,,,,0.0001,1,30',
    '2,0,dpo,0.5,1,-2,0.5,0.75,0.25,0.125,0.0001,1,30',
  ]);
});

test('JSON lines have the run with its settings, the steps, the validations', async () => {
  const lines = (await textOf('jsonl'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.map(({ type }) => type)).toEqual(['run', 'step', 'step', 'validation']);
  expect(lines[0]).toMatchObject({ name: 'Glöckchen', settings: { beta: 2000 } });
});

/** Steps and times of a file's records, by the offsets of the fields that each begins with. */
async function recordsOf(blob: Blob): Promise<{ time: number; text: string }[]> {
  const view = new DataView(await blob.arrayBuffer());
  const records: { time: number; text: string }[] = [];
  for (let offset = 0; offset < view.byteLength; ) {
    const length = Number(view.getBigUint64(offset, true));
    const data = new Uint8Array(view.buffer, offset + 12, length);
    records.push({ time: view.getFloat64(offset + 13, true), text: new TextDecoder().decode(data) });
    offset += 16 + length;
  }
  return records;
}

test('TensorBoard gets the run as a text, and each figure that there is at its step and time', async () => {
  const { path, blob } = metricsFile(run, history, 'tensorboard');
  expect(path).toBe('events.out.tfevents.1767323045.tango-studio');
  const [version, settings, first, second, validation, ...more] = await recordsOf(blob);
  expect(more).toEqual([]);
  expect(version!.text).toContain('brain.Event:2');
  expect(settings!.text).toMatch(/Glöckchen.*"beta": 2000/s);
  expect(first!.text).toContain('train/loss');
  expect(first!.text).not.toContain('train/reward_margin');
  expect(second!.text).toContain('train/reward_margin');
  expect(validation!.text).toContain('validation/loss');
  expect([settings, first, second, validation].map((one) => one!.time - 1767323045.5)).toEqual([
    0, 30, 60, 60,
  ]);
});
