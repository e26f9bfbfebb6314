/** Counts the arithmetic of the studio's ops while they run, on any backend. */
import * as tf from '@tensorflow/tfjs-core';
import { elementCount } from '../../common/assert';

type RunKernel = ReturnType<typeof tf.engine>['runKernel'];

const OP_NAME = /^Studio(\w+)\(/;

const shapeOf = (inputs: tf.NamedTensorMap, name: string): readonly number[] => inputs[name]?.shape ?? [];

/**
 * Floating-point operations of one op: two for each product and sum of linear layers, convolutions and attention, as
 * torch.utils.flop_counter counts. Norms, activations and sums are left out; they are a hundredth.
 */
function flopsOf(op: string, inputs: tf.NamedTensorMap, attributes: object, output: tf.TensorInfo): number {
  const weightShape = (attributes as { weight?: { shape?: readonly number[] } }).weight?.shape ?? [];
  const outputs = elementCount(output.shape);
  switch (op) {
    case 'Linear':
      return 2 * outputs * weightShape[0]!;
    case 'Convolution': {
      const { filterShape } = attributes as { filterShape: readonly number[] };
      return 2 * outputs * elementCount(filterShape.slice(0, 3));
    }
    case 'UpsampleConv2d':
      return 2 * outputs * elementCount(weightShape.slice(0, 3));
    case 'ConvTranspose1d':
      return 2 * elementCount(shapeOf(inputs, 'x').slice(0, 2)) * elementCount(weightShape);
    case 'Attention': {
      const keys = shapeOf(inputs, 'k')[2]!;
      return 2 * elementCount(shapeOf(inputs, 'q')) * keys + 2 * outputs * keys;
    }
    default:
      return 0;
  }
}

/** Counts every op that is called from here until `stop`; an op that is composed of others counts once. */
export function countFlops(): { stop(): number } {
  const engine = tf.engine();
  const original: RunKernel = engine.runKernel;
  let flops = 0;
  let depth = 0;
  engine.runKernel = ((name: string, inputs: tf.NamedTensorMap, attributes: tf.NamedAttrMap = {}) => {
    const op = OP_NAME.exec(name)?.[1];
    if (op === undefined) return original.call(engine, name, inputs, attributes);
    depth += 1;
    try {
      const output = original.call(engine, name, inputs, attributes) as tf.Tensor;
      if (depth === 1) flops += flopsOf(op, inputs, attributes, output);
      return output;
    } finally {
      depth -= 1;
    }
  }) as RunKernel;
  return {
    stop() {
      engine.runKernel = original;
      return flops;
    },
  };
}
