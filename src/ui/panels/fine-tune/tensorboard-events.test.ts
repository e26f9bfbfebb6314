import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { TrainHistory, TrainRun } from '../../../engine/protocol-training';
import { tensorboardEvents } from './tensorboard-events';

const fixture = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`./fixtures/${name}`, import.meta.url)));

test('a run is written to the byte as TensorBoard writes it', async () => {
  const { run, history } = JSON.parse(new TextDecoder().decode(fixture('run.json'))) as {
    run: TrainRun;
    history: TrainHistory;
  };
  const ours = new Uint8Array(await tensorboardEvents(run, history).arrayBuffer());
  expect(ours).toEqual(fixture('run.tfevents'));
});
