import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { InvalidConfigError, InvalidInputError } from '../../common/errors';
import { TorchGenerator } from '../../common/random';
import { ConfigReader } from '../../models/config-reader';
import { expectClose, expectNoLeak, type FixtureTensor, forEachBackend, loadFixture } from '../../testing';
import { nchwToNhwc, nhwcToNchw } from '../tensor-layout';
import { createScheduler, type Scheduler, type SchedulerName, SchedulerRun } from './index';
import { alphasCumprod, parseNoiseSchedule } from './noise-schedule';

interface Case {
  readonly key: string;
  readonly config: string;
  readonly name: SchedulerName;
  readonly steps: number;
  readonly timesteps: readonly number[];
}

const fixture = await loadFixture(new URL('./fixtures/schedulers.safetensors', import.meta.url));
const cases = fixture.metadata<Case[]>('cases');
const configs = fixture.metadata<Record<string, object>>('configs');
const shape = fixture.metadata<number[]>('shape');
const seed = fixture.metadata<number>('seed');
/** Rounding adds up over 200 steps. */
const toleranceOf = (steps: number) => (steps <= 50 ? 1e-5 : 1e-4);

/** The fixture script's model. */
function toyModel(sample: tf.Tensor4D, t: number): tf.Tensor4D {
  return tf.tidy(() => tf.tanh(tf.add(tf.mul(sample, 0.8), 0.3 * Math.cos(0.01 * t))));
}

async function trajectory(scheduler: Scheduler): Promise<Float32Array[]> {
  const generator = new TorchGenerator(seed);
  const run = new SchedulerRun(scheduler, generator);
  let sample = nchwToNhwc({ data: generator.randn(shape.reduce((a, b) => a * b)), shape });
  const path: Float32Array[] = [];
  for (const [i, t] of scheduler.timesteps.entries()) {
    const output = toyModel(sample, t);
    const next = run.step(output, i, sample);
    tf.dispose([output, sample]);
    sample = next;
    path.push((await nhwcToNchw(sample)).data);
  }
  sample.dispose();
  run.dispose();
  return path;
}

function stepOf(expected: FixtureTensor, i: number): { data: Float32Array; shape: readonly number[] } {
  const size = shape.reduce((a, b) => a * b);
  return { data: Float32Array.from(expected.data.slice(i * size, (i + 1) * size)), shape };
}

describe('noise schedules', () => {
  it.each(Object.keys(configs))('%s has the ᾱ of diffusers', (name) => {
    const actual = alphasCumprod(parseNoiseSchedule(new ConfigReader(configs[name], name)));
    const expected = fixture.values(`${name}/alphas_cumprod`);
    expected.data.forEach((value, i) => {
      expect(Math.abs(actual[7 * i]! - value)).toBeLessThanOrEqual(1e-6 * Math.max(value, 0.01));
    });
  });
});

describe('timesteps', () => {
  it.each(cases)('$key', ({ config, name, steps, timesteps }) => {
    const scheduler = createScheduler(name, configs[config]);
    scheduler.setTimesteps(steps);
    expect(scheduler.timesteps).toEqual(timesteps);
  });
});

describe.each(['linspace', 'leading', 'trailing'])('%s spacing', (timestep_spacing) => {
  it.each(['ddpm', 'ddim', 'dpm-solver++'] as const)(
    '%s visits as many timesteps as asked for, downwards',
    (name) => {
      const scheduler = createScheduler(name, { ...configs.sd21, timestep_spacing });
      // 61 is a count at which numpy's rounding leaves a point over.
      for (const steps of [1, 2, 3, 61, 103, 333, 499]) {
        scheduler.setTimesteps(steps);
        expect(scheduler.timesteps).toHaveLength(steps);
        expect(
          scheduler.timesteps.every((t, i, all) => t >= 0 && t < 1000 && (i === 0 || t < all[i - 1]!)),
        ).toBe(true);
      }
    },
  );
});

forEachBackend('trajectories equal diffusers', () => {
  it.each(cases)('$key', async ({ key, config, name, steps }) => {
    const scheduler = createScheduler(name, configs[config]);
    scheduler.setTimesteps(steps);
    const expected = fixture.values(key);
    const stored = expected.shape[0]!;
    const path = (await trajectory(scheduler)).slice(-stored);
    for (const [i, sample] of path.entries()) {
      await expectClose(sample, stepOf(expected, i), {
        relativeToRms: toleranceOf(steps),
        label: `step ${i}`,
      });
    }
  });

  it('a run leaves no tensor behind', async () => {
    const scheduler = createScheduler('dpm-solver++', configs.sd21);
    scheduler.setTimesteps(4);
    await expectNoLeak(async () => {
      await trajectory(scheduler);
    });
  });
});

describe('bad input', () => {
  const sd21 = configs.sd21;

  it.each([
    ['ddpm', { thresholding: true }, /thresholding/],
    ['ddpm', { variance_type: 'learned_range' }, /variance_type/],
    ['ddpm', { beta_schedule: 'sigmoid' }, /beta_schedule/],
    ['ddim', { prediction_type: 'flow_prediction' }, /prediction_type/],
    ['ddim', { timestep_spacing: 'random' }, /timestep_spacing/],
    ['ddim', { trained_betas: [0.1, 2] }, /trained_betas/],
    ['dpm-solver++', { algorithm_type: 'sde-dpmsolver++' }, /algorithm_type/],
    ['dpm-solver++', { solver_order: 3 }, /solver_order/],
    ['dpm-solver++', { use_karras_sigmas: true }, /use_karras_sigmas/],
    ['dpm-solver++', { variance_type: 'learned' }, /variance_type/],
    ['ddpm', { _class_name: 'FlowMatchEulerDiscreteScheduler' }, /FlowMatchEulerDiscreteScheduler/],
  ] as const)('%s refuses %j', (name, fields, message) => {
    const create = () => createScheduler(name, { ...sd21, ...fields });
    expect(create).toThrow(InvalidConfigError);
    expect(create).toThrow(message);
  });

  it.each([0, -1, 1.5, 1001, Number.NaN])(
    '%s steps are refused, and the message says what is possible',
    (steps) => {
      for (const name of ['ddpm', 'ddim', 'dpm-solver++'] as const) {
        const scheduler = createScheduler(name, sd21);
        expect(() => scheduler.setTimesteps(steps)).toThrow(InvalidInputError);
        expect(() => scheduler.setTimesteps(steps)).toThrow(/1 to 1000/);
      }
    },
  );

  it('leading spacing with an offset refuses to begin past the trained timesteps', () => {
    const ddpm = createScheduler('ddpm', sd21);
    ddpm.setTimesteps(999);
    expect(ddpm.timesteps[0]).toBe(999);
    expect(() => ddpm.setTimesteps(1000)).toThrow(/timestep 1000/);
    const solver = createScheduler('dpm-solver++', { ...sd21, timestep_spacing: 'leading' });
    solver.setTimesteps(998);
    expect(() => solver.setTimesteps(999)).toThrow(/timestep 1000/);
  });

  it('DPM-Solver++ refuses to visit a timestep twice', () => {
    const scheduler = createScheduler('dpm-solver++', sd21);
    scheduler.setTimesteps(999);
    expect(() => scheduler.setTimesteps(1000)).toThrow(/twice/);
  });
});
