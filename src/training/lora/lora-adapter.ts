import * as tf from '@tensorflow/tfjs-core';
import { required } from '../../common/assert';
import { InvalidInputError, StateDictError } from '../../common/errors';
import { TorchGenerator } from '../../common/random';
import type { LayerAdapter, Linear } from '../../nn';
import { copyToLayout } from '../../nn/layout';
import { TrainableWeight } from '../trainable-weight';
import { checkLoraConfig, isTarget, type LoraConfig, scaleOf } from './lora-config';
import { drawLoraDown, peftOrder } from './lora-initial-weights';
import { LoraLayer, StackedAdapters } from './lora-layer';

/** The layers of a model that an adapter may attach to, by their paths; `UNet2DConditionModel.linears()`. */
export type AdaptableLayers = ReadonlyMap<string, Linear>;

/** A tensor in PyTorch's order. */
export interface LoraTensor {
  readonly shape: readonly [number, number];
  readonly data: Float32Array;
}

/**
 * Low-rank weights beside a frozen model. The adapter belongs to no model: `within` hangs it into one for the time of
 * a function, and the model without it is the reference of diffusion-DPO.
 */
export class LoraAdapter {
  readonly #layers: ReadonlyMap<string, LoraLayer>;

  private constructor(
    readonly config: LoraConfig,
    layers: ReadonlyMap<string, LoraLayer>,
  ) {
    this.#layers = layers;
  }

  /** What `create` refuses, without making anything. @throws InvalidInputError */
  static check(layers: AdaptableLayers, config: LoraConfig): void {
    checkLoraConfig(config);
    targetsOf(layers, config);
  }

  /**
   * A new adapter, which changes nothing yet.
   * @param seed PEFT's after `torch.manual_seed(seed)`
   * @throws InvalidInputError when the rank does not fit or no layer has the name of a target
   */
  static create(layers: AdaptableLayers, config: LoraConfig, seed: number): LoraAdapter {
    checkLoraConfig(config);
    const targets = targetsOf(layers, config);
    const generator = new TorchGenerator(seed);
    const drawn = new Map<string, Float32Array>();
    for (const path of peftOrder([...targets.keys()])) {
      const [inFeatures, outFeatures] = sizeOf(targets, path);
      drawn.set(path, drawLoraDown(generator, scaleOf(path, config).rank, inFeatures, outFeatures));
    }
    return LoraAdapter.#build(targets, config, (path, half) => {
      const [inFeatures, outFeatures] = sizeOf(targets, path);
      const { rank } = scaleOf(path, config);
      return half === 'lora_A'
        ? { shape: [rank, inFeatures], data: required(drawn.get(path), path) }
        : { shape: [outFeatures, rank], data: new Float32Array(outFeatures * rank) };
    });
  }

  /**
   * An adapter of given values, `<path>.lora_A.weight` [rank, in] and `<path>.lora_B.weight` [out, rank].
   * @throws StateDictError when names or shapes are not those of the model's layers
   */
  static fromTensors(
    layers: AdaptableLayers,
    config: LoraConfig,
    tensors: ReadonlyMap<string, LoraTensor>,
  ): LoraAdapter {
    checkLoraConfig(config);
    const targets = targetsOf(layers, config);
    const expected = [...targets.keys()].flatMap((path) => [
      `${path}.lora_A.weight`,
      `${path}.lora_B.weight`,
    ]);
    const missing = expected.filter((name) => !tensors.has(name));
    const unexpected = [...tensors.keys()].filter((name) => !expected.includes(name));
    if (missing.length + unexpected.length > 0) {
      throw new StateDictError(
        `The adapter is not of this model: ${missing.length} of its ${expected.length} tensors are missing${listed(missing)} and ${unexpected.length} are of layers that the model does not have${listed(unexpected)}. Use it with the model that it was trained for.`,
      );
    }
    return LoraAdapter.#build(targets, config, (path, half) => {
      const [inFeatures, outFeatures] = sizeOf(targets, path);
      const { rank } = scaleOf(path, config);
      const tensor = required(tensors.get(`${path}.${half}.weight`), path);
      const shape = half === 'lora_A' ? [rank, inFeatures] : [outFeatures, rank];
      if (tensor.shape[0] === shape[0] && tensor.shape[1] === shape[1]) return tensor;
      throw new StateDictError(
        `"${path}.${half}.weight" should be [${shape.join(', ')}] in this model, got [${tensor.shape.join(', ')}]. Use the adapter with the model that it was trained for.`,
      );
    });
  }

  static #build(
    targets: AdaptableLayers,
    config: LoraConfig,
    valuesOf: (path: string, half: 'lora_A' | 'lora_B') => LoraTensor,
  ): LoraAdapter {
    const values = [...targets.keys()].map(
      (path) => [path, valuesOf(path, 'lora_A'), valuesOf(path, 'lora_B')] as const,
    );
    return new LoraAdapter(
      config,
      new Map(
        values.map(([path, down, up]) => [
          path,
          new LoraLayer(
            new TrainableWeight(`${path}.lora_A.weight`, transposed(down)),
            new TrainableWeight(`${path}.lora_B.weight`, transposed(up)),
            scaleOf(path, config).scaling,
          ),
        ]),
      ),
    );
  }

  /** What is trained, in the order of the network: lora_A then lora_B of each layer. */
  get weights(): readonly TrainableWeight[] {
    return [...this.#layers.values()].flatMap(({ down, up }) => [down, up]);
  }

  /** The trained tensors of these layers, those without an adapter left out. */
  weightsOf(linears: readonly Linear[]): readonly tf.Tensor[] {
    return linears.flatMap(({ weight }) => {
      const layer = this.#layers.get(weight.name.replace(/\.weight$/, ''));
      return layer ? [layer.down.tensor, layer.up.tensor] : [];
    });
  }

  /** What the adapter adds to a layer's weight, [in, out]; null for a layer that it leaves alone. The caller disposes it. */
  delta(path: string): tf.Tensor2D | null {
    const layer = this.#layers.get(path);
    if (!layer) return null;
    const { down, up, scaling } = layer;
    return tf.tidy(() =>
      tf.mul<tf.Tensor2D>(tf.matMul(down.tensor as tf.Tensor2D, up.tensor as tf.Tensor2D), scaling),
    );
  }

  get parameterCount(): number {
    return this.weights.reduce((sum, { tensor }) => sum + tensor.size, 0);
  }

  /**
   * Runs `body` while the adapter hangs in the model; the model is as before afterwards.
   * @throws InvalidInputError when the model lacks a layer of the adapter
   */
  within<T>(layers: AdaptableLayers, body: () => T): T {
    const detach = this.attach(layers);
    try {
      return body();
    } finally {
      detach();
    }
  }

  /** Hangs the adapter into the model, in place of one that hangs there, until the returned function is called. */
  attach(layers: AdaptableLayers): () => void {
    return this.#hang(layers, (layer) => layer);
  }

  /**
   * Hangs the adapter into the model beside those that hang there, until the returned function is called; the last one
   * to be hung is the first to be taken out.
   * @param strength factor of its share, as the weights of PEFT's and diffusers' `set_adapters`
   */
  stack(layers: AdaptableLayers, strength: number): () => void {
    return this.#hang(layers, ({ down, up, scaling }, before) => {
      const scaled = new LoraLayer(down, up, scaling * strength);
      return before ? new StackedAdapters(before, scaled) : scaled;
    });
  }

  #hang(
    layers: AdaptableLayers,
    adapterOf: (layer: LoraLayer, before: LayerAdapter | null) => LayerAdapter,
  ): () => void {
    const held = [...this.#layers].map(([path, layer]) => {
      const target = layers.get(path);
      if (target) return { target, layer, before: target.adapter };
      throw new InvalidInputError(`The model has no layer "${path}": the adapter is of another model.`);
    });
    for (const { target, layer, before } of held) target.adapter = adapterOf(layer, before);
    return () => {
      for (const { target, before } of held) target.adapter = before;
    };
  }

  /** The values in PyTorch's order, by the names of `fromTensors`. */
  async tensors(): Promise<ReadonlyMap<string, LoraTensor>> {
    const values = new Map<string, LoraTensor>();
    for (const weight of this.weights) {
      const [rows, columns] = weight.shape as [number, number];
      const data = new Float32Array(rows * columns);
      copyToLayout('linear', [rows, columns], await weight.read(), data);
      values.set(weight.name, { shape: [columns, rows], data });
    }
    return values;
  }

  dispose(): void {
    for (const weight of this.weights) weight.dispose();
  }
}

function targetsOf(layers: AdaptableLayers, config: LoraConfig): AdaptableLayers {
  const targets = new Map([...layers].filter(([path]) => isTarget(path, config)));
  const unused = config.targetModules.filter(
    (target) => ![...layers.keys()].some((path) => isTarget(path, { ...config, targetModules: [target] })),
  );
  if (unused.length > 0) {
    throw new InvalidInputError(
      `The model has no layer called ${unused.join(', ')}: its layers end in ${endings(layers).join(', ')}.`,
    );
  }
  for (const [path, { weight }] of targets) {
    const narrowest = Math.min(...weight.shape);
    const { rank } = scaleOf(path, config);
    if (rank <= narrowest) continue;
    throw new InvalidInputError(
      `A rank of ${rank} is more than the layer "${path}" is wide: choose 1 to ${narrowest}.`,
    );
  }
  return targets;
}

function endings(layers: AdaptableLayers): readonly string[] {
  return [
    ...new Set(
      [...layers.keys()].map((path) =>
        path.replace(/^.*\.(attn\d|transformer_blocks\.\d+|attentions\.\d+)\./, ''),
      ),
    ),
  ];
}

function sizeOf(layers: AdaptableLayers, path: string): readonly [number, number] {
  const [inFeatures, outFeatures] = required(layers.get(path), path).weight.shape;
  return [inFeatures!, outFeatures!];
}

function transposed({ shape, data }: LoraTensor): tf.Tensor {
  const values = new Float32Array(data.length);
  copyToLayout('linear', shape, data, values);
  return tf.tensor2d(values, [shape[1], shape[0]]);
}

function listed(names: readonly string[]): string {
  if (names.length === 0) return '';
  return ` (${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''})`;
}
