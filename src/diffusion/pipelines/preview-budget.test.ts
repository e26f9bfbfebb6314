import { describe, expect, it } from 'vitest';
import { PreviewBudget } from './preview-budget';

/** Runs 40 steps of `step` seconds, with previews of `preview` seconds; the steps that had one. */
async function previewsOf(step: number, preview: number): Promise<{ steps: number[]; seconds: number }> {
  let clock = 0;
  const budget = new PreviewBudget(() => clock);
  const steps: number[] = [];
  for (let i = 0; i < 40; i += 1) {
    clock += step;
    if (!budget.isDue(i, 40)) continue;
    steps.push(i);
    await budget.spend(async () => {
      clock += preview;
    });
  }
  return { steps, seconds: clock };
}

describe('PreviewBudget', () => {
  it('shows the first preview after one slow step or two fast ones', async () => {
    expect((await previewsOf(0.7, 0.5)).steps[0]).toBe(0);
    expect((await previewsOf(0.1, 0.5)).steps[0]).toBe(1);
  });

  it('spends at most 15 % of the time on the others', async () => {
    const { steps, seconds } = await previewsOf(0.3, 0.4);
    expect(steps.length).toBeGreaterThan(2);
    expect(steps.length * 0.4).toBeLessThanOrEqual(0.15 * seconds + 0.4);
  });

  it('shows every step when previews cost nothing, but not the last: the result follows', async () => {
    const { steps } = await previewsOf(0.6, 0);
    expect(steps).toEqual(Array.from({ length: 39 }, (_, i) => i));
  });
});
