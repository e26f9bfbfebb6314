const MOST_CHARACTERS = 100;

/** A name out of a file, in quotes for a message: a hostile one may have megabytes, of which nobody reads more. */
export function quoted(name: string): string {
  return name.length > MOST_CHARACTERS ? `"${name.slice(0, MOST_CHARACTERS)}…"` : `"${name}"`;
}
