import {
  BackendUnavailableError,
  DeviceLostError,
  type ErrorCode,
  InternalError,
  InvalidConfigError,
  InvalidInputError,
  JobCancelledError,
  ModelNotFoundError,
  NetworkError,
  NonFiniteError,
  OutOfMemoryError,
  StateDictError,
  StorageError,
  StudioError,
  WeightsFormatError,
  WorkerDiedError,
} from '../../common/errors';

/** A StudioError as plain data: what structured clone keeps of an Error loses its `code`. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly stack: string | null;
  /** Text of the causes, outermost first; their objects stay where they were thrown. */
  readonly causes: readonly string[];
}

/** The answer to a call: Comlink's own throw handler keeps `message` and `name` only, so errors cross as values. */
export type WireResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: WireError };

const errorClasses: Record<ErrorCode, new (message: string, options?: ErrorOptions) => StudioError> = {
  'invalid-input': InvalidInputError,
  'invalid-config': InvalidConfigError,
  'weights-format': WeightsFormatError,
  'state-dict': StateDictError,
  'model-not-found': ModelNotFoundError,
  'backend-unavailable': BackendUnavailableError,
  'device-lost': DeviceLostError,
  'worker-died': WorkerDiedError,
  'out-of-memory': OutOfMemoryError,
  'non-finite': NonFiniteError,
  cancelled: JobCancelledError,
  network: NetworkError,
  storage: StorageError,
  internal: InternalError,
};

/** What engines say when memory ends: V8 (typed arrays, wasm growth), emscripten (abort), WebGPU. */
const OUT_OF_MEMORY =
  /allocation failed|out of memory|\bOOM\b|memory access out of bounds|could not allocate|invalid typed array length/i;

/** Any thrown value as a StudioError; what nobody foresaw becomes `InternalError` with the original as its cause. */
export function asStudioError(thrown: unknown): StudioError {
  if (thrown instanceof StudioError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const name = thrown instanceof Error || thrown instanceof DOMException ? thrown.name : '';
  const options = { cause: thrown };
  if (name === 'AbortError') return new JobCancelledError('The job was cancelled.', options);
  if (name === 'QuotaExceededError') {
    return new StorageError(
      'The browser gives the studio no more storage. Remove a model, or free space on the disk, and try again.',
      options,
    );
  }
  if (OUT_OF_MEMORY.test(message)) {
    return new OutOfMemoryError(
      `Memory ended (${message}). Close other tabs, ask for a shorter sound or fewer takes, or use a smaller model.`,
      options,
    );
  }
  return new InternalError(
    `Something unforeseen happened in the engine: ${message || 'no message'}. Trying again may help; if it does not, please report it with this text.`,
    options,
  );
}

export function toWireError(thrown: unknown): WireError {
  const error = asStudioError(thrown);
  const causes: string[] = [];
  for (let cause = error.cause; cause !== undefined && causes.length < 8; ) {
    causes.push(cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause));
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return { code: error.code, message: error.message, stack: error.stack ?? null, causes };
}

/** The error as its class again; `cause` is a chain of plain errors with the texts of the original causes. */
export function fromWireError(wire: WireError): StudioError {
  const cause = wire.causes.reduceRight<Error | undefined>(
    (inner, text) => new Error(text, inner ? { cause: inner } : undefined),
    undefined,
  );
  const ErrorClass = errorClasses[wire.code] ?? InternalError;
  const error = new ErrorClass(wire.message, cause ? { cause } : undefined);
  if (wire.stack) error.stack = wire.stack;
  return error;
}

export async function settle<T>(run: () => Promise<T>): Promise<WireResult<T>> {
  try {
    return { ok: true, value: await run() };
  } catch (thrown) {
    return { ok: false, error: toWireError(thrown) };
  }
}

/** @throws the StudioError the other side threw */
export function unwrap<T>(result: WireResult<T>): T {
  if (result.ok) return result.value;
  throw fromWireError(result.error);
}
