import type { Shortcut } from './actions';

export type ViewShortcutId =
  | 'hear-a'
  | 'hear-b'
  | 'play-pair'
  | 'vote-a'
  | 'vote-b'
  | 'vote-tie'
  | 'vote-both-bad'
  | 'skip-pair'
  | 'undo-vote';

/** A key whose doing needs what its view knows, such as the pair that is heard: the view gives it while it is shown. */
export interface ViewShortcut extends Shortcut {
  readonly id: ViewShortcutId;
}

const inPairs = (id: ViewShortcutId, shortcut: string, label: string): ViewShortcut => ({
  id,
  label,
  shortcut,
  group: 'Listen to pairs',
  panel: 'preferences',
});

/** What the views bind, their buttons show and the sheet lists. */
export const viewShortcuts: readonly ViewShortcut[] = [
  inPairs('hear-a', 'a', 'Hear A, or stop it'),
  inPairs('hear-b', 'b', 'Hear B, or stop it'),
  inPairs('play-pair', 'Space', 'Play the one heard last, or stop'),
  inPairs('vote-a', 'ArrowLeft', 'A is better'),
  inPairs('vote-b', 'ArrowRight', 'B is better'),
  inPairs('vote-tie', 'ArrowDown', 'Tie'),
  inPairs('vote-both-bad', 'ArrowUp', 'Both bad'),
  inPairs('skip-pair', 's', 'Skip'),
  inPairs('undo-vote', '$mod+z', 'Take the last vote back'),
];

export function viewShortcut(id: ViewShortcutId): ViewShortcut {
  return viewShortcuts.find((one) => one.id === id)!;
}
