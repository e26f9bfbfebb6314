import type { AddedToken } from '@huggingface/tokenizers';

/** A stretch of text, or an added token standing in it. */
export type TextSection = { readonly text: string } | { readonly tokenId: number };

/**
 * Finds added tokens (`</s>`, `<extra_id_0>`) in a text: leftmost first, the longest of those that start at one place.
 * `lstrip` and `rstrip` tokens take the white space beside them along.
 */
export class AddedTokenSplitter {
  readonly #pattern: RegExp | null;
  readonly #idOf: ReadonlyMap<string, number>;

  constructor(tokens: readonly AddedToken[]) {
    this.#idOf = new Map(tokens.map((token) => [token.content, token.id]));
    const alternatives = [...tokens]
      .filter((token) => token.content.length > 0)
      .sort((a, b) => b.content.length - a.content.length)
      .map(tokenPattern);
    this.#pattern = alternatives.length > 0 ? new RegExp(alternatives.join('|'), 'gu') : null;
  }

  split(text: string): TextSection[] {
    const sections: TextSection[] = [];
    let end = 0;
    for (const match of this.#pattern ? text.matchAll(this.#pattern) : []) {
      const tokenId = this.#idOf.get(match.find((group, i) => i > 0 && group !== undefined) ?? '');
      if (tokenId === undefined) continue;
      if (match.index > end) sections.push({ text: text.slice(end, match.index) });
      sections.push({ tokenId });
      end = match.index + match[0].length;
    }
    if (end < text.length) sections.push({ text: text.slice(end) });
    return sections;
  }
}

function tokenPattern(token: AddedToken): string {
  const content = `(${token.content.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&')})`;
  const bounded = token.single_word ? `(?<![\\p{L}\\p{N}_])${content}(?![\\p{L}\\p{N}_])` : content;
  return `${token.lstrip ? '\\p{White_Space}*' : ''}${bounded}${token.rstrip ? '\\p{White_Space}*' : ''}`;
}
