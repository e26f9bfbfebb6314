import { useEffect } from 'react';
import { tinykeys } from 'tinykeys';
import type { Studio } from '../stores/studio';
import { type Action, actions } from './actions';

/** Elements that take text: there, plain keys write. */
function takesText(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (
    target.isContentEditable ||
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement
  ) {
    return true;
  }
  return target instanceof HTMLInputElement && target.type !== 'radio' && target.type !== 'checkbox';
}

/** Elements for which Space and Home mean something already. */
function usesSpace(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    target.closest('button, a, summary, input, [role="slider"][aria-orientation]') !== null
  );
}

export function shortcutApplies(action: Action, event: KeyboardEvent, studio: Studio): boolean {
  if (event.defaultPrevented || event.isComposing || studio.view.getState().dialog !== null) return false;
  if (action.panel && action.panel !== studio.view.getState().panel) return false;
  if (action.shortcut.startsWith('$mod')) return true;
  if (takesText(event.target)) return false;
  if (action.shortcut === 'Space' || action.shortcut === 'Home') return !usesSpace(event.target);
  return studio.appearance.getState().singleKeyShortcuts;
}

/** The keyboard side of the action table, for as long as the caller is mounted. */
export function useShortcuts(studio: Studio): void {
  useEffect(() => {
    const keys = new Set(actions.map(({ shortcut }) => shortcut));
    const bindings = [...keys].map((key) => [
      key,
      (event: KeyboardEvent) => {
        const action = actions.find(
          (one) => one.shortcut === key && shortcutApplies(one, event, studio) && one.enabled(studio),
        );
        if (!action) return;
        event.preventDefault();
        action.run(studio);
      },
    ]);
    return tinykeys(window, Object.fromEntries(bindings));
  }, [studio]);
}
