import * as tf from '@tensorflow/tfjs-core';
import { elementCount, required } from '../../common/assert';
import { InvalidInputError, StateDictError } from '../../common/errors';
import { TorchGenerator } from '../../common/random';
import { type AdaptableLayer, Conv2d, type LayerAdapter } from '../../nn';
import { TrainableWeight } from '../trainable-weight';
import { checkLoraConfig, isTarget, type LoraConfig, scaleOf } from './lora-config';
import { drawLoraDown, peftOrder } from './lora-initial-weights';
import { LoraConvLayer, LoraLayer, StackedAdapters } from './lora-layer';
import { asMatrix, inOurOrder, inTorchOrder, type LoraTensor, onesFor, sizesOf } from './lora-tensor';

/** The layers of a model that an adapter may attach to, by their paths; `UNet2DConditionModel.adaptableLayers()`. */
export type AdaptableLayers = ReadonlyMap<string, AdaptableLayer>;

type Low = LoraLayer | LoraConvLayer;

/**
 * Low-rank weights beside a frozen model. The adapter belongs to no model: `within` hangs it into one for the time of
 * a function, and the model without it is the reference of diffusion-DPO.
 */
export class LoraAdapter {
  readonly #layers: ReadonlyMap<string, Low>;

  private constructor(
    readonly config: LoraConfig,
    layers: ReadonlyMap<string, Low>,
  ) {
    this.#layers = layers;
  }

  /** What `create` refuses, without making anything. @throws InvalidInputError */
  static check(layers: AdaptableLayers, config: LoraConfig): void {
    checkLoraConfig(config);
    checkWidths(targetsOf(layers, config), config);
  }

  /**
   * A new adapter, which changes nothing yet.
   * @param seed PEFT's after `torch.manual_seed(seed)`
   * @throws InvalidInputError when the rank does not fit or no layer has the name of a target
   */
  static create(layers: AdaptableLayers, config: LoraConfig, seed: number): LoraAdapter {
    checkLoraConfig(config);
    const targets = targetsOf(layers, config);
    checkWidths(targets, config);
    const generator = new TorchGenerator(seed);
    const drawn = new Map<string, Float32Array>();
    for (const path of peftOrder([...targets.keys()])) {
      const { fanIn, outChannels } = sizesOf(required(targets.get(path), path));
      drawn.set(path, drawLoraDown(generator, scaleOf(path, config).rank, fanIn, outChannels));
    }
    return LoraAdapter.#build(targets, config, (path, half, shape) => ({
      shape,
      data: half === 'lora_A' ? required(drawn.get(path), path) : new Float32Array(elementCount(shape)),
    }));
  }

  /**
   * An adapter of given values, `<path>.lora_A.weight` [rank, in] and `<path>.lora_B.weight` [out, rank], of a
   * convolution [rank, in, kh, kw] and [out, rank, 1, 1].
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
    return LoraAdapter.#build(targets, config, (path, half, shape) => {
      const tensor = required(tensors.get(`${path}.${half}.weight`), path);
      // A convolution of 1x1 and a matrix are the same: some tools write the one, some the other.
      if (String(asMatrix(tensor.shape)) === String(asMatrix(shape))) return { shape, data: tensor.data };
      throw new StateDictError(
        `"${path}.${half}.weight" should be [${shape.join(', ')}] in this model, got [${tensor.shape.join(', ')}]. Use the adapter with the model that it was trained for.`,
      );
    });
  }

  static #build(
    targets: AdaptableLayers,
    config: LoraConfig,
    valuesOf: (path: string, half: 'lora_A' | 'lora_B', shape: readonly number[]) => LoraTensor,
  ): LoraAdapter {
    // All values first: one that does not fit leaves no weights behind.
    const values = [...targets].map(([path, layer]) => {
      const { inChannels, outChannels, kernel } = sizesOf(layer);
      const { rank, scaling } = scaleOf(path, config);
      const down = valuesOf(path, 'lora_A', [rank, inChannels, ...kernel]);
      const up = valuesOf(path, 'lora_B', [outChannels, rank, ...kernel.map(() => 1)]);
      return { path, layer, down, up, scaling };
    });
    return new LoraAdapter(
      config,
      new Map(
        values.map(({ path, layer, down, up, scaling }) => {
          const a = new TrainableWeight(`${path}.lora_A.weight`, inOurOrder(down));
          const b = new TrainableWeight(
            `${path}.lora_B.weight`,
            inOurOrder({ ...up, shape: up.shape.slice(0, 2) }),
          );
          const low =
            layer instanceof Conv2d
              ? new LoraConvLayer(a, b, scaling, layer.options)
              : new LoraLayer(a, b, scaling);
          return [path, low];
        }),
      ),
    );
  }

  /** What is trained, in the order of the network: lora_A then lora_B of each layer. */
  get weights(): readonly TrainableWeight[] {
    return [...this.#layers.values()].flatMap(({ down, up }) => [down, up]);
  }

  /**
   * What the adapter adds to a layer's weight, [in, out] or [kh, kw, in, out]; null for a layer that it leaves alone. The
   * caller disposes it.
   */
  delta(path: string): tf.Tensor | null {
    const layer = this.#layers.get(path);
    if (!layer) return null;
    const { down, up, scaling } = layer;
    const [rank, outChannels] = up.shape as [number, number];
    return tf.tidy(() => {
      const product = tf.matMul(tf.reshape(down.tensor, [-1, rank]), up.tensor as tf.Tensor2D);
      return tf.reshape(tf.mul(product, scaling), [...down.shape.slice(0, -1), outChannels]);
    });
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
    return this.#hang(layers, (layer, before) => {
      const scaled = withStrength(layer, strength);
      return before ? new StackedAdapters(before, scaled) : scaled;
    });
  }

  #hang(
    layers: AdaptableLayers,
    adapterOf: (layer: Low, before: LayerAdapter | null) => LayerAdapter,
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
    for (const { down, up } of this.#layers.values()) {
      values.set(down.name, inTorchOrder(down.shape, await down.read()));
      const { shape, data } = inTorchOrder(up.shape, await up.read());
      values.set(up.name, { shape: [...shape, ...onesFor(down.shape)], data });
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
  return targets;
}

/** Files of other tools have more where a layer is narrow (conv_out), which computes as any other. */
function checkWidths(targets: AdaptableLayers, config: LoraConfig): void {
  for (const [path, layer] of targets) {
    const { fanIn, outChannels } = sizesOf(layer);
    const narrowest = Math.min(fanIn, outChannels);
    const { rank } = scaleOf(path, config);
    if (rank <= narrowest) continue;
    throw new InvalidInputError(
      `A rank of ${rank} is more than the layer "${path}" is wide: choose 1 to ${narrowest}.`,
    );
  }
}

function endings(layers: AdaptableLayers): readonly string[] {
  return [
    ...new Set(
      [...layers.keys()].map((path) =>
        path.replace(
          /^.*\.(attn\d|transformer_blocks\.\d+|attentions\.\d+|resnets\.\d+)\.|^.*\.(?=\w+samplers\.)/,
          '',
        ),
      ),
    ),
  ];
}

function withStrength(layer: Low, strength: number): Low {
  const { down, up, scaling } = layer;
  return layer instanceof LoraConvLayer
    ? new LoraConvLayer(down, up, scaling * strength, layer.options)
    : new LoraLayer(down, up, scaling * strength);
}

function listed(names: readonly string[]): string {
  if (names.length === 0) return '';
  return ` (${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''})`;
}
