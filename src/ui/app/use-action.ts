import { useStore } from 'zustand';
import { useStudio } from '../stores/studio-context';
import { type ActionId, actionById } from './actions';
import { shortcutText } from './shortcut-text';

export interface BoundAction {
  readonly label: string;
  readonly shortcut: string;
  readonly enabled: boolean;
  readonly run: () => void;
}

/** An action for a button: whether it can run follows the stores. */
export function useAction(id: ActionId): BoundAction {
  const studio = useStudio();
  const action = actionById(id);
  const check = () => action.enabled(studio);
  // `enabled` may look at any of these stores; each selector returns the same boolean.
  const enabled = [
    useStore(studio.generations, check),
    useStore(studio.engine, check),
    useStore(studio.models, check),
    useStore(studio.player, check),
  ].every(Boolean);
  return {
    label: action.label,
    shortcut: shortcutText(action.shortcut),
    enabled,
    run: () => action.run(studio),
  };
}
