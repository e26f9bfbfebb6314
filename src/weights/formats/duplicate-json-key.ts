/**
 * The first key that comes twice in one object of a valid JSON text, or null. `JSON.parse` keeps the last of two
 * equal keys without a word, so a file could show one tensor to a checker and another to the loader.
 *
 * One pass over the text, which must have passed `JSON.parse`; O(length) time, O(keys) memory.
 */
export function duplicateJsonKey(text: string): string | null {
  const stack: (Set<string> | null)[] = [];
  for (let i = 0; i < text.length; i += 1) {
    const character = text[i];
    if (character === '{') stack.push(new Set());
    else if (character === '[') stack.push(null);
    else if (character === '}' || character === ']') stack.pop();
    else if (character === '"') {
      const end = stringEnd(text, i);
      const keys = stack.at(-1);
      if (keys && isKey(text, end)) {
        const key: string = JSON.parse(text.slice(i, end));
        if (keys.has(key)) return key;
        keys.add(key);
      }
      i = end - 1;
    }
  }
  return null;
}

/** The index after the closing quote of the string that opens at `start`. */
function stringEnd(text: string, start: number): number {
  let i = start + 1;
  while (i < text.length && text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
  return i + 1;
}

function isKey(text: string, end: number): boolean {
  let i = end;
  while (i < text.length && /\s/.test(text[i]!)) i += 1;
  return text[i] === ':';
}
