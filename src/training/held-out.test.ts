import { describe, expect, it } from 'vitest';
import { splitByPrompt } from './held-out';

const PROMPTS = Array.from({ length: 20 }, (_, i) => `sound ${i}`);

describe('Held-out prompts', () => {
  it('are the same for the same seed, and as many as asked for', () => {
    const split = splitByPrompt(PROMPTS, 0.2, 7);
    expect(split.heldOut).toHaveLength(4);
    expect([...split.heldOut, ...split.training].sort((a, b) => a - b)).toEqual(PROMPTS.map((_, i) => i));
    expect(splitByPrompt(PROMPTS, 0.2, 7)).toEqual(split);
    expect(splitByPrompt(PROMPTS, 0.2, 8)).not.toEqual(split);
  });

  it('are held out however they are written, and repeats change nothing for the others', () => {
    const { heldOut } = splitByPrompt(PROMPTS, 0.2, 7);
    const again = PROMPTS.map((prompt) => `  ${prompt.toUpperCase()}.`);
    expect(splitByPrompt([...PROMPTS, ...again], 0.2, 7).heldOut).toEqual([
      ...heldOut,
      ...heldOut.map((i) => i + PROMPTS.length),
    ]);
  });

  it('are none where one prompt would be a large share', () => {
    expect(splitByPrompt(['a', 'A', 'b.', 'b', 'c', 'd'], 0.5, 1).heldOut).toEqual([]);
  });
});
