/** What keys do while a pair is listened to, in tinykeys' notation: the listening view and the sheet of keys have it from here. */
export const LISTEN_KEYS = {
  hearLeft: { label: 'Hear A', shortcut: 'a' },
  hearRight: { label: 'Hear B', shortcut: 'b' },
  left: { label: 'A is better', shortcut: 'ArrowLeft' },
  right: { label: 'B is better', shortcut: 'ArrowRight' },
  tie: { label: 'Tie', shortcut: 'ArrowDown' },
  bothBad: { label: 'Both bad', shortcut: 'ArrowUp' },
  skip: { label: 'Skip', shortcut: 's' },
  undo: { label: 'Undo', shortcut: '$mod+z' },
} as const satisfies Record<string, { readonly label: string; readonly shortcut: string }>;
