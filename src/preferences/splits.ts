import { promptKey } from '../common/prompt-key';
import { seedOf } from './candidates/plan-candidates';

export type SplitName = 'train' | 'validation' | 'test';

export interface SplitShares {
  /** 0…1; the rest is for training. */
  readonly validation: number;
  readonly test: number;
}

/** By prompt, never by pair: all pairs of a caption, however it is written, are in one split. */
export function splitOf(prompt: string, { validation, test }: SplitShares, seed = 0): SplitName {
  let hash = seed >>> 0;
  for (const letter of promptKey(prompt)) hash = seedOf(hash, letter.codePointAt(0)!, 0);
  const share = hash / 2 ** 32;
  if (share < test) return 'test';
  return share < test + validation ? 'validation' : 'train';
}
