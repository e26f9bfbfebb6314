import type { ParameterRoot } from '../../nn';
import type { StateDict } from '../../weights';
import type { ComponentName } from './model-index';

/** A model on the backend and the parameters it owns. */
export interface LoadedComponent<M> {
  readonly model: M;
  readonly parameters: ParameterRoot;
}

/** A component and where its parameters come from. */
export interface Plan<M> extends LoadedComponent<M> {
  readonly component: ComponentName;
  /** Of the reference, for summaries. */
  readonly className: string;
  /** For a person, while it is loaded. */
  readonly label: string;
  readonly stateDict: StateDict;
  readonly ignoreUnexpected: readonly RegExp[];
}

/** What one component expects of another: name and value, and what gives it another. */
export type Expectation = readonly [what: string, value: number, other: string, expected: number];

/** Those that do not hold, in words. */
export function unmet(expectations: readonly Expectation[]): readonly string[] {
  return expectations
    .filter(([, value, , expected]) => value !== expected)
    .map(([what, value, other, expected]) => `${what} is ${value}, but ${other} makes it ${expected}`);
}
