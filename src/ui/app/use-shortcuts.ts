import { useEffect, useRef } from 'react';
import { tinykeys } from 'tinykeys';
import type { Studio } from '../stores/studio';
import { useStudio } from '../stores/studio-context';
import { actions, type Shortcut } from './actions';
import { type ViewShortcutId, viewShortcut } from './view-shortcuts';

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

export function shortcutApplies(action: Shortcut, event: KeyboardEvent, studio: Studio): boolean {
  if (event.defaultPrevented || event.isComposing || studio.view.getState().dialog !== null) return false;
  // A panel's own dialog, such as one that asks before something is removed.
  if (event.target instanceof Element && event.target.closest('dialog')) return false;
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

/** Keys of `viewShortcuts` for as long as the caller is mounted; in fields that take text they write, and undo there. */
export function useViewShortcuts(handlers: Partial<Record<ViewShortcutId, () => void>>): void {
  const studio = useStudio();
  const latest = useRef(handlers);
  useEffect(() => {
    latest.current = handlers;
  });
  const ids = Object.keys(handlers).join(' ');
  useEffect(() => {
    const bindings = (ids.split(' ') as ViewShortcutId[]).map((id) => {
      const shortcut = viewShortcut(id);
      const press = (event: KeyboardEvent): void => {
        // A key that is held would vote on pair after pair.
        if (event.repeat || takesText(event.target) || !shortcutApplies(shortcut, event, studio)) return;
        event.preventDefault();
        latest.current[id]?.();
      };
      return [shortcut.shortcut, press];
    });
    return tinykeys(window, Object.fromEntries(bindings));
  }, [ids, studio]);
}
