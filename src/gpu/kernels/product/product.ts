/** Products that wait for what can be added where they are stored: see ../common/deferred.ts. */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import type * as tf from '@tensorflow/tfjs-core';
import { elementCount } from '../../../common/assert';
import type { Activation } from '../activations/activation';
import { type Deferred, deferredResults } from '../common/deferred';
import { runProgram, webGpuBackend } from '../common/gpu-program';
import { type KernelChoice, kernelVariant, shaderFeatures } from '../common/kernel-variant';
import { JoinProgram } from './join-program';
import { type ProductGeometry, ProductProgram, splitsFor } from './product-program';
import { productEpilogue } from './product-source';
import { isThin, ThinProductProgram } from './thin-product-program';

interface Product {
  readonly choice: KernelChoice;
  readonly geometry: ProductGeometry;
  readonly halves: boolean;
  readonly image: tf.TensorInfo;
  readonly weight: tf.TensorInfo;
  readonly bias: tf.TensorInfo | undefined;
  readonly activation?: Activation;
  readonly vector?: { readonly values: tf.TensorInfo; readonly of: 'each item' | 'all items' };
  readonly residual?: tf.TensorInfo;
}

class DeferredProduct implements Deferred {
  readonly inputs: readonly tf.TensorInfo[];

  constructor(
    private readonly backend: WebGPUBackend,
    readonly product: Product,
  ) {
    const { image, weight, bias, vector, residual } = product;
    this.inputs = [image, weight, bias, vector?.values, residual].filter((input) => input !== undefined);
  }

  run(output: tf.TensorInfo): void {
    const { choice, geometry, halves, image, weight, bias, activation, vector, residual } = this.product;
    const epilogue = productEpilogue({
      bias: bias !== undefined,
      activation,
      vector: vector?.of ?? null,
      residual: residual !== undefined,
    });
    const parts = splitsFor(choice, geometry);
    if (parts > 1 && !isThin(choice, geometry)) {
      const program = new ProductProgram(choice, geometry, halves, null, parts);
      const sums = runProgram(this.backend, program, [image, weight], program.outputShape);
      const operands = [sums, ...this.inputs.slice(2)];
      runProgram(this.backend, new JoinProgram(geometry, epilogue, parts), operands, output.shape, output);
      this.backend.disposeData(sums.dataId);
      return;
    }
    const program = isThin(choice, geometry)
      ? new ThinProductProgram(choice, geometry, halves, epilogue)
      : new ProductProgram(choice, geometry, halves, epilogue);
    runProgram(this.backend, program, this.inputs, output.shape, output);
  }
}

/**
 * The product, waiting; null when this backend's variant is `composed` or the channels are no multiples of four.
 *
 * @param weight [taps, taps, Cin, Cout] float32, or its packed halves (int32)
 */
export function deferProduct(
  image: tf.TensorInfo,
  weight: tf.TensorInfo,
  bias: tf.TensorInfo | undefined,
  geometry: ProductGeometry,
  shape: readonly number[],
): tf.TensorInfo | null {
  const backend = webGpuBackend();
  const variant = kernelVariant(backend);
  const { inChannels, outChannels } = geometry;
  if (variant === 'composed' || inChannels % 4 !== 0 || outChannels % 4 !== 0 || elementCount(shape) === 0)
    return null;
  const results = deferredResults(backend);
  results.force(image.dataId);
  const halves = weight.dtype === 'int32';
  const choice = { variant, features: shaderFeatures(backend) };
  return results.add(shape, new DeferredProduct(backend, { choice, geometry, halves, image, weight, bias }));
}

function waiting(x: tf.TensorInfo): DeferredProduct | undefined {
  const deferred = deferredResults(webGpuBackend()).of(x.dataId);
  return deferred instanceof DeferredProduct ? deferred : undefined;
}

/** activation(x) in the product that x waits for; null when it waits for none that can take it. */
export function activateProduct(x: tf.TensorInfo, activation: Activation): tf.TensorInfo | null {
  const source = waiting(x)?.product;
  if (!source || source.activation || source.vector || source.residual) return null;
  return withEpilogue(x, { ...source, activation });
}

/** x + other in the product that x waits for; null when it waits for none, or `other` is of no shape it can add. */
export function addToProduct(x: tf.TensorInfo, other: tf.TensorInfo): tf.TensorInfo | null {
  const source = waiting(x)?.product;
  if (!source || other.dtype !== 'float32' || x.dataId === other.dataId) return null;
  if (!source.residual && sameShape(x.shape, other.shape))
    return withEpilogue(x, { ...source, residual: other });
  const [items, ...rest] = other.shape;
  const isVector =
    other.shape.length === x.shape.length &&
    x.shape.length > 1 &&
    (items === 1 || (items === x.shape[0] && items === source.geometry.batch)) &&
    rest.at(-1) === source.geometry.outChannels &&
    rest.slice(0, -1).every((size) => size === 1);
  if (!isVector || source.vector || source.residual) return null;
  const of = items === 1 ? 'all items' : 'each item';
  return withEpilogue(x, { ...source, vector: { values: other, of } });
}

function withEpilogue(x: tf.TensorInfo, product: Product): tf.TensorInfo {
  const backend = webGpuBackend();
  const results = deferredResults(backend);
  if (product.vector) results.force(product.vector.values.dataId);
  if (product.residual) results.force(product.residual.dataId);
  return results.add(x.shape, new DeferredProduct(backend, product));
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}
