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

export interface SplitCount {
  readonly pairs: number;
  readonly prompts: number;
}

/** Pairs and prompts of each split. */
export function countSplits(
  pairs: readonly { readonly prompt: string }[],
  shares: SplitShares,
): Readonly<Record<SplitName, SplitCount>> {
  const splits = new Map<string, SplitName>();
  const counts = { train: 0, validation: 0, test: 0 };
  for (const { prompt } of pairs) {
    const key = promptKey(prompt);
    const split = splits.get(key) ?? splitOf(prompt, shares);
    splits.set(key, split);
    counts[split] += 1;
  }
  const all = [...splits.values()];
  const count = (split: SplitName): SplitCount => ({
    pairs: counts[split],
    prompts: all.filter((one) => one === split).length,
  });
  return { train: count('train'), validation: count('validation'), test: count('test') };
}
