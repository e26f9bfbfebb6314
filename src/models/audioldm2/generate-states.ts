import * as tf from '@tensorflow/tfjs-core';
import type { Gpt2Model } from '../gpt2';
import type { MaskedStates } from './projection-model';

/**
 * `AudioLDM2Pipeline.generate_language_model`: the language model's last state is its next input, `count` times. The
 * sequence is a hundred positions and `count` is 8, so that every pass computes all of it again.
 *
 * @param prompt [B, L, D]
 * @returns [B, count, D]
 */
export function generateStates(model: Gpt2Model, { states, mask }: MaskedStates, count: number): tf.Tensor3D {
  return tf.tidy(() => {
    const [batch, length, width] = states.shape;
    const one = tf.ones<tf.Rank.R2>([batch, 1]);
    let sequence = tf.clone(states); // [B, L + i, D]
    let seen = tf.clone(mask); // [B, L + i]
    for (let i = 0; i < count; i += 1) {
      const [longer, seenToo] = tf.tidy(() => {
        const hidden = model.forward(sequence, seen);
        const last = tf.slice(hidden, [0, length + i - 1, 0], [batch, 1, width]);
        return [tf.concat([sequence, last], 1), tf.concat([seen, one], 1)];
      });
      tf.dispose([sequence, seen]);
      [sequence, seen] = [longer, seenToo];
    }
    return tf.slice(sequence, [0, length, 0], [batch, count, width]);
  });
}
