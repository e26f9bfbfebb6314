import type { EngineInfo, ModelSummary } from '../../../engine/protocol';

export interface PartFit {
  readonly name: string;
  readonly bytes: number;
  /** Why it does not fit; null when it does. */
  readonly problem: string | null;
}

export interface ModelFit {
  readonly parts: readonly PartFit[];
  readonly totalBytes: number;
  readonly problem: string | null;
}

const PART_NAMES = { text_encoder: 'Text encoder', unet: 'UNet', vae: 'VAE', vocoder: 'Vocoder' } as const;
/** A WebAssembly memory of 32-bit addresses ends there. */
const WASM_BYTES = 4 * 2 ** 30;

/**
 * What a model's weights take where it would run now, part by part, and whether that can be. Browsers do not say how
 * much memory a GPU has: what is known is the largest buffer that it gives.
 */
export function fitOf(model: ModelSummary, info: EngineInfo): ModelFit {
  const onGpu = info.backend === 'webgpu';
  const parts = model.components.map(
    ({ name, bytes, parameterCount, largestTensorElements = 0 }): PartFit => {
      // WebAssembly has no half-precision arithmetic: its weights are float32.
      const size = onGpu ? bytes : 4 * parameterCount;
      const largest = parameterCount > 0 ? (size / parameterCount) * largestTensorElements : 0;
      const limit = info.limits?.maxStorageBufferBindingSize ?? WASM_BYTES;
      const problem = largest > limit ? 'its largest tensor is more than this adapter binds at once' : null;
      return { name: PART_NAMES[name], bytes: size, problem };
    },
  );
  const totalBytes = parts.reduce((sum, { bytes }) => sum + bytes, 0);
  const tooLarge = parts.find(({ problem }) => problem !== null);
  return { parts, totalBytes, problem: problemOf(tooLarge, totalBytes, onGpu) };
}

function problemOf(tooLarge: PartFit | undefined, totalBytes: number, onGpu: boolean): string | null {
  if (tooLarge) return `${tooLarge.name}: ${tooLarge.problem}. It runs on WebAssembly, or not at all.`;
  if (onGpu || totalBytes < WASM_BYTES) return null;
  return 'WebAssembly has 4 GB at most, and the weights alone are more. It needs WebGPU.';
}
