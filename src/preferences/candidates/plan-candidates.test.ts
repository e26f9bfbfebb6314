import { describe, expect, it } from 'vitest';
import { CANDIDATE_DEFAULTS, clipIdOf, forecastWork, planCandidates, seedOf } from './plan-candidates';

const FIVE = ['one', 'two', 'three', 'four', 'five'];
const PROMPTS = [
  { prompt: 'a dog barks then a bell rings', perturbed: FIVE, temporal: FIVE.map((text) => `${text} then`) },
  { prompt: 'rain falls', perturbed: FIVE, temporal: FIVE },
];

describe('The plan of candidates', () => {
  it('is the paper’s: four step counts, four seeds, five wrong captions, five wrong orders where there is one', () => {
    const groups = planCandidates(PROMPTS, CANDIDATE_DEFAULTS);
    const shown = groups.map(({ id, ranking, candidates }) => [
      id,
      ranking,
      candidates.map(({ recipe }) => recipe!.steps).join(),
    ]);
    expect(shown).toEqual([
      ['0-1.1', 'best-of-all', '5,25,50,100'],
      ['0-1.2', 'best-of-all', '50,50,50,50'],
      ['0-2', 'first-wins', '50,50,50,50,50,50'],
      ['0-3', 'first-wins', '50,50,50,50,50,50'],
      ['1-1.1', 'best-of-all', '5,25,50,100'],
      ['1-1.2', 'best-of-all', '50,50,50,50'],
      ['1-2', 'first-wins', '50,50,50,50,50,50'],
    ]);
    const third = groups[3]!.candidates.map(({ recipe }) => recipe!);
    expect(third.map(({ prompt }) => prompt)).toEqual([PROMPTS[0]!.prompt, ...PROMPTS[0]!.temporal]);
    expect(third.every(({ guidanceScale }) => guidanceScale === 3)).toBe(true);
  });

  it('makes what strategies share once: 1.2’s clips serve 2, 3 and the 50 steps of 1.1', () => {
    const groups = planCandidates(PROMPTS.slice(0, 1), CANDIDATE_DEFAULTS);
    const [one, two, three, four] = groups.map(({ candidates }) => candidates.map(({ clipId }) => clipId));
    expect(three![0]).toBe(two![0]);
    expect(four![0]).toBe(two![0]);
    expect(one![2]).toBe(two![2]);
    const work = forecastWork(groups, 16_000);
    expect(work.clips).toBe(4 + 3 + 5 + 5);
    expect(work.unetPasses).toBe(2 * (5 + 25 + 50 + 100 + 3 * 50 + 10 * 50));
    expect(work.storageBytes).toBe(17 * (44 + 2 * 81_920));
  });

  it('repeats for one seed, and shares no seed with another prompt', () => {
    expect(planCandidates(PROMPTS, CANDIDATE_DEFAULTS)).toEqual(planCandidates(PROMPTS, CANDIDATE_DEFAULTS));
    const seeds = new Set<number>();
    for (let prompt = 0; prompt < 500; prompt += 1) {
      for (let clip = 0; clip < 12; clip += 1) seeds.add(seedOf(0, prompt, clip));
    }
    expect(seeds.size).toBe(6000);
    expect(planCandidates(PROMPTS, { ...CANDIDATE_DEFAULTS, seed: 1 })[0]!.candidates[0]!.clipId).not.toBe(
      planCandidates(PROMPTS, CANDIDATE_DEFAULTS)[0]!.candidates[0]!.clipId,
    );
  });

  it('names clips apart by each field of the recipe', () => {
    const recipe = planCandidates(PROMPTS, CANDIDATE_DEFAULTS)[0]!.candidates[0]!.recipe!;
    const others = [
      { ...recipe, prompt: 'x' },
      { ...recipe, steps: 6 },
      { ...recipe, guidanceScale: 2 },
      { ...recipe, scheduler: 'ddim' as const },
      { ...recipe, seed: 1 },
      { ...recipe, durationSeconds: 1 },
    ];
    expect(new Set([recipe, ...others].map(clipIdOf)).size).toBe(7);
  });

  it('refuses settings that make no pairs', () => {
    const plan = (change: object) => () => planCandidates(PROMPTS, { ...CANDIDATE_DEFAULTS, ...change });
    expect(plan({ strategies: [] })).toThrow(/strategies/);
    expect(plan({ stepsOfStrategy11: [5] })).toThrow(/2 to 16/);
    expect(plan({ stepsOfStrategy11: [5, 0] })).toThrow(/1 to 1000/);
    expect(plan({ clipsOfStrategy12: 1 })).toThrow(/2 to 16/);
    expect(plan({ guidanceScale: Number.NaN })).toThrow(/guidanceScale/);
    expect(plan({ seed: -1 })).toThrow(/seed/);
  });
});
