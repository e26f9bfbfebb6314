import type * as tf from '@tensorflow/tfjs-core';
import { elementCount, formatShape } from '../common/assert';
import { InternalError } from '../common/errors';
import type { WeightTensor } from '../gpu/weight-tensor';
import { layoutRank, layoutShape, type ParameterLayout } from './layout';

/**
 * A declared parameter: its name and shape in the checkpoint, and the slot that loading fills. It is the
 * WeightTensor that kernels take.
 */
export class Parameter implements WeightTensor {
  readonly shape: readonly number[];
  readonly elementCount: number;
  /** A float32 tensor of the parameter's shape that kernels get in its place, the caller's; null: the loaded one. */
  standIn: tf.Tensor | null = null;
  private value: { readonly tensor: tf.Tensor; readonly dtype: 'float32' | 'float16' } | null = null;

  /**
   * @param name the full key of the state dict
   * @param torchShape the shape in the checkpoint
   */
  constructor(
    readonly name: string,
    readonly torchShape: readonly number[],
    readonly layout: ParameterLayout,
  ) {
    if (torchShape.length !== layoutRank(layout)) {
      throw new InternalError(
        `${name}: the layout "${layout}" expects ${layoutRank(layout)} axes, got ${formatShape(torchShape)}.`,
      );
    }
    this.shape = layoutShape(layout, torchShape);
    this.elementCount = elementCount(torchShape);
  }

  get isLoaded(): boolean {
    return this.value !== null;
  }

  get dtype(): 'float32' | 'float16' {
    return this.standIn ? 'float32' : this.loaded.dtype;
  }

  get tensor(): tf.Tensor {
    return this.standIn ?? this.loaded.tensor;
  }

  /** What was loaded, whatever stands in for it. */
  get loaded(): WeightTensor {
    if (!this.value) {
      throw new InternalError(`The parameter "${this.name}" is not loaded: call ParameterRoot.load first.`);
    }
    return { name: this.name, shape: this.shape, ...this.value };
  }

  /** Bytes on the backend; 0 before loading. */
  get byteLength(): number {
    return this.value ? this.value.tensor.size * 4 : 0;
  }

  /** Puts a tensor of the parameter's shape (float16: packed) into the slot; the parameter owns it from now on. */
  assign(tensor: tf.Tensor, dtype: 'float32' | 'float16'): void {
    this.dispose();
    this.value = { tensor, dtype };
  }

  dispose(): void {
    this.value?.tensor.dispose();
    this.value = null;
  }
}
