import { InvalidConfigError } from '../common/errors';

/** More than any size of a model; a file that asks for more would be worked on for hours. */
const LARGEST = 2 ** 20;

/**
 * Reads a model's config.json field by field. Every complaint is an InvalidConfigError that names the model, the
 * field, the value that came and what is supported, so that a person can tell a broken file from a foreign model.
 *
 * A field that is absent or null takes the fallback; without one it is an error.
 */
export class ConfigReader {
  readonly #fields: ReadonlyMap<string, unknown>;
  readonly #read = new Set<string>();

  constructor(
    json: unknown,
    private readonly model: string,
  ) {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw new InvalidConfigError(
        `The config.json of ${model} should hold a JSON object, but holds ${quoted(json)}. Take the file from the model's own folder.`,
      );
    }
    this.#fields = new Map(Object.entries(json));
  }

  /** Whether the field is there and not null. */
  has(field: string): boolean {
    return this.raw(field) !== undefined;
  }

  /** The field as it is in the file; undefined when absent or null. */
  raw(field: string): unknown {
    this.#read.add(field);
    return this.#fields.get(field) ?? undefined;
  }

  integer(field: string, fallback?: number, minimum = 1, maximum = LARGEST): number {
    const value = this.#valueOr(field, fallback);
    if (!isInteger(value, minimum, maximum)) {
      return this.refuse(field, `an integer from ${minimum} to ${maximum}`);
    }
    return value;
  }

  number(field: string, fallback?: number): number {
    const value = this.#valueOr(field, fallback);
    if (typeof value !== 'number' || !Number.isFinite(value)) return this.refuse(field, 'a finite number');
    return value;
  }

  boolean(field: string, fallback?: boolean): boolean {
    const value = this.#valueOr(field, fallback);
    if (typeof value !== 'boolean') return this.refuse(field, 'true or false');
    return value;
  }

  oneOf<const T extends string>(field: string, supported: readonly T[], fallback?: T): T {
    const value = this.#valueOr(field, fallback);
    const found = supported.find((candidate) => candidate === value);
    return found ?? this.refuse(field, listed(supported));
  }

  /** A list of names, each one of `supported`. */
  listOf<const T extends string>(
    field: string,
    supported: readonly T[],
    fallback?: readonly T[],
  ): readonly T[] {
    const value = this.#valueOr(field, fallback);
    if (!Array.isArray(value) || value.length === 0)
      return this.refuse(field, `a list of ${listed(supported)}`);
    return value.map(
      (entry) => supported.find((s) => s === entry) ?? this.refuse(field, `a list of ${listed(supported)}`),
    );
  }

  /** A list of integers of at least 1. */
  integers(field: string, fallback?: readonly number[]): readonly number[] {
    const value = this.#valueOr(field, fallback);
    if (!Array.isArray(value) || value.length === 0 || !value.every((entry) => isInteger(entry, 1))) {
      return this.refuse(field, `a list of integers from 1 to ${LARGEST}`);
    }
    return value;
  }

  /** One integer for all `levels` or a list of one for each. */
  integerPerLevel(field: string, levels: number, fallback?: number): readonly number[] {
    const value = this.#valueOr(field, fallback);
    if (isInteger(value, 1)) return new Array<number>(levels).fill(value);
    if (Array.isArray(value) && value.length === levels && value.every((entry) => isInteger(entry, 1)))
      return value;
    return this.refuse(field, `an integer from 1 to ${LARGEST}, or a list of ${levels} of them`);
  }

  /** One boolean for all `levels` or a list of one for each. */
  booleanPerLevel(field: string, levels: number, fallback?: boolean): readonly boolean[] {
    const value = this.#valueOr(field, fallback);
    if (typeof value === 'boolean') return new Array<boolean>(levels).fill(value);
    if (
      Array.isArray(value) &&
      value.length === levels &&
      value.every((entry) => typeof entry === 'boolean')
    ) {
      return value;
    }
    return this.refuse(field, `true or false, or a list of ${levels} of them`);
  }

  /** Refuses any value of an option the studio does not have; `supported` is what leaves it off. */
  only(field: string, ...supported: readonly (string | number | boolean | null)[]): void {
    const value = this.raw(field);
    if (value === undefined || supported.some((candidate) => candidate === value)) return;
    this.refuse(field, listed(supported));
  }

  /**
   * Refuses fields that nobody read, unless they are off (null or false), start with `_` or are in `harmless`:
   * an option unknown to the studio could change what the weights mean.
   */
  refuseUnread(harmless: readonly string[] = []): void {
    for (const [field, value] of this.#fields) {
      const off = value === null || value === false;
      if (off || field.startsWith('_') || this.#read.has(field) || harmless.includes(field)) continue;
      throw new InvalidConfigError(
        `The config.json of ${this.model} sets "${field}" to ${quoted(value)}, an option this studio does not know. ` +
          'Remove it if it does not change the model, or use a checkpoint without it.',
      );
    }
  }

  /** Throws the InvalidConfigError of a field whose value is not `expected` (in words). */
  refuse(field: string, expected: string): never {
    throw new InvalidConfigError(
      `The config.json of ${this.model} has ${quoted(this.#fields.get(field))} for "${field}"; this studio supports ` +
        `${expected}. Use a checkpoint with a supported value, or correct the file.`,
    );
  }

  #valueOr(field: string, fallback: unknown): unknown {
    return this.raw(field) ?? fallback;
  }
}

function isInteger(value: unknown, minimum: number, maximum = LARGEST): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= minimum && value <= maximum;
}

function listed(values: readonly (string | number | boolean | null)[]): string {
  return values.map((value) => JSON.stringify(value)).join(', ');
}

function quoted(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > 120 ? `${text.slice(0, 117)}…` : text;
}
