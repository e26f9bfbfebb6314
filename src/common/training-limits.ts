/** What a training run may be asked for: the trainer refuses, and the page shows, the same bounds. */

type Bounds = readonly [minimum: number, maximum: number];

export const TRAIN_NUMBERS = {
  beta: [1, 1e6],
  learningRate: [0, 0.1],
  weightDecay: [0, 1],
  maxGradNorm: [1e-9, 1e9],
  captionDropout: [0, 1],
  heldOutShare: [0, 0.5],
  emaDecay: [0, 0.9999],
} as const satisfies Record<string, Bounds>;

export const TRAIN_WHOLE_NUMBERS = {
  warmupSteps: [0, 1e6],
  sftEpochs: [0, 1000],
  dpoEpochs: [0, 1000],
  pairsPerPass: [1, 64],
  pairsPerStep: [1, 4096],
  seed: [0, 2 ** 32 - 1],
} as const satisfies Record<string, Bounds>;
