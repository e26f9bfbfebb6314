import { byPair } from './agreement';
import type { Vote } from './vote';
import { countedVotes } from './vote';

/** z of a two-sided 95 % interval. */
const Z = 1.959963984540054;

export interface WinRate {
  readonly votes: number;
  /** Share of the answers for CLAP's winner, ties as halves; null without answers. */
  readonly rate: number | null;
  /** Wilson's 95 % interval. */
  readonly interval: readonly [number, number] | null;
}

/**
 * How often ears say what CLAP says. "Both bad" counts as a tie: neither is preferred.
 * @param winnerOf which of a pair's two candidates CLAP chose
 */
export function clapWinRate(votes: readonly Vote[], winnerOf: ReadonlyMap<string, 'a' | 'b'>): WinRate {
  let [count, wins] = [0, 0];
  for (const [pairId, own] of byPair(votes)) {
    const winner = winnerOf.get(pairId);
    if (!winner) continue;
    for (const { choice } of countedVotes(own)) {
      count += 1;
      wins += choice === winner ? 1 : choice === 'a' || choice === 'b' ? 0 : 0.5;
    }
  }
  if (count === 0) return { votes: 0, rate: null, interval: null };
  const rate = wins / count;
  const middle = (rate + (Z * Z) / (2 * count)) / (1 + (Z * Z) / count);
  const reach =
    (Z / (1 + (Z * Z) / count)) * Math.sqrt((rate * (1 - rate)) / count + (Z * Z) / (4 * count * count));
  return { votes: count, rate, interval: [Math.max(0, middle - reach), Math.min(1, middle + reach)] };
}
