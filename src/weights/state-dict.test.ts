import { describe, expect, it } from 'vitest';
import { StateDictError } from '../common/errors';
import { type RawTensor, renameStateDict, stateDictFromTensors } from './state-dict';

const tensor = (name: string, value: number): RawTensor => ({
  name,
  dtype: 'U8',
  shape: [1],
  bytes: Uint8Array.of(value),
});

const source = stateDictFromTensors([tensor('vae.a', 1), tensor('vae.b', 2), tensor('vocoder.a', 3)]);

describe('renameStateDict', () => {
  const vae = renameStateDict(source, (name) => (name.startsWith('vae.') ? name.slice(4) : null));

  it('gives the same tensors under their new names, without those left out', async () => {
    expect(vae.names()).toEqual(['a', 'b']);
    expect(vae.entry('b')).toEqual({ dtype: 'U8', shape: [1], byteLength: 1 });
    expect(await vae.read('b')).toEqual(tensor('b', 2));
  });

  it('does not know the old names', async () => {
    expect(vae.entry('vae.a')).toBeUndefined();
    await expect(vae.read('vae.a')).rejects.toThrow(StateDictError);
  });

  it('refuses two tensors under one name, and names both', () => {
    const rename = (name: string): string => name.replace(/^\w+\./, '');
    expect(() => renameStateDict(source, rename)).toThrow(
      /parameter "a", got two: "vae\.a" and "vocoder\.a"/,
    );
  });
});

it('a tensor that is not there is an error that says where it was looked for', async () => {
  const stateDict = stateDictFromTensors([tensor('a', 1)], 'unet/model.safetensors');
  expect(stateDict.entry('toString')).toBeUndefined();
  await expect(stateDict.read('b')).rejects.toThrow('a tensor named "b" in unet/model.safetensors');
});
