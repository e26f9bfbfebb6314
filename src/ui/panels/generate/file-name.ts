const MAX_STEM_LENGTH = 60;

/** `a-dog-barks-and-then-a-telephone-rings_seed-42.wav`: readable in a sound library, safe on every file system. */
export function wavFileName(prompt: string, seed: number): string {
  const words = prompt
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '') // accents go; the marks of other scripts are letters' own
    .normalize('NFC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-');
  const stem = [...words]
    .slice(0, MAX_STEM_LENGTH)
    .join('')
    .replace(/^-+|-+$/g, '');
  return `${stem || 'sound'}_seed-${seed}.wav`;
}
