/**
 * The studio's errors: one class for each decision a caller can take, each with a literal `code` that survives
 * the worker boundary. A message says what was expected, what came, and what to do.
 */

export type ErrorCode =
  | 'invalid-input'
  | 'invalid-config'
  | 'weights-format'
  | 'state-dict'
  | 'model-not-found'
  | 'backend-unavailable'
  | 'device-lost'
  | 'worker-died'
  | 'out-of-memory'
  | 'non-finite'
  | 'cancelled'
  | 'network'
  | 'storage'
  | 'internal';

/** Names out of files stand in messages, and a hostile file has names of megabytes, which no dialog can show. */
const MOST_CHARACTERS = 10_000;

export abstract class StudioError extends Error {
  abstract readonly code: ErrorCode;
  constructor(message: string, options?: ErrorOptions) {
    super(message.length > MOST_CHARACTERS ? `${message.slice(0, MOST_CHARACTERS)}…` : message, options);
    this.name = new.target.name;
  }
}

/** A value given by a person or a script is outside what the studio accepts: change it and try again. */
export class InvalidInputError extends StudioError {
  readonly code = 'invalid-input';
}
/** A config.json asks for something the model class does not have, or lacks a field. */
export class InvalidConfigError extends StudioError {
  readonly code = 'invalid-config';
}
/** A weights file is not what its format says (bytes, offsets, sizes). */
export class WeightsFormatError extends StudioError {
  readonly code = 'weights-format';
}
/** The tensors of a checkpoint do not match the model's parameters (missing, unexpected, other shape). */
export class StateDictError extends StudioError {
  readonly code = 'state-dict';
}
export class ModelNotFoundError extends StudioError {
  readonly code = 'model-not-found';
}
/** Neither WebGPU nor WebAssembly SIMD can be used, or the forced one cannot. */
export class BackendUnavailableError extends StudioError {
  readonly code = 'backend-unavailable';
}
/** The GPU device was lost (driver reset, time-out, sleep): the job can be tried again. */
export class DeviceLostError extends StudioError {
  readonly code = 'device-lost';
}
/** The worker ended without an answer: the job can be tried again on a new one. */
export class WorkerDiedError extends StudioError {
  readonly code = 'worker-died';
}
export class OutOfMemoryError extends StudioError {
  readonly code = 'out-of-memory';
}
/** A stage produced NaN or infinity; the message names the stage. */
export class NonFiniteError extends StudioError {
  readonly code = 'non-finite';
}
/** The person cancelled the job. */
export class JobCancelledError extends StudioError {
  readonly code = 'cancelled';
}
export class NetworkError extends StudioError {
  readonly code = 'network';
}
export class StorageError extends StudioError {
  readonly code = 'storage';
}
/** Anything unforeseen: a bug of the studio. */
export class InternalError extends StudioError {
  readonly code = 'internal';
}
