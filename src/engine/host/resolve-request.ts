import { InvalidInputError } from '../../common/errors';
import type {
  AdapterUse,
  GenerateRequest,
  ModelSummary,
  ResolvedGenerateRequest,
  TensorData,
} from '../protocol';
import type { BenchmarkRequest } from '../protocol-benchmark';
import {
  BENCHMARK_DEFAULTS,
  BENCHMARK_LIMITS,
  GENERATE_DEFAULTS,
  GENERATE_LIMITS,
  SCHEDULER_NAMES,
} from '../protocol-limits';

type Bounds = { readonly min: number; readonly max: number };

/**
 * Checks what a person or a script asks for and fills in the defaults, without a model: its id and its bounds on the
 * duration come with `checkDuration`, when it is loaded.
 *
 * Lone surrogates, which no tokenizer can read, become U+FFFD as in the tokenizer itself.
 *
 * @throws InvalidInputError naming the field, what was expected, what came
 */
export function resolveRequest(request: GenerateRequest, modelId: string): ResolvedGenerateRequest {
  if (typeof request !== 'object' || request === null) {
    throw new InvalidInputError(`generate takes an object with a prompt, but ${shown(request)} came.`);
  }
  const { seed, count } = GENERATE_LIMITS;
  return {
    prompt: promptOf(request.prompt),
    negativePrompt: negativePromptOf(request.negativePrompt ?? GENERATE_DEFAULTS.negativePrompt),
    steps: integer('steps', request.steps ?? GENERATE_DEFAULTS.steps, GENERATE_LIMITS.steps),
    guidanceScale: number(
      'guidanceScale',
      request.guidanceScale ?? GENERATE_DEFAULTS.guidanceScale,
      GENERATE_LIMITS.guidanceScale,
    ),
    scheduler: schedulerOf(request.scheduler ?? GENERATE_DEFAULTS.scheduler),
    seed: integer('seed', request.seed ?? randomSeed(), seed),
    durationSeconds: number('durationSeconds', request.durationSeconds ?? GENERATE_DEFAULTS.durationSeconds, {
      min: 0,
      max: Number.MAX_VALUE,
    }),
    count: integer('count', request.count ?? GENERATE_DEFAULTS.count, count),
    modelId,
    ...(request.adapters === undefined ? {} : { adapters: adaptersOf(request.adapters) }),
  };
}

/** @throws InvalidInputError naming the field, what was expected, what came */
export function resolveBenchmark(request: BenchmarkRequest): Required<BenchmarkRequest> {
  if (typeof request !== 'object' || request === null) {
    throw new InvalidInputError(`benchmark takes an object or nothing, but ${shown(request)} came.`);
  }
  return {
    runs: integer('runs', request.runs ?? BENCHMARK_DEFAULTS.runs, BENCHMARK_LIMITS.runs),
    durationSeconds: number(
      'durationSeconds',
      request.durationSeconds ?? BENCHMARK_DEFAULTS.durationSeconds,
      { min: 0, max: Number.MAX_VALUE },
    ),
  };
}

/** @throws InvalidInputError when the model does not make sounds of that length */
export function checkDuration(durationSeconds: number, model: ModelSummary): void {
  number(`durationSeconds (of the model "${model.name}")`, durationSeconds, {
    min: model.minDurationSeconds,
    max: model.maxDurationSeconds,
  });
}

/**
 * Checks that a tensor from a script is one: float32 numbers, all finite, as many as its shape says.
 * @param axes what the axes mean, for the message
 * @throws InvalidInputError
 */
export function checkTensor(what: string, tensor: TensorData, axes: readonly string[]): void {
  const expected = `${what} must be { data: Float32Array, shape: [${axes.join(', ')}] }`;
  if (typeof tensor !== 'object' || tensor === null || !(tensor.data instanceof Float32Array)) {
    throw new InvalidInputError(`${expected}, but ${shown(tensor)} came.`);
  }
  const { data, shape } = tensor;
  if (
    !Array.isArray(shape) ||
    shape.length !== axes.length ||
    !shape.every((size) => Number.isSafeInteger(size) && size > 0)
  ) {
    throw new InvalidInputError(`${expected}, but a shape of ${shown(shape)} came.`);
  }
  const size = shape.reduce((product: number, axis: number) => product * axis, 1);
  if (size !== data.length) {
    throw new InvalidInputError(
      `${expected}, but [${shape.join(', ')}] has ${size} elements and data has ${data.length}.`,
    );
  }
  const odd = data.findIndex((value) => !Number.isFinite(value));
  if (odd >= 0) {
    throw new InvalidInputError(`${expected} of finite numbers, but data[${odd}] is ${data[odd]}.`);
  }
}

function adaptersOf(adapters: unknown): readonly AdapterUse[] {
  const { adapters: most, adapterStrength } = GENERATE_LIMITS;
  if (!Array.isArray(adapters) || adapters.length > most) {
    throw new InvalidInputError(
      `adapters must be a list of at most ${most} { id, strength }, but ${shown(adapters)} came.`,
    );
  }
  const uses = adapters.map((use: Partial<Record<keyof AdapterUse, unknown>> | null): AdapterUse => {
    if (typeof use?.id !== 'string' || use.id === '') {
      throw new InvalidInputError(
        `Each of adapters must have the id of a run of train.runs(), but ${shown(use?.id)} came.`,
      );
    }
    return {
      id: use.id,
      strength: number(`The strength of adapter "${use.id}"`, use.strength, adapterStrength),
    };
  });
  const twice = uses.find(({ id }, i) => uses.findIndex((one) => one.id === id) < i);
  if (!twice) return uses;
  throw new InvalidInputError(
    `adapters names "${twice.id}" twice. Name each once, with the strength it should have.`,
  );
}

function promptOf(prompt: unknown): string {
  if (typeof prompt !== 'string') {
    throw new InvalidInputError(`The prompt must be a text, but ${shown(prompt)} came.`);
  }
  if (prompt.trim() === '') {
    throw new InvalidInputError(
      'The prompt is empty. Describe the sound in a sentence, for example "a dog barks and then a telephone rings".',
    );
  }
  return wellFormed('prompt', prompt);
}

function negativePromptOf(prompt: unknown): string {
  if (typeof prompt !== 'string') {
    throw new InvalidInputError(`The negative prompt must be a text, but ${shown(prompt)} came.`);
  }
  return wellFormed('negative prompt', prompt);
}

function wellFormed(what: string, text: string): string {
  if (text.length > GENERATE_LIMITS.promptLength) {
    throw new InvalidInputError(
      `The ${what} has ${text.length.toLocaleString('en')} characters; at most ${GENERATE_LIMITS.promptLength.toLocaleString('en')} are taken. Shorten it to a sentence or two.`,
    );
  }
  return text.replace(/\p{Surrogate}/gu, '\uFFFD');
}

function schedulerOf(name: unknown): ResolvedGenerateRequest['scheduler'] {
  const scheduler = SCHEDULER_NAMES.find((known) => known === name);
  if (scheduler) return scheduler;
  throw new InvalidInputError(
    `The scheduler must be one of ${SCHEDULER_NAMES.join(', ')}, but ${shown(name)} came.`,
  );
}

function number(what: string, value: unknown, { min, max }: Bounds): number {
  if (typeof value === 'number' && value >= min && value <= max) return value;
  const bounds = max === Number.MAX_VALUE ? `a number of at least ${min}` : `a number from ${min} to ${max}`;
  throw new InvalidInputError(`${what} must be ${bounds}, but ${shown(value)} came.`);
}

function integer(what: string, value: unknown, bounds: Bounds): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= bounds.min && value <= bounds.max)
    return value;
  throw new InvalidInputError(
    `${what} must be a whole number from ${bounds.min} to ${bounds.max}, but ${shown(value)} came.`,
  );
}

function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}

/** What came, short enough for a message. */
function shown(value: unknown): string {
  if (typeof value === 'string') return `"${value.slice(0, 40)}"`;
  if (Array.isArray(value)) return `[${value.slice(0, 8).map(String).join(', ')}]`;
  return typeof value === 'object' && value !== null
    ? `an object (${value.constructor?.name})`
    : String(value);
}
