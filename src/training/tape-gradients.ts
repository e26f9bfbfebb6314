import * as tf from '@tensorflow/tfjs-core';
import { getFilteredNodesXToY, type TapeNode } from '@tensorflow/tfjs-core/dist/tape';
import { required } from '../common/assert';
import { computeNow } from '../gpu/compute-now';

/** What tfjs's engine has for `tf.grads` and its types leave out. */
interface TapeEngine {
  readonly state: { activeTape: TapeNode[] | null; readonly gradientDepth: number };
  startTape(): void;
  endTape(): void;
}

export interface ValueAndGradients<T extends tf.Tensor> {
  readonly value: T;
  /** One for each of `xs`; the caller disposes them. */
  readonly grads: readonly tf.Tensor[];
}

/**
 * `tf.valueAndGrads`, to the bit, with the memory of one layer's gradients in place of all: tfjs keeps every
 * intermediate gradient and every saved tensor until its backward pass has ended, which is twice the tape on top of the
 * tape. Here a gradient goes when its node has handed it on, and so does what the node had saved.
 *
 * @param f takes nothing from outside that it disposes
 * @param xs what to differentiate by; each of them leads to the result
 * @param dy the gradient of the result, which stays the caller's; default: ones
 */
export function tapeGradients<T extends tf.Tensor>(
  f: () => T,
  xs: readonly tf.Tensor[],
  dy?: tf.Tensor,
): ValueAndGradients<T> {
  const engine = tf.engine() as unknown as TapeEngine;
  const value = recorded(engine, f);
  try {
    const nodes = getFilteredNodesXToY(engine.state.activeTape ?? [], [...xs], value);
    // The caller's own tidy, where there is one, gets value and gradients as results of this one.
    const { grads } = tf.tidy(() => ({ grads: backward(nodes, xs, value, dy) }));
    return { value, grads };
  } catch (error) {
    value.dispose();
    throw error;
  } finally {
    dropTape(engine);
  }
}

/** The result of `f`, with its ops on the engine's tape. */
function recorded<T extends tf.Tensor>(engine: TapeEngine, f: () => T): T {
  engine.startTape();
  try {
    return tf.tidy(f);
  } catch (error) {
    dropTape(engine, 1);
    throw error;
  } finally {
    engine.endTape();
  }
}

/** What is left on the tape leads to none of the `xs`. @param depth of the tape that is dropped */
function dropTape({ state }: TapeEngine, depth = 0): void {
  if (state.gradientDepth > depth) return;
  for (const { saved } of state.activeTape ?? []) tf.dispose(saved ?? []);
  state.activeTape = null;
}

function backward(
  nodes: readonly TapeNode[],
  xs: readonly tf.Tensor[],
  value: tf.Tensor,
  dy: tf.Tensor | undefined,
): tf.Tensor[] {
  const wanted = new Set(xs.map(({ id }) => id));
  const gradients = new Map<number, tf.Tensor>([[value.id, dy ? tf.clone(dy) : tf.ones(value.shape)]]);
  for (const { kernelName, outputs, inputs, gradient, saved } of [...nodes].reverse()) {
    const dys = outputs.map(({ id }) => gradients.get(id));
    if (!gradient) throw new Error(`The op ${kernelName} has no gradient.`);
    // tfjs makes zeros for an output that leads nowhere.
    const gradientOf = gradient(dys as tf.Tensor[]);
    const taken = new Set<tf.Tensor | undefined>(dys);
    for (const [name, x] of Object.entries(inputs)) {
      const dx = tf.tidy(required(gradientOf[name], `the gradient of ${kernelName} by ${name}`));
      // An op may hand its own dy on, or one tensor to two inputs.
      const own = taken.has(dx) ? tf.clone(dx) : dx;
      taken.add(own);
      const before = gradients.get(x.id);
      const sum = before ? tf.add(before, own) : own;
      gradients.set(x.id, sum);
      if (before) tf.dispose([before, own]);
      // A weight's gradient stays for long, and its layer's activations should not.
      if (wanted.has(x.id)) computeNow(sum);
    }
    for (const { id } of outputs) {
      if (wanted.has(id)) continue;
      gradients.get(id)?.dispose();
      gradients.delete(id);
    }
    tf.dispose(saved ?? []);
  }
  return xs.map(({ id, shape }) => required(gradients.get(id), `a gradient of [${shape.join(', ')}]`));
}
