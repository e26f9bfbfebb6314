import { expect, test } from 'vitest';
import type { GenerateProgress } from '../../../engine/protocol';
import { percent, stageText, timeLeftText } from './progress-text';

const progress: GenerateProgress = {
  stage: 'denoise',
  takeIndex: 0,
  takeCount: 1,
  stepIndex: 6,
  stepCount: 20,
  fraction: 0.333,
  remainingSeconds: 12.4,
};

test('says the take when there are several, and the step', () => {
  expect(stageText(progress)).toBe('Step 7 of 20');
  expect(stageText({ ...progress, takeIndex: 1, takeCount: 4 })).toBe('Take 2 of 4 · Step 7 of 20');
  expect(stageText({ ...progress, stage: 'vocode' })).toBe('Rendering the sound');
  expect(stageText(null)).toBe('Waiting for the engine');
});

test('time left is as coarse as the estimate', () => {
  const left = (remainingSeconds: number | null) => timeLeftText({ ...progress, remainingSeconds });
  expect([null, 0.2, 12.4, 61, 150, 5400].map(left)).toEqual([
    '',
    '1 s left',
    '12 s left',
    '1 min left',
    '3 min left',
    '1.5 h left',
  ]);
  expect(percent(0.333)).toBe('33 %');
});
