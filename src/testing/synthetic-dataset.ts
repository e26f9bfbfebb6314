import type { PreferenceDataset } from '../engine/protocol-preferences';
import { VOCABULARY } from '../preferences/perturbation/vocabulary';
import type { Candidate, CandidateGroup } from '../preferences/types';
import type { Choice, Vote } from '../preferences/votes/vote';
import { VOTE_REASONS } from '../preferences/votes/vote';

const JOINTS = [' and then ', ' while ', ' before ', ', followed by ', ' and '];
const CHOICES: readonly Choice[] = ['a', 'b', 'a', 'b', 'tie', 'both-bad', 'skip'];
const MODELS = [
  { id: 'clap-a', name: 'CLAP A' },
  { id: 'clap-b', name: 'CLAP B' },
];

/** A dataset as large as Audio-alpaca: `pairCount` pairs of four strategies by two CLAPs, every seventh one voted on. */
export function syntheticDataset(pairCount: number): {
  readonly dataset: PreferenceDataset;
  readonly groups: readonly CandidateGroup[];
  readonly votes: readonly Vote[];
} {
  const random = generator(1);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const event = (): string => {
    const { subject, present } = pick(VOCABULARY);
    return `${subject} ${present}`;
  };
  const groups: CandidateGroup[] = [];
  const votes: Vote[] = [];
  for (let pairs = 0; pairs < pairCount; pairs += 3) {
    const prompt = `${event()}${pick(JOINTS)}${event()} ${pick(['', 'loudly', 'in the distance', `in room ${pairs}`])}`;
    const id = String(groups.length);
    const strategy = pick(['1.1', '1.2', '2', '3']);
    // Four sounds of one prompt are three pairs: the best of them against each of the others.
    const candidates = Array.from({ length: 4 }, (_, k): Candidate => {
      const quality = (k === 0 ? 0.5 : 0) + random() * 0.4;
      return {
        clipId: `${id}-${k}`,
        recipe: null,
        scores: { 'clap-a': quality, 'clap-b': 0.8 * quality + 0.2 * random() },
        check: {
          durationSeconds: 10,
          peak: random(),
          rms: 0.1 * random(),
          clippedShare: 0.002 * random(),
          contentHash: `${id}-${k}`,
        },
      };
    });
    groups.push({ id, prompt, strategy, ranking: 'best-of-all', candidates });
    if (groups.length % 2 === 0) {
      votes.push({
        id: `vote-${id}`,
        pairId: `${id}:0-1`,
        rater: pick(['Ada', 'Bo']),
        choice: pick(CHOICES),
        left: pick(['a', 'b']),
        reasons: [pick(VOTE_REASONS)],
        heardSeconds: { a: 2, b: 2 },
        repeat: false,
        at: new Date(groups.length * 1000).toISOString(),
      });
    }
  }
  const dataset: PreferenceDataset = {
    id: 'synthetic',
    name: 'Synthetic',
    source: 'generated',
    modelId: 'default',
    state: 'done',
    settings: null,
    promptCount: groups.length,
    groupCount: groups.length,
    clipCount: 4 * groups.length,
    clipsMade: 4 * groups.length,
    clapModels: MODELS,
    rankingModelId: null,
    selection: null,
    createdAt: '2026-01-01T00:00:00Z',
    failure: null,
  };
  return { dataset, groups, votes };
}

/** Numbers in 0…1 that are the same in every run (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
