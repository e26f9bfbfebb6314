import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../../common/errors';
import type { GenerateRequest, ModelSummary } from '../protocol';
import { GENERATE_DEFAULTS } from '../protocol-limits';
import { checkDuration, checkTensor, resolveRequest } from './resolve-request';

const resolve = (fields: Record<string, unknown>): ReturnType<typeof resolveRequest> =>
  resolveRequest({ prompt: 'a dog barks', ...fields } as GenerateRequest, 'default');

describe('resolveRequest', () => {
  it('fills in every default, and draws a seed', () => {
    const { seed, ...rest } = resolve({});
    expect(rest).toEqual({ prompt: 'a dog barks', modelId: 'default', ...GENERATE_DEFAULTS });
    expect(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32).toBe(true);
    expect(resolve({}).seed).not.toBe(seed);
  });

  it('keeps what is within bounds', () => {
    const fields = { steps: 1000, guidanceScale: 1, seed: 2 ** 32 - 1, count: 4, scheduler: 'ddpm' };
    expect(resolve(fields)).toMatchObject(fields);
    expect(resolve({ seed: 0 }).seed).toBe(0);
  });

  it.each([
    [{ prompt: '' }, /The prompt is empty\. Describe the sound/],
    [{ prompt: ' \n\t ' }, /The prompt is empty/],
    [{ prompt: 7 }, /The prompt must be a text, but 7 came/],
    [{ prompt: 'woof '.repeat(20_000) }, /The prompt has 100,000 characters; at most 2,000.*Shorten/],
    [{ negativePrompt: 'x'.repeat(2001) }, /The negative prompt has 2,001 characters/],
    [{ steps: 0 }, /steps must be a whole number from 1 to 1000, but 0 came/],
    [{ steps: 1001 }, /steps must be/],
    [{ steps: 2.5 }, /steps must be a whole number/],
    [{ steps: '20' }, /steps must be a whole number from 1 to 1000, but "20" came/],
    [{ steps: Number.NaN }, /steps must be a whole number/],
    [{ guidanceScale: 0.5 }, /guidanceScale must be a number from 1 to 20, but 0\.5 came/],
    [{ guidanceScale: Number.POSITIVE_INFINITY }, /guidanceScale/],
    [{ durationSeconds: -1 }, /durationSeconds must be a number of at least 0/],
    [{ durationSeconds: Number.NaN }, /durationSeconds/],
    [{ seed: -1 }, /seed must be a whole number from 0 to 4294967295/],
    [{ seed: 2 ** 32 }, /seed/],
    [{ seed: 1.5 }, /seed must be a whole number/],
    [{ count: 0 }, /count must be/],
    [{ count: 5 }, /count must be a whole number from 1 to 4, but 5 came/],
    [{ scheduler: 'euler' }, /one of ddpm, ddim, dpm-solver\+\+, but "euler" came/],
  ])('refuses with %2$s', (fields, message) => {
    expect(() => resolve(fields)).toThrow(InvalidInputError);
    expect(() => resolve(fields)).toThrow(message);
  });

  it('refuses what is no request', () => {
    for (const request of [null, undefined, 'a dog barks']) {
      expect(() => resolveRequest(request as unknown as GenerateRequest, 'default')).toThrow(
        InvalidInputError,
      );
    }
  });

  it('takes emoji as they are and replaces lone surrogates', () => {
    expect(resolve({ prompt: 'a dog 🐕 barks' }).prompt).toBe('a dog 🐕 barks');
    expect(resolve({ prompt: 'a \ud83d dog \udc15' }).prompt).toBe('a \ufffd dog \ufffd');
  });
});

it('checks the duration against the model', () => {
  const model = { name: 'Tiny', minDurationSeconds: 1, maxDurationSeconds: 10.24 } as ModelSummary;
  expect(() => checkDuration(5.12, model)).not.toThrow();
  expect(() => checkDuration(11, model)).toThrow(
    /model "Tiny"\) must be a number from 1 to 10\.24, but 11 came/,
  );
});

describe('checkTensor', () => {
  const check = (tensor: unknown): void =>
    checkTensor('latents', tensor as Parameters<typeof checkTensor>[1], ['1', 'C', 'H', 'W']);

  it('takes a tensor', () => {
    check({ data: new Float32Array(24), shape: [1, 2, 3, 4] });
  });

  it.each([
    [undefined, /latents must be \{ data: Float32Array, shape: \[1, C, H, W\] \}, but undefined came/],
    [{ data: [1, 2], shape: [1, 2] }, /but an object/],
    [{ data: new Float32Array(4), shape: [2, 2] }, /a shape of \[2, 2\] came/],
    [{ data: new Float32Array(4), shape: [1, 2, -1, 2] }, /a shape of/],
    [{ data: new Float32Array(5), shape: [1, 1, 2, 2] }, /has 4 elements and data has 5/],
    [{ data: new Float32Array([1, Number.NaN, 0, 0]), shape: [1, 1, 2, 2] }, /data\[1\] is NaN/],
  ])('refuses %j', (tensor, message) => {
    expect(() => check(tensor)).toThrow(message);
  });
});
