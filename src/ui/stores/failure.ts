import type { ErrorCode } from '../../common/errors';

/** Why something did not work, in the form the panels show: `message` is the engine's own sentence. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}

export interface FailureHelp {
  readonly title: string;
  readonly whatToDo: string;
  /** Trying the same thing again can work without changing anything. */
  readonly retry: boolean;
}

const help: Record<ErrorCode, FailureHelp> = {
  'invalid-input': {
    title: 'A setting is out of range',
    whatToDo: 'Change the value named above, then generate again.',
    retry: false,
  },
  'invalid-config': {
    title: 'This model is not one the studio can run',
    whatToDo: 'Use a diffusers folder of the Tango family, or choose another model.',
    retry: false,
  },
  'weights-format': {
    title: 'A weights file is damaged',
    whatToDo: 'Copy or download the file again: it may have been cut short on its way.',
    retry: false,
  },
  'state-dict': {
    title: 'The weights do not fit the model',
    whatToDo: 'Check that the weights and the config.json come from the same checkpoint.',
    retry: false,
  },
  'model-not-found': {
    title: 'The model is not here',
    whatToDo: 'Choose another model on the Models panel, or import this one again.',
    retry: false,
  },
  'backend-unavailable': {
    title: 'This browser cannot run the model that way',
    whatToDo: 'Choose “Automatic” in the engine window, or use a current Chrome, Edge, Firefox or Safari.',
    retry: true,
  },
  'device-lost': {
    title: 'The graphics card stopped answering',
    whatToDo: 'Try again. If it happens again, close other heavy tabs or switch to WebAssembly.',
    retry: true,
  },
  'worker-died': {
    title: 'The engine stopped',
    whatToDo: 'It has been started again. Try again; finished takes are kept.',
    retry: true,
  },
  'out-of-memory': {
    title: 'Not enough memory',
    whatToDo: 'Ask for a shorter sound or close other tabs, then try again.',
    retry: true,
  },
  'non-finite': {
    title: 'The model produced numbers that are not sound',
    whatToDo: 'Try another seed or fewer guidance; if it stays, switch the backend or check the weights.',
    retry: true,
  },
  cancelled: { title: 'Cancelled', whatToDo: 'Finished takes are kept.', retry: true },
  network: {
    title: 'A file could not be fetched',
    whatToDo: 'Check the connection, then try again.',
    retry: true,
  },
  storage: {
    title: 'The browser’s storage did not take it',
    whatToDo: 'Free some space or leave private browsing, then try again.',
    retry: true,
  },
  internal: {
    title: 'Something in the studio broke',
    whatToDo: 'Try again. If it stays, reload the page and report the message above.',
    retry: true,
  },
};

export function helpFor(code: ErrorCode): FailureHelp {
  return help[code];
}

function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && value in help;
}

/** Any thrown value as a failure; an unknown error keeps its message under `internal`. */
export function toFailure(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Error && 'code' in error && isErrorCode(error.code))
    return { code: error.code, message };
  if (error instanceof Error && error.name === 'AbortError') return { code: 'cancelled', message };
  return { code: 'internal', message };
}
