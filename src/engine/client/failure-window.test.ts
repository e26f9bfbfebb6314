import { expect, it } from 'vitest';
import { FailureWindow } from './failure-window';

it('tells bad luck from something that keeps failing', () => {
  const deaths = new FailureWindow(3, 60_000);
  expect([0, 10_000, 65_000, 66_000].map((now) => deaths.add(now))).toEqual([false, false, false, true]);
  deaths.clear();
  expect(deaths.add(66_500)).toBe(false);
});
