import type { WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';
import { describe, expect, it } from 'vitest';
import { type Stretch, SubmitBudget } from './submit-budget';

/** A program of so many operations. */
const program = (flops: number): WebGPUProgram =>
  ({ traffic: { flops, readBytes: 0, writeBytes: 0 } }) as unknown as WebGPUProgram;

/** How many dispatches of `flops` are handed over at once. */
function dispatchesPerSubmit(budget: SubmitBudget, flops: number): number {
  for (let count = 1; ; count += 1) {
    if (budget.add(program(flops))) {
      budget.submitted(0);
      budget.mark();
      return count;
    }
  }
}

/** Hands `flops` over at `now`, in milliseconds. */
function handOver(budget: SubmitBudget, flops: number, now: number): Stretch {
  budget.add(program(flops));
  budget.submitted(now);
  return budget.mark();
}

describe('SubmitBudget', () => {
  it('hands over a block of small dispatches', () => {
    expect(dispatchesPerSubmit(new SubmitBudget(), 1)).toBe(32);
  });

  it('takes an adapter that nothing is known of for a slow one', () => {
    expect(dispatchesPerSubmit(new SubmitBudget(), 5e9)).toBe(2);
  });

  it('gives a fast adapter a block of large dispatches, and a slow one a tenth of a second of work', () => {
    const budget = new SubmitBudget();
    budget.ended(handOver(budget, 10e12, 1000), 2000);
    expect(dispatchesPerSubmit(budget, 5e9)).toBe(32);
    budget.ended(handOver(budget, 0.25e12, 10_000), 11_000);
    expect(dispatchesPerSubmit(budget, 5e9)).toBe(5);
    budget.ended(handOver(budget, 1e9, 20_000), 21_000);
    expect(dispatchesPerSubmit(budget, 5e9)).toBe(1);
  });

  it('counts what is handed over while the adapter works from the end of what came before', () => {
    const budget = new SubmitBudget();
    const first = handOver(budget, 100e9, 0);
    const second = handOver(budget, 50e9, 10);
    budget.ended(first, 1000);
    expect(dispatchesPerSubmit(budget, 5e9)).toBe(2);
    budget.ended(second, 1100); // 500e9 a second
    expect(dispatchesPerSubmit(budget, 5e9)).toBe(10);
  });

  it('learns nothing from a little work, which waits for other things', () => {
    const budget = new SubmitBudget();
    budget.ended(handOver(budget, 1e6, 0), 5000);
    expect(dispatchesPerSubmit(budget, 1e9)).toBe(10);
  });

  it('counts bytes moved as work, and the results of programs of tfjs', () => {
    const moving = { traffic: { flops: 0, readBytes: 0.5e9, writeBytes: 0.5e9 } } as unknown as WebGPUProgram;
    expect(new SubmitBudget().add(moving)).toBe(true);
    expect(new SubmitBudget().add({ outputShape: [1e8] } as unknown as WebGPUProgram)).toBe(true);
    expect(new SubmitBudget().add({ outputShape: [10] } as unknown as WebGPUProgram)).toBe(false);
  });
});
