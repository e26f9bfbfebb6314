import type { WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';
import { describe, expect, it } from 'vitest';
import { SubmitBudget } from './submit-budget';

/** A program of so many operations. */
const program = (flops: number): WebGPUProgram =>
  ({ traffic: { flops, readBytes: 0, writeBytes: 0 } }) as unknown as WebGPUProgram;

/** How many dispatches of `flops` are handed over at once. */
function dispatchesPerSubmit(budget: SubmitBudget, flops: number): number {
  for (let count = 1; ; count += 1) {
    if (budget.add(program(flops))) {
      budget.submitted(0);
      budget.ended(budget.pending, 0); // in no time: nothing is learnt of the adapter
      return count;
    }
  }
}

/** Lets the budget see `flops` done in `seconds`. */
function see(budget: SubmitBudget, flops: number, seconds: number): void {
  budget.add(program(flops));
  budget.submitted(1000);
  budget.ended(budget.pending, 1000 + 1000 * seconds);
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
    see(budget, 10e12, 1);
    expect(dispatchesPerSubmit(budget, 5e9)).toBe(32);
    see(budget, 0.25e12, 1);
    expect(dispatchesPerSubmit(budget, 5e9)).toBe(5);
    see(budget, 1e9, 1);
    expect(dispatchesPerSubmit(budget, 5e9)).toBe(1);
  });

  it('learns nothing from an end behind which more was handed over', () => {
    const budget = new SubmitBudget();
    budget.add(program(1e9));
    budget.submitted(0);
    const { pending } = budget;
    budget.add(program(1e9));
    budget.submitted(10);
    budget.ended(pending, 60_000);
    expect(dispatchesPerSubmit(budget, 1e9)).toBe(10);
  });

  it('counts bytes moved as work, and the results of programs of tfjs', () => {
    const moving = { traffic: { flops: 0, readBytes: 0.5e9, writeBytes: 0.5e9 } } as unknown as WebGPUProgram;
    expect(new SubmitBudget().add(moving)).toBe(true);
    expect(new SubmitBudget().add({ outputShape: [1e8] } as unknown as WebGPUProgram)).toBe(true);
    expect(new SubmitBudget().add({ outputShape: [10] } as unknown as WebGPUProgram)).toBe(false);
  });
});
