import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { expectNoLeak, forEachBackend } from '../testing';
import { tapeGradients } from './tape-gradients';

const at = (seed: number, shape: readonly number[]): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(seed + 1.7 * i)),
    [...shape],
  );

/** Fans out, hands gradients on untouched, has an input that leads nowhere and an output that is not used. */
function network(x: tf.Tensor, w: tf.Tensor): tf.Tensor {
  const [left, right] = tf.split(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D), 2, 1) as [
    tf.Tensor,
    tf.Tensor,
  ];
  const gated = tf.mul(left, tf.sigmoid(left));
  tf.exp(right);
  return tf.add(tf.add(gated, left), tf.reshape(tf.square(gated), gated.shape));
}

forEachBackend('gradients over the tape', () => {
  it('are those of tfjs to the bit, for a scalar and for a given gradient of the result', async () => {
    const [x, w, dy] = [at(0, [3, 4]), at(1, [4, 6]), at(2, [3, 3])];
    for (const given of [undefined, dy]) {
      const f = (): tf.Tensor => (given ? network(x, w) : tf.sum(network(x, w)));
      const ours = tapeGradients(f, [x, w], given);
      const theirs = tf.valueAndGrads(f)([x, w], given as tf.Tensor);
      expect(await ours.value.data()).toEqual(await theirs.value.data());
      for (const [i, grad] of ours.grads.entries()) {
        expect(grad.shape).toEqual(theirs.grads[i]!.shape);
        expect(await grad.data()).toEqual(await theirs.grads[i]!.data());
      }
      tf.dispose([ours.value, ...ours.grads, theirs.value, ...theirs.grads]);
      expect(given?.isDisposed ?? false).toBe(false);
    }
    tf.dispose([x, w, dy]);
  });

  it('keep nothing but their results, also when the function throws or an input leads nowhere', async () => {
    const [x, w] = [at(0, [3, 4]), at(1, [4, 6])];
    await expectNoLeak(async () => {
      const { value, grads } = tapeGradients(() => tf.sum(network(x, w)), [x, w]);
      tf.dispose([value, ...grads]);
      const broken = (): tf.Tensor => {
        tf.square(x);
        throw new Error('broken');
      };
      expect(() => tapeGradients(broken, [x])).toThrow('broken');
      expect(() => tapeGradients(() => tf.square(x), [w])).toThrow(/a gradient of \[4, 6\]/);
    });
    // The tape is as it should be: the next gradient is right.
    const { value, grads } = tapeGradients(() => tf.sum(tf.square(x)), [x]);
    expect(await grads[0]!.data()).toEqual(await tf.mul(x, 2).data());
    tf.dispose([value, ...grads, x, w]);
  });

  it('hold one gradient of a chain where tfjs holds all', () => {
    const x = at(0, [8, 8]);
    let alive = 0;
    /** The first link, whose gradient comes last. */
    const first = tf.customGrad((y) => ({
      value: tf.clone(y as tf.Tensor),
      gradFunc: (dy: tf.Tensor) => {
        alive = tf.memory().numTensors;
        return tf.clone(dy);
      },
    }));
    const chain = (): tf.Tensor => {
      let y = first(x);
      for (let i = 0; i < 20; i += 1) y = tf.sigmoid(y);
      return tf.sum(y);
    };
    const ours = tapeGradients(chain, [x]);
    const withOurs = alive;
    tf.dispose([ours.value, ...ours.grads]);
    const theirs = tf.valueAndGrads(chain)([x]);
    tf.dispose([theirs.value, ...theirs.grads, x]);
    // Twenty gradients, and as many results that sigmoid had saved.
    expect(alive - withOurs).toBeGreaterThanOrEqual(38);
  });
});
