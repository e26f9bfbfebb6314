const isApple = typeof navigator === 'object' && /Mac|iPhone|iPad|iPod/.test(navigator.platform);

const names: Record<string, string> = {
  $mod: isApple ? '⌘' : 'Ctrl',
  Shift: '',
  Enter: isApple ? '↩' : 'Enter',
  ArrowLeft: '←',
  ArrowRight: '→',
  ArrowUp: '↑',
  ArrowDown: '↓',
};

/** The keys of a tinykeys shortcut, as written on the keyboard: `$mod+Enter` is Ctrl, Enter. */
export function shortcutKeys(shortcut: string): readonly string[] {
  return shortcut
    .split(/\b\+/)
    .map((key) => names[key] ?? (key.length === 1 ? key.toUpperCase() : key))
    .filter((key) => key !== '');
}

export function shortcutText(shortcut: string): string {
  return shortcutKeys(shortcut).join(isApple ? '' : '+');
}
