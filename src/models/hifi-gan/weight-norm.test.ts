import { describe, expect, it } from 'vitest';
import { StateDictError } from '../../common/errors';
import { loadFixture, randomStateDict } from '../../testing';
import { renameStateDict, type StateDict, stateDictFromTensors } from '../../weights';
import { TANGO_HIFI_GAN_CONFIG } from './config';
import { hifiGanStateDict } from './key-map';
import { foldWeightNorm } from './weight-norm';

const fixture = await loadFixture(new URL('./fixtures/weight-norm.safetensors', import.meta.url));
const checkpoint = randomStateDict(fixture.metadata('state_dict'), fixture.metadata('seed'));
const OLD_NAMES: Record<string, string> = { original0: 'weight_g', original1: 'weight_v' };
const oldCheckpoint = renameStateDict(checkpoint, (name) =>
  name.replace(/parametrizations\.weight\.(original[01])$/, (_, part: string) => OLD_NAMES[part]!),
);

function tensors(shapes: Record<string, readonly number[]>): StateDict {
  return stateDictFromTensors(
    Object.entries(shapes).map(([name, shape]) => ({
      name,
      dtype: 'F32',
      shape,
      bytes: new Uint8Array(4 * shape.reduce((a, b) => a * b, 1)),
    })),
  );
}

// That the folded weights are right is shown by the whole model's parity with transformers, in hifi-gan.test.ts.
describe('foldWeightNorm', () => {
  it('offers folded weights in place of their parts', () => {
    const folded = foldWeightNorm(checkpoint);
    expect(folded.names()).toContain('conv_pre.weight');
    expect(folded.names().filter((name) => name.includes('original'))).toEqual([]);
    expect(folded.entry('conv_pre.weight')).toEqual({ dtype: 'F32', shape: [16, 6, 7], byteLength: 2688 });
    expect(folded.entry('conv_pre.parametrizations.weight.original0')).toBeUndefined();
  });

  it('gives the same for the names before torch 2.0', async () => {
    const [today, before] = [foldWeightNorm(checkpoint), foldWeightNorm(oldCheckpoint)];
    expect([...before.names()].sort()).toEqual([...today.names()].sort());
    for (const name of today.names()) expect(await before.read(name)).toEqual(await today.read(name));
  });

  it('leaves a checkpoint without weight norm as it is', async () => {
    const plain = tensors({ 'conv_pre.weight': [2, 1, 3], 'conv_pre.bias': [2] });
    const folded = foldWeightNorm(plain);
    expect(folded.names()).toEqual(plain.names());
    expect(await folded.read('conv_pre.bias')).toEqual(await plain.read('conv_pre.bias'));
  });

  it.each([
    [{ 'a.weight_g': [2, 1, 1] }, /only the first is there/],
    [{ 'a.weight_v': [2, 3, 1] }, /only the second is there/],
    [{ 'a.weight_g': [3, 1, 1], 'a.weight_v': [2, 3, 1] }, /should be \[2, 1, 1\].*got \[3, 1, 1\]/],
  ])('refuses %j', (shapes, message) => {
    expect(() => foldWeightNorm(tensors(shapes as Record<string, number[]>))).toThrow(StateDictError);
    expect(() => foldWeightNorm(tensors(shapes as Record<string, number[]>))).toThrow(message);
  });
});

describe('hifiGanStateDict', () => {
  const stateDict = tensors({ 'ups.0.weight': [2, 1, 3], mean: [64], scale: [64] });

  it("renames the original HiFi-GAN's upsampling, and drops what is not used", () => {
    expect(hifiGanStateDict(stateDict, TANGO_HIFI_GAN_CONFIG).names()).toEqual(['upsampler.0.weight']);
  });

  it('keeps mean and scale for a vocoder that normalises', () => {
    const config = { ...TANGO_HIFI_GAN_CONFIG, normalizeBefore: true };
    expect(hifiGanStateDict(stateDict, config).names()).toEqual(['upsampler.0.weight', 'mean', 'scale']);
  });
});
