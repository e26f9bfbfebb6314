/**
 * Sums on WebGPU that cost no dispatch: where an operand is a product or a norm's gradient that waits, that adds the
 * other one while it stores. Importing this file puts it before tfjs's own kernel, which does every other sum.
 */
import '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { addToProduct } from '../product/product';
import { addToDeferredSum } from './deferred-sum';

const original = tf.getKernel('Add', 'webgpu');

if (original) {
  tf.unregisterKernel('Add', 'webgpu');
  tf.registerKernel({
    ...original,
    kernelFunc: (args) => {
      const { a, b } = args.inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
      // The later operand first: where both wait, it is the one made last, and the other one is computed by now or soon.
      return (
        addToProduct(b, a) ??
        addToProduct(a, b) ??
        addToDeferredSum(b, a) ??
        addToDeferredSum(a, b) ??
        original.kernelFunc(args)
      );
    },
  });
}
