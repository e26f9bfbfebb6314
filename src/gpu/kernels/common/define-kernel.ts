/**
 * Ops of the studio as tfjs kernels. A registered kernel is one node of the gradient tape whatever it is composed of:
 * the tape keeps only what its gradient needs, and each input's gradient is computed only when that input is
 * differentiated (a `tf.customGrad` would compute all of them, such as the weight gradients of a frozen model).
 */
import * as tf from '@tensorflow/tfjs-core';
import { type WasmKernels, wasmKernels } from '../../wasm-kernels/wasm-kernels';

/** Named tensor inputs; the optional ones may be left out. */
export type KernelInputs = Readonly<Record<string, tf.Tensor | undefined>>;

export interface KernelDefinition<Inputs extends KernelInputs, Attributes extends object> {
  readonly name: string;
  /** Composed of tfjs ops; runs in a tidy, off the tape. */
  forward(inputs: Inputs, attributes: Attributes): tf.Tensor;
  /** On WebGPU, tried before `forward`: a WGSL program's result, or null where the program does not apply. */
  onWebGpu?(inputs: Inputs, attributes: Attributes): tf.TensorInfo | null;
  /** On wasm, tried before `forward`: the result of a kernel of the studio's own, or null where it does not apply. */
  onWasm?(kernels: WasmKernels, inputs: Inputs, attributes: Attributes): tf.TensorInfo | null;
  /** For each input, a function that gives its gradient from the result's; each runs in a tidy of its own. */
  gradients(
    dy: tf.Tensor,
    inputs: Inputs,
    attributes: Attributes,
  ): { readonly [Name in keyof Inputs]: () => tf.Tensor };
}

const BACKENDS = ['wasm', 'webgpu'];

/**
 * Registers the kernel for wasm and WebGPU and returns its function. tfjs saves inputs for the gradient by fixed
 * names, so each set of present inputs becomes a registration of its own, at its first use.
 */
export function defineKernel<Inputs extends KernelInputs, Attributes extends object>(
  definition: KernelDefinition<Inputs, Attributes>,
): (inputs: Inputs, attributes: Attributes) => tf.Tensor {
  const registered = new Set<string>();
  return (inputs, attributes) => {
    const present = Object.entries(inputs).filter((entry): entry is [string, tf.Tensor] => !!entry[1]);
    const names = present.map(([name]) => name);
    const kernelName = `Studio${definition.name}(${names.join(', ')})`;
    if (!registered.has(kernelName)) {
      register(kernelName, names, definition);
      registered.add(kernelName);
    }
    return tf
      .engine()
      .runKernel<tf.Tensor>(
        kernelName,
        Object.fromEntries(present),
        attributes as unknown as tf.NamedAttrMap,
      );
  };
}

function register<Inputs extends KernelInputs, Attributes extends object>(
  kernelName: string,
  inputNames: readonly string[],
  { forward, onWebGpu, onWasm, gradients }: KernelDefinition<Inputs, Attributes>,
): void {
  for (const backendName of BACKENDS) {
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs }) => {
        const attributes = attrs as unknown as Attributes;
        const kernels = onWasm && backendName === 'wasm' ? wasmKernels() : null;
        const own = kernels
          ? onWasm?.(kernels, inputs as Inputs, attributes)
          : backendName === 'webgpu' && onWebGpu?.(inputs as Inputs, attributes);
        return own || tf.tidy(() => forward(inputs as Inputs, attributes));
      },
    });
  }
  tf.registerGradient({
    kernelName,
    inputsToSave: [...inputNames],
    gradFunc: (dy, saved, attrs) => {
      const inputs = Object.fromEntries(inputNames.map((name, i) => [name, saved[i]])) as Inputs;
      return { ...gradients(dy as tf.Tensor, inputs, attrs as unknown as Attributes) };
    },
  });
}
