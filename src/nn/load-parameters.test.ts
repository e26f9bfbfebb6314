import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { InternalError, StateDictError, WeightsFormatError } from '../common/errors';
import { numberToFloat16Bits } from '../common/float16';
import { expectNoLeak, forEachBackend } from '../testing';
import { type RawTensor, stateDictFromTensors, type TensorDtype } from '../weights/state-dict';
import { Linear } from './layers';
import { ParameterRoot } from './parameter-tree';

/** Values 0, 1, 2, … of a shape, in the encoding of a type. */
function counted(name: string, shape: readonly number[], dtype: TensorDtype = 'F32'): RawTensor {
  const values = Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i);
  return encoded(name, shape, values, dtype);
}

const ENCODERS: Partial<Record<TensorDtype, (values: readonly number[]) => ArrayBufferView<ArrayBuffer>>> = {
  F32: (values) => Float32Array.from(values),
  F64: (values) => Float64Array.from(values),
  F16: (values) => Uint16Array.from(values, numberToFloat16Bits),
  BF16: (values) =>
    Uint16Array.from(values, (value) => new Uint32Array(Float32Array.of(value).buffer)[0]! >>> 16),
  I32: (values) => Int32Array.from(values),
};

function encoded(
  name: string,
  shape: readonly number[],
  values: readonly number[],
  dtype: TensorDtype,
): RawTensor {
  return { name, dtype, shape, bytes: new Uint8Array(ENCODERS[dtype]!(values).buffer) };
}

/** A model of one layer, `proj`: [in 3, out 2]. */
function oneLayer(): { root: ParameterRoot; layer: Linear } {
  const root = new ParameterRoot();
  return { root, layer: new Linear(root.scope.child('proj'), 3, 2) };
}

forEachBackend('loading', (backend) => {
  it.each(['F32', 'F16', 'BF16', 'F64'] as const)('%s values arrive in our layout', async (dtype) => {
    const { root, layer } = oneLayer();
    await root.load(
      stateDictFromTensors([counted('proj.weight', [2, 3], dtype), counted('proj.bias', [2], dtype)]),
    );
    const keepsHalves = dtype === 'F16' && backend === 'webgpu';
    expect(layer.weight.dtype).toBe(keepsHalves ? 'float16' : 'float32');
    expect(layer.bias?.dtype).toBe('float32');
    expect(root.parameterCount).toBe(8);
    expect(root.byteLength).toBe(keepsHalves ? 12 + 8 : 32);
    // The identity through the layer gives [in, out] plus the bias: torch's rows are our columns.
    const y = tf.tidy(() => layer.forward(tf.eye(3)));
    expect([...(await y.data())]).toEqual([0, 4, 1, 5, 2, 6]);
    y.dispose();
    root.dispose();
    expect(root.byteLength).toBe(0);
  });

  it('bytes at an odd offset are read all the same', async () => {
    const { root, layer } = oneLayer();
    const shifted = ({ bytes, ...rest }: RawTensor): RawTensor => {
      const room = new Uint8Array(bytes.byteLength + 1);
      room.set(bytes, 1);
      return { ...rest, bytes: room.subarray(1) };
    };
    await root.load(
      stateDictFromTensors([
        shifted(counted('proj.weight', [2, 3], 'F16')),
        shifted(counted('proj.bias', [2])),
      ]),
    );
    const y = tf.tidy(() => layer.forward(tf.eye(3)));
    expect([...(await y.data())]).toEqual([0, 4, 1, 5, 2, 6]);
    y.dispose();
    root.dispose();
  });

  it('precision "float32" widens halves, "float16" narrows where the backend can', async () => {
    const tensors = [counted('proj.weight', [2, 3], 'F16'), counted('proj.bias', [2])];
    const { root, layer } = oneLayer();
    await root.load(stateDictFromTensors(tensors), { precision: 'float32' });
    expect(layer.weight.dtype).toBe('float32');
    await root.load(stateDictFromTensors([counted('proj.weight', [2, 3]), tensors[1]!]), {
      precision: 'float16',
    });
    expect(layer.weight.dtype).toBe(backend === 'webgpu' ? 'float16' : 'float32');
    root.dispose();
  });

  it('a weight beyond the range of halves stays float32', async () => {
    const { root, layer } = oneLayer();
    const tensors = [encoded('proj.weight', [2, 3], [0, 1, 7e4, 3, 4, 5], 'F32'), counted('proj.bias', [2])];
    await root.load(stateDictFromTensors(tensors), { precision: 'float16' });
    expect(layer.weight.dtype).toBe('float32');
    expect(Math.max(...(await layer.weight.tensor.data()))).toBe(7e4);
    root.dispose();
  });

  it('loading twice and disposing leaves nothing behind', async () => {
    const stateDict = stateDictFromTensors([
      counted('proj.weight', [2, 3], 'F16'),
      counted('proj.bias', [2]),
    ]);
    await expectNoLeak(async () => {
      const { root } = oneLayer();
      await root.load(stateDict);
      await root.load(stateDict);
      root.dispose();
    });
  });

  it.each(['F32', 'F16'] as const)(
    'NaN or infinity in %s is refused by name, and nothing stays loaded',
    async (dtype) => {
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        await expectNoLeak(async () => {
          const { root } = oneLayer();
          const tensors = [
            counted('proj.bias', [2]),
            encoded('proj.weight', [2, 3], [0, 1, bad, 3, 4, 5], dtype),
          ];
          const loading = root.load(stateDictFromTensors(tensors));
          await expect(loading).rejects.toThrow(WeightsFormatError);
          await expect(loading).rejects.toThrow(/finite values in "proj\.weight".*download it again/);
          expect(root.list().some(({ isLoaded }) => isLoaded)).toBe(false);
        });
      }
    },
  );

  it('integers are refused: quantised checkpoints are another format', async () => {
    const { root } = oneLayer();
    const loading = root.load(
      stateDictFromTensors([counted('proj.weight', [2, 3], 'I32'), counted('proj.bias', [2])]),
    );
    await expect(loading).rejects.toThrow(/floating-point values in "proj\.weight", got I32/);
    root.dispose();
  });

  it('reports progress by bytes, and stops when the signal says so', async () => {
    const { root } = oneLayer();
    const stateDict = stateDictFromTensors([counted('proj.weight', [2, 3]), counted('proj.bias', [2])]);
    const seen: number[] = [];
    await root.load(stateDict, {
      onProgress: ({ tensors, totalTensors, bytes, totalBytes }) =>
        seen.push(tensors, totalTensors, bytes, totalBytes),
    });
    expect(seen).toEqual([1, 2, 24, 32, 2, 2, 32, 32]);
    root.dispose();
    const aborted = root.load(stateDict, { signal: AbortSignal.abort(new Error('enough')) });
    await expect(aborted).rejects.toThrow('enough');
    expect(root.byteLength).toBe(0);
  });
});

describe('a state dict that does not match says all of it at once, and reads nothing', () => {
  async function mismatch(
    tensors: readonly RawTensor[],
    ignoreUnexpected: readonly RegExp[] = [],
  ): Promise<string> {
    const root = new ParameterRoot();
    new Linear(root.scope.child('down_blocks.0.attentions.1.to_q'), 3, 2);
    new Linear(root.scope.child('down_blocks.0.attentions.1.to_k'), 3, 2, { bias: false });
    const stateDict = stateDictFromTensors(tensors);
    const error: unknown = await root
      .load({ ...stateDict, read: () => Promise.reject(new Error('read')) }, { ignoreUnexpected })
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StateDictError);
    return error instanceof Error ? error.message : '';
  }
  const path = 'down_blocks.0.attentions.1';
  const all = [
    counted(`${path}.to_q.weight`, [2, 3]),
    counted(`${path}.to_q.bias`, [2]),
    counted(`${path}.to_k.weight`, [2, 3]),
  ];

  it('missing', async () => {
    expect(await mismatch(all.slice(1))).toBe(
      `Expected the 3 tensors that the model's config.json describes; 1 missing: "${path}.to_q.weight" [2, 3]. ` +
        'Check that config.json and weights are of the same checkpoint.',
    );
  });

  it('renamed: the nearest name that is there', async () => {
    const renamed = { ...all[0]!, name: `${path}.query.weight` };
    const text = await mismatch([renamed, ...all.slice(1)]);
    expect(text).toContain(`1 missing: "${path}.to_q.weight" [2, 3] (nearest: "${path}.query.weight")`);
    expect(text).toContain(`1 unexpected: "${path}.query.weight" [2, 3]`);
  });

  it('a prefix before every name', async () => {
    const text = await mismatch(all.map((tensor) => ({ ...tensor, name: `unet.${tensor.name}` })));
    expect(text).toContain(`"${path}.to_q.bias" [2] (nearest: "unet.${path}.to_q.bias"`);
    expect(text).toContain('3 missing');
    expect(text).toContain('3 unexpected');
  });

  it('transposed', async () => {
    const text = await mismatch([counted(`${path}.to_q.weight`, [3, 2]), ...all.slice(1)]);
    expect(text).toContain(`1 of another shape: "${path}.to_q.weight" should be [2, 3], got [3, 2]`);
  });

  it('another rank, and a zero size', async () => {
    const text = await mismatch([
      counted(`${path}.to_q.weight`, [6]),
      counted(`${path}.to_q.bias`, [0]),
      all[2]!,
    ]);
    expect(text).toContain('2 of another shape');
    expect(text).toContain('should be [2], got [0]');
  });

  it('a long list is cut, and says by how much', async () => {
    const many = Array.from({ length: 40 }, (_, i) => counted(`extra.${i}`, [1]));
    expect(await mismatch([...all, ...many])).toMatch(/40 unexpected: .* and 28 more/);
  });

  it('what may be unexpected is not reported', async () => {
    expect(await mismatch([...all.slice(1), counted('position_ids', [1])], [/position_ids$/])).not.toContain(
      'position_ids',
    );
  });
});

describe('declaring', () => {
  it('one name twice is a bug', () => {
    const root = new ParameterRoot();
    root.scope.child('a').weight('weight', [1], 'vector');
    expect(() => root.scope.weight('a.weight', [1], 'vector')).toThrow(InternalError);
  });

  it('a layout with another rank is a bug', () => {
    expect(() => new ParameterRoot().scope.weight('a', [1, 2], 'conv2d')).toThrow(
      /"conv2d" expects 4 axes, got \[1, 2\]/,
    );
  });

  it('using a parameter before it is loaded is a bug', () => {
    const { layer } = oneLayer();
    expect(() => layer.weight.tensor).toThrow('The parameter "proj.weight" is not loaded');
  });
});
