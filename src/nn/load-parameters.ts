import { shapesEqual } from '../common/assert';
import { StateDictError, WeightsFormatError } from '../common/errors';
import { float16Bits, float16Table } from '../common/float16';
import { backendKeepsFloat16, float16WeightTensor, float32WeightTensor } from '../gpu/weight-tensor';
import { float32Values } from '../weights/float32-values';
import type { RawTensor, StateDict } from '../weights/state-dict';
import { copyToLayout } from './layout';
import type { Parameter } from './parameter';
import { describeMismatches } from './state-dict-mismatch';

export interface LoadOptions {
  /**
   * How matrices and kernels are kept. 'auto' keeps float16 files float16 where the backend can (WebGPU); vectors
   * (norms, biases) are float32 always: they are small, and norms are where half precision hurts.
   */
  readonly precision?: 'auto' | 'float32' | 'float16';
  /** Keys of the state dict that the model does not have and that are no error. */
  readonly ignoreUnexpected?: readonly RegExp[];
  readonly onProgress?: (loaded: {
    tensors: number;
    totalTensors: number;
    bytes: number;
    totalBytes: number;
  }) => void;
  readonly signal?: AbortSignal;
}

/**
 * Checks every name and shape, then reads, converts and uploads one tensor after another: at most one tensor's bytes
 * are in JavaScript memory.
 *
 * @throws StateDictError when names or shapes do not match (before anything is read), WeightsFormatError when values
 *   are not finite, the signal's reason when aborted. After an error no parameter is loaded.
 */
export async function loadParameters(
  parameters: readonly Parameter[],
  stateDict: StateDict,
  { precision = 'auto', ignoreUnexpected = [], onProgress, signal }: LoadOptions = {},
): Promise<void> {
  const mismatches = describeMismatches(parameters, stateDict, ignoreUnexpected);
  if (mismatches !== null) throw new StateDictError(mismatches);
  const totalBytes = parameters.reduce((sum, { name }) => sum + (stateDict.entry(name)?.byteLength ?? 0), 0);
  let bytes = 0;
  let tensors = 0;
  try {
    for (const parameter of parameters) {
      signal?.throwIfAborted();
      const raw = await stateDict.read(parameter.name);
      assignRawTensor(parameter, raw, precision);
      bytes += raw.bytes.byteLength;
      tensors += 1;
      onProgress?.({ tensors, totalTensors: parameters.length, bytes, totalBytes });
    }
  } catch (error) {
    for (const parameter of parameters) parameter.dispose();
    throw error;
  }
}

/** Converts one tensor to the parameter's layout and puts it on the backend. */
function assignRawTensor(
  parameter: Parameter,
  raw: RawTensor,
  precision: 'auto' | 'float32' | 'float16',
): void {
  if (!shapesEqual(raw.shape, parameter.torchShape)) {
    throw new StateDictError(
      `"${raw.name}" changed its shape between the check and the read; open the file again.`,
    );
  }
  const wantsFloat16 = precision === 'float16' || (precision === 'auto' && raw.dtype === 'F16');
  const mayBeFloat16 = backendKeepsFloat16() && parameter.shape.length > 1 && parameter.elementCount > 0;
  if (wantsFloat16 && mayBeFloat16 && fitsFloat16(raw)) {
    parameter.assign(float16Tensor(parameter, raw), 'float16');
  } else {
    parameter.assign(float32Tensor(parameter, raw), 'float32');
  }
}

const LARGEST_FLOAT16 = 65504;

/** Whether narrowing makes no infinities; NaN and infinities that are there already are found behind this. */
function fitsFloat16(raw: RawTensor): boolean {
  return raw.dtype === 'F16' || !float32Values(raw).some((value) => Math.abs(value) > LARGEST_FLOAT16);
}

function float16Tensor(parameter: Parameter, raw: RawTensor): ReturnType<typeof float16WeightTensor> {
  const halves = raw.dtype === 'F16' ? uint16Values(raw) : float16Bits(float32Values(raw));
  // The exponent's five bits all set: infinity or NaN.
  if (halves.some((bits) => (bits & 0x7c00) === 0x7c00)) throw notFinite(parameter.name);
  return float16WeightTensor(parameter.elementCount, (target) =>
    copyToLayout(parameter.layout, parameter.torchShape, halves, target),
  );
}

function float32Tensor(parameter: Parameter, raw: RawTensor): ReturnType<typeof float32WeightTensor> {
  let finite = true;
  const tensor = float32WeightTensor(parameter.shape, (target) => {
    if (raw.dtype === 'F16') {
      copyToLayout(parameter.layout, parameter.torchShape, uint16Values(raw), target, float16Table());
    } else {
      copyToLayout(parameter.layout, parameter.torchShape, float32Values(raw), target);
    }
    finite = allFinite(target);
  });
  if (!finite) {
    tensor.dispose();
    throw notFinite(parameter.name);
  }
  return tensor;
}

/** NaN and infinity times zero are NaN, and NaN stays through a sum: one branch-free pass. */
function allFinite(values: Float32Array): boolean {
  let probe = 0;
  for (let i = 0; i < values.length; i += 1) probe += values[i]! * 0;
  return probe === 0;
}

function notFinite(name: string): WeightsFormatError {
  return new WeightsFormatError(
    `Expected finite values in "${name}", got NaN or infinity. The checkpoint is damaged, or its training diverged; ` +
      'download it again or use an earlier one.',
  );
}

/** The bytes as 16-bit words; copied only when they do not lie on an even offset. */
function uint16Values(raw: RawTensor): Uint16Array {
  const bytes = raw.bytes.byteOffset % 2 === 0 ? raw.bytes : raw.bytes.slice();
  return new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
}
