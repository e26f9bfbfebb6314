import { elementCount } from '../common/assert';
import { float16Bits } from '../common/float16';
import { TorchGenerator } from '../common/random';
import { type RawTensor, type StateDict, stateDictFromTensors } from '../weights/state-dict';

/**
 * The weights that `fill_state_dict` of tools/fixtures/common.py draws: names in sorted order, one generator;
 * matrices and kernels randn / sqrt(elements / shape[0]), vectors 0.1 randn, plus 1 when the name ends in "weight".
 *
 * @param shapes the fixture's `state_dict` metadata: parameter name -> PyTorch shape
 * @param dtype F16 rounds the values to half precision, for the float16 variants
 */
export function randomStateDict(
  shapes: Readonly<Record<string, readonly number[]>>,
  seed: number,
  dtype: 'F32' | 'F16' = 'F32',
): StateDict {
  const generator = new TorchGenerator(seed);
  const tensors = Object.keys(shapes)
    .sort()
    .map((name): RawTensor => {
      const shape = shapes[name]!;
      const values = drawParameter(name, shape, generator);
      const words = dtype === 'F32' ? values : float16Bits(values);
      return { name, dtype, shape, bytes: new Uint8Array(words.buffer) };
    });
  return stateDictFromTensors(tensors);
}

function drawParameter(name: string, shape: readonly number[], generator: TorchGenerator): Float32Array {
  const values = generator.randn(elementCount(shape));
  if (shape.length >= 2) {
    const scale = (values.length / shape[0]!) ** 0.5;
    return values.map((value) => value / scale);
  }
  const offset = shape.length === 1 && name.endsWith('weight') ? 1 : 0;
  return values.map((value) => Math.fround(value * 0.1) + offset);
}
