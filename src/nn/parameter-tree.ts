/**
 * Parameters are declared while a model is being built and filled by loading, so that building is synchronous and
 * loading can say at once all that does not match. No model knowledge here.
 */
import { InternalError, InvalidConfigError, StateDictError } from '../common/errors';
import type { StateDict } from '../weights/state-dict';
import type { ParameterLayout } from './layout';
import { type LoadOptions, loadParameters } from './load-parameters';
import { Parameter } from './parameter';
import { describeMismatches } from './state-dict-mismatch';

/** The largest models have some thousands; a config that asks for a billion layers ends here. */
const MAX_PARAMETERS = 20_000;

/** A place in the tree: layers declare their parameters here, under the names that PyTorch gives them. */
export class ParameterScope {
  constructor(
    private readonly parameters: Map<string, Parameter>,
    readonly path: string,
  ) {}

  /** The scope of a submodule; `name` may be an index or a dotted path ("to_out.0"). */
  child(name: string | number): ParameterScope {
    return new ParameterScope(this.parameters, this.pathOf(String(name)));
  }

  /**
   * Declares a parameter.
   *
   * @param torchShape its shape in the checkpoint
   * @param layout how its axes become ours
   * @throws InternalError when the name is taken, InvalidConfigError when a model has more than can be
   */
  weight(name: string, torchShape: readonly number[], layout: ParameterLayout): Parameter {
    const path = this.pathOf(name);
    if (this.parameters.has(path)) throw new InternalError(`The parameter "${path}" is declared twice.`);
    if (this.parameters.size >= MAX_PARAMETERS) {
      throw new InvalidConfigError(
        `The model's config.json asks for more than ${MAX_PARAMETERS} tensors ("${path}" is one more). Take the file from the model's own folder.`,
      );
    }
    const parameter = new Parameter(path, torchShape, layout);
    this.parameters.set(path, parameter);
    return parameter;
  }

  /** Those that were declared so far, here and in the scopes below, in the order of their declaration. */
  list(): readonly Parameter[] {
    const inside = this.path === '' ? '' : `${this.path}.`;
    return [...this.parameters.values()].filter(({ name }) => name.startsWith(inside));
  }

  private pathOf(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`;
  }
}

/** Owns the parameters of one model. */
export class ParameterRoot {
  private readonly parameters = new Map<string, Parameter>();
  readonly scope = new ParameterScope(this.parameters, '');

  /** All parameters in the order of their declaration. */
  list(): readonly Parameter[] {
    return [...this.parameters.values()];
  }

  /** Number of values, over all parameters. */
  get parameterCount(): number {
    return this.list().reduce((sum, parameter) => sum + parameter.elementCount, 0);
  }

  /** Bytes on the backend of the parameters that are loaded. */
  get byteLength(): number {
    return this.list().reduce((sum, parameter) => sum + parameter.byteLength, 0);
  }

  /**
   * Fills every parameter from a state dict, one tensor after another.
   *
   * @throws StateDictError listing every missing, unexpected and misshapen key; nothing is loaded then.
   */
  load(stateDict: StateDict, options?: LoadOptions): Promise<void> {
    return loadParameters(this.list(), stateDict, options);
  }

  /** Compares names and shapes, and reads nothing. @throws StateDictError as `load` does */
  check(stateDict: StateDict, ignoreUnexpected: readonly RegExp[] = []): void {
    const mismatches = describeMismatches(this.list(), stateDict, ignoreUnexpected);
    if (mismatches !== null) throw new StateDictError(mismatches);
  }

  dispose(): void {
    for (const parameter of this.parameters.values()) parameter.dispose();
  }
}
