import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it, vi } from 'vitest';
import { OutOfMemoryError } from '../common/errors';
import { expectNoLeak, forEachBackend } from '../testing';
import { weightValues } from './kernels';
import { backendKeepsFloat16, float16WeightTensor, float32WeightTensor } from './weight-tensor';

forEachBackend('weight tensors', (backend) => {
  it('float32 values are where the backend wants them', async () => {
    const tensor = float32WeightTensor([2, 3], (values) => values.set([1, 2, 3, 4, 5, 6]));
    expect(tensor).toMatchObject({ shape: [2, 3], dtype: 'float32' });
    expect([...(await tensor.data())]).toEqual([1, 2, 3, 4, 5, 6]);
    tensor.dispose();
  });

  it.each([[[0]], [[3, 0]], [[]]])('a weight of shape %j', async (shape) => {
    const tensor = float32WeightTensor(shape, (values) => values.fill(7));
    expect(tensor.shape).toEqual(shape);
    expect([...(await tensor.data())]).toEqual(shape.length === 0 ? [7] : []);
    tensor.dispose();
  });

  it('disposing gives the memory back', async () => {
    await expectNoLeak(() => float32WeightTensor([1000], (values) => values.fill(1)).dispose());
  });

  if (backend === 'webgpu') {
    it.each([1, 2, 7, 600, 601])('%i halves are unpacked on the GPU', async (count) => {
      expect(backendKeepsFloat16()).toBe(true);
      // Halves 0x3c00 + i are 1 + i / 1024.
      const counted = Uint16Array.from({ length: count }, (_, i) => 0x3c00 + i);
      const tensor = float16WeightTensor(count, (halves) => halves.set(counted));
      expect(tensor.shape).toEqual([Math.ceil(count / 2)]);
      const values = weightValues({ tensor, dtype: 'float16', shape: [count] });
      expect([...(await values.data())]).toEqual(Array.from({ length: count }, (_, i) => 1 + i / 1024));
      tf.dispose([tensor, values]);
    });

    it('subnormal and signed halves keep their values', async () => {
      const tensor = float16WeightTensor(4, (halves) => halves.set([0x0001, 0x83ff, 0x7bff, 0x8000]));
      const values = weightValues({ tensor, dtype: 'float16', shape: [2, 2] });
      expect([...(await values.data())]).toEqual([2 ** -24, (-1023 / 1024) * 2 ** -14, 65504, -0]);
      tf.dispose([tensor, values]);
    });
  } else {
    it('a full heap is an OutOfMemoryError, not a write to address 0', () => {
      const wasm = tf.backend() as BackendWasm;
      const offset = vi.spyOn(wasm, 'getMemoryOffset').mockReturnValue(0);
      const fill = vi.fn();
      expect(() => float32WeightTensor([1 << 20], fill)).toThrow(OutOfMemoryError);
      expect(fill).not.toHaveBeenCalled();
      offset.mockRestore();
    });
  }
});
