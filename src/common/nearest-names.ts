import { quoted } from './quoted';

const MOST = 3;

/**
 * Up to three candidates whose dotted or underscored parts have most in common with the name's, best first, quoted;
 * none that shares less than half.
 *
 * @param bonus more for a candidate that fits otherwise (by its shape, say), in the worth of shared parts
 */
export function nearestNames(
  name: string,
  candidates: readonly string[],
  bonus: (candidate: string) => number = () => 0,
): readonly string[] {
  const parts = partsOf(name);
  const segments = new Set(parts);
  return candidates
    .map((candidate) => {
      const others = partsOf(candidate);
      const shared = others.filter((part) => segments.has(part)).length;
      const score = (2 * shared) / (segments.size + others.length) + bonus(candidate) / segments.size;
      return { candidate, score };
    })
    .filter(({ score }) => score >= 0.5)
    .sort((a, b) => b.score - a.score)
    .slice(0, MOST)
    .map(({ candidate }) => quoted(candidate));
}

function partsOf(name: string): readonly string[] {
  return name.split(/[._]/);
}
