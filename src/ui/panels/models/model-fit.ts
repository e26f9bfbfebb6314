import { WASM_PARAMETER_BYTES } from '../../../common/wasm-memory';
import type { EngineInfo, HubPlan, ModelSummary } from '../../../engine/protocol';

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

const PART_NAMES = {
  text_encoder: 'Text encoder',
  text_encoder_2: 'Text encoder 2',
  projection_model: 'Projection',
  language_model: 'Language model',
  unet: 'UNet',
  vae: 'VAE',
  vocoder: 'Vocoder',
} as const;
/** A WebAssembly memory of 32-bit addresses ends there: no tensor is larger. */
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

/** Which parts a file of a download holds; null for one that holds no weights. */
function partOf(path: string, kind: HubPlan['kind']): string | null {
  if (kind === 'pann') return /\.(?:safetensors|bin|pth)$/.test(path) ? 'PANNs' : null;
  if (path === 'pytorch_model_main.bin') return 'Text encoder and UNet';
  if (path === 'pytorch_model_vae.bin') return 'VAE and vocoder';
  if (/^(?:model|pytorch_model)\b[^/]*\.(?:safetensors|bin)$/.test(path)) return 'CLAP';
  const [, folder = ''] = /^(\w+)\/.+\.(?:safetensors|bin)$/.exec(path) ?? [];
  return Object.hasOwn(PART_NAMES, folder) ? PART_NAMES[folder as keyof typeof PART_NAMES] : null;
}

/** The same before the first byte of a download, by what the hub says of its files: float32, unless they are named fp16. */
export function fitOfPlan({ kind, files, totalBytes, memoryBytes }: HubPlan, info: EngineInfo): ModelFit {
  const onGpu = info.backend === 'webgpu';
  const sizes = new Map<string, number>();
  for (const { path, size } of files) {
    const part = partOf(path, kind);
    if (part === null) continue;
    const half = path.includes('.fp16');
    const factor = onGpu ? memoryBytes / totalBytes : half ? 2 : 1;
    sizes.set(part, (sizes.get(part) ?? 0) + factor * size);
  }
  const parts = [...sizes].map(([name, bytes]): PartFit => ({ name, bytes, problem: null }));
  const sum = parts.reduce((total, { bytes }) => total + bytes, 0);
  return { parts, totalBytes: sum, problem: problemOf(undefined, sum, onGpu) };
}

function problemOf(tooLarge: PartFit | undefined, totalBytes: number, onGpu: boolean): string | null {
  if (tooLarge) return `${tooLarge.name}: ${tooLarge.problem}. It runs on WebAssembly, or not at all.`;
  if (onGpu || totalBytes <= WASM_PARAMETER_BYTES) return null;
  return 'WebAssembly has 4 GB in all, of which weights can take 3.2. It needs WebGPU.';
}
