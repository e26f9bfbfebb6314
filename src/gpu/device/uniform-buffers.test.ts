import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { planningDevice, provideWebGpuNames } from '../planning/planning-device';
import { packUniforms, UniformBuffers, type UniformField } from './uniform-buffers';

let takeNamesAway: () => void;
beforeAll(() => {
  takeNamesAway = provideWebGpuNames();
});
afterAll(() => takeNamesAway());

const field: fc.Arbitrary<UniformField> = fc.oneof(
  fc.record({
    type: fc.constant('int32'),
    data: fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { maxLength: 6 }),
  }),
  fc.record({
    type: fc.constant('float32'),
    data: fc.array(fc.float(), { minLength: 1, maxLength: 1 }),
  }),
);

describe('packUniforms', () => {
  it("has every field where tfjs's shaders read it", () => {
    const device = planningDevice();
    const written = vi.spyOn(device.queue, 'writeBuffer');
    const backend = new WebGPUBackend(device, { vendor: '' } as GPUAdapterInfo) as unknown as {
      makeUniforms(fields: readonly { type: string; data: number[] }[]): { size: number };
    };
    fc.assert(
      fc.property(fc.array(field, { minLength: 1, maxLength: 12 }), (fields) => {
        const copies = fields.map(({ type, data }) => ({ type, data: [...data] }));
        const { size } = backend.makeUniforms(copies);
        const expected = written.mock.lastCall![2] as ArrayBuffer;
        const packed = packUniforms(fields);
        expect(packed.byteLength).toBe(size);
        expect(new Uint8Array(packed)).toEqual(new Uint8Array(expected));
      }),
      { numRuns: 500 },
    );
  });
});

describe('UniformBuffers', () => {
  const numbers = (...data: number[]): UniformField[] => [{ type: 'int32', data }];

  it('uploads what is new since the last submit, in one write a page', () => {
    const device = planningDevice();
    const written = vi.spyOn(device.queue, 'writeBuffer');
    const uniforms = new UniformBuffers(device);
    const [first, second] = [uniforms.add(numbers(1, 2)), uniforms.add(numbers(3))];
    expect(second.buffer).toBe(first.buffer);
    expect([first.offset, second.offset]).toEqual([0, 256]);
    uniforms.upload();
    uniforms.upload();
    expect(written).toHaveBeenCalledTimes(1);
    const third = uniforms.add(numbers(4));
    uniforms.upload();
    expect(written).toHaveBeenCalledTimes(2);
    const [buffer, offset, bytes, from] = written.mock.lastCall as [GPUBuffer, number, Uint8Array, number];
    expect([buffer, offset, from]).toEqual([third.buffer, 512, 512]);
    expect(new Int32Array(bytes.buffer, 512, 1)[0]).toBe(4);
  });

  it('takes another page when one is full, and is full itself after many', () => {
    const device = planningDevice();
    const made = vi.spyOn(device, 'createBuffer');
    const written = vi.spyOn(device.queue, 'writeBuffer');
    const uniforms = new UniformBuffers(device);
    for (let i = 0; i <= 64 * 256; i += 1) uniforms.add(numbers(i));
    expect(made).toHaveBeenCalledTimes(65);
    expect(uniforms.isFull).toBe(true);
    uniforms.upload();
    for (const [, offset, bytes, , size] of written.mock.calls) {
      expect(offset + (size ?? 0)).toBeLessThanOrEqual((bytes as Uint8Array).byteLength);
    }
    const destroyed = vi.spyOn(made.mock.results[0]!.value as GPUBuffer, 'destroy');
    uniforms.clear();
    expect(destroyed).toHaveBeenCalledOnce();
    expect(uniforms.isFull).toBe(false);
  });
});
