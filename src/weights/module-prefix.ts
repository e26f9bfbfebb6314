import { renameStateDict, type StateDict } from './state-dict';

const PREFIX = 'module.';

/**
 * The state dict of a model that was trained as `DataParallel`, whose every name begins with `module.`, under the
 * model's own names; another one as it is.
 *
 * @throws StateDictError when a tensor is there under both names
 */
export function withoutModulePrefix(stateDict: StateDict): StateDict {
  return renameStateDict(stateDict, (name) => (name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name));
}
