/** What makes two captions one: case, spaces and the stop at the end do not tell them apart. */
export function promptKey(prompt: string): string {
  return prompt
    .normalize('NFKC')
    .toLowerCase()
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/[.!?\s]+$/, '');
}
