import { describe, expect, it } from 'vitest';
import { float16Table } from '../common/float16';
import { openSafetensors } from './formats/safetensors';
import { writeSafetensors } from './formats/write-safetensors';
import { narrowStateDict } from './narrow-state-dict';
import { type RawTensor, stateDictFromTensors, type TensorDtype } from './state-dict';

const tensor = (name: string, dtype: TensorDtype, words: ArrayBufferView, shape: number[]): RawTensor => ({
  name,
  dtype,
  shape,
  bytes: new Uint8Array(words.buffer, words.byteOffset, words.byteLength),
});
const f32 = (name: string, ...values: number[]): RawTensor =>
  tensor(name, 'F32', Float32Array.from(values), [1, values.length]);
const halves = ({ bytes }: RawTensor): number[] =>
  Array.from(new Uint16Array(bytes.slice().buffer), (bits) => float16Table()[bits]!);

describe('narrowStateDict', () => {
  it('makes matrices half precision and leaves vectors float32', async () => {
    const vector = tensor('norm.weight', 'F32', Float32Array.of(0.1), [1]);
    const source = stateDictFromTensors([f32('a', 1.5, -0.1), vector]);
    const narrow = narrowStateDict(source, ['a', 'norm.weight'], { to: 'F16' });
    expect(narrow.entry('a')).toEqual({ dtype: 'F16', shape: [1, 2], byteLength: 4 });
    expect(halves(await narrow.read('a'))).toEqual([1.5, -0.0999755859375]);
    expect(await narrow.read('norm.weight')).toEqual(vector);
  });

  it('keeps a tensor that does not fit as it is, and says so', async () => {
    const told: [string, number][] = [];
    const source = stateDictFromTensors([f32('fits', 65504), f32('large', 65520)]);
    const narrow = narrowStateDict(source, ['fits', 'large'], {
      to: 'F16',
      onOverflow: (name, largest) => told.push([name, largest]),
    });
    expect((await narrow.read('fits')).dtype).toBe('F16');
    expect((await narrow.read('large')).dtype).toBe('F32');
    expect(told).toEqual([['large', 65520]]);
  });

  it('reads bfloat16 and float64, also at odd offsets, and passes halves', async () => {
    const odd = new Uint8Array(5);
    odd.set([0x80, 0x3f, 0x00, 0xc0], 1); // 1 and -2
    const source = stateDictFromTensors([
      { name: 'bf16', dtype: 'BF16', shape: [1, 2], bytes: odd.subarray(1) },
      tensor('f64', 'F64', Float64Array.of(0.5), [1, 1]),
      tensor('f16', 'F16', Uint16Array.of(0x3c00), [1, 1]),
    ]);
    const narrow = narrowStateDict(source, source.names(), { to: 'F32' });
    const values = async (name: string) => [
      ...new Float32Array((await narrow.read(name)).bytes.slice().buffer),
    ];
    expect(await values('bf16')).toEqual([1, -2]);
    expect(await values('f64')).toEqual([0.5]);
    expect(await narrow.read('f16')).toMatchObject({ dtype: 'F16' });
  });

  it.each<[string, RawTensor]>([
    ['NaN', f32('a', 1, Number.NaN)],
    ['infinity', f32('a', Number.NEGATIVE_INFINITY)],
    ['a half that is infinite', tensor('a', 'F16', Uint16Array.of(0x7c00), [1, 1])],
  ])('refuses %s by name', async (_, raw) => {
    const narrow = narrowStateDict(stateDictFromTensors([raw]), ['a'], { to: 'F16' });
    await expect(narrow.read('a')).rejects.toThrow('Expected finite values in "a"');
  });

  it('refuses integers, and names that were not asked for', async () => {
    const ints = stateDictFromTensors([tensor('a', 'I32', Int32Array.of(1), [1]), f32('b', 1)]);
    const narrow = narrowStateDict(ints, ['a'], { to: 'F16' });
    await expect(narrow.read('a')).rejects.toThrow('got I32');
    await expect(narrow.read('b')).rejects.toThrow('"b"');
    expect(narrow.entry('b')).toBeUndefined();
  });
});

it('writeSafetensors writes what openSafetensors reads, types as they were read', async () => {
  const source = stateDictFromTensors([f32('a', 1, 2), f32('__proto__', 7e9), f32('c')]);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const narrow = narrowStateDict(source, source.names(), { to: 'F16' });
  const head = await writeSafetensors(narrow, async (bytes) => {
    parts.push(new Uint8Array(bytes));
  });
  const file = await openSafetensors(new Blob([head, ...parts]), 'written');
  expect(file.names()).toEqual(['a', '__proto__', 'c']);
  expect(file.entry('a')?.dtype).toBe('F16');
  expect(new Float32Array((await file.read('__proto__')).bytes.buffer)).toEqual(Float32Array.of(7e9));
});
