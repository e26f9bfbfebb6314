import type {
  TrainHistory,
  TrainMetrics,
  TrainRun,
  TrainValidation,
} from '../../../engine/protocol-training';

export type XAxis = 'step' | 'epoch' | 'time';

export interface Curve {
  readonly label: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Which colour of the chart's; the same measure of another run has the same one, dashed. */
  readonly colour: number;
  readonly dashed: boolean;
}

export interface ChartSpec {
  readonly id: string;
  readonly title: string;
  /** A level to compare with, such as ln 2. */
  readonly level?: { readonly value: number; readonly label: string };
  readonly train: readonly {
    readonly label: string;
    readonly of: (metrics: TrainMetrics) => number | null;
  }[];
  readonly validation?: { readonly label: string; readonly of: (validation: TrainValidation) => number };
}

export const charts: readonly ChartSpec[] = [
  {
    id: 'loss',
    title: 'Loss',
    level: { value: Math.LN2, label: 'ln 2: no preference yet' },
    train: [
      { label: 'DPO', of: ({ phase, loss }) => (phase === 'dpo' ? loss : null) },
      { label: 'supervised', of: ({ phase, loss }) => (phase === 'sft' ? loss : null) },
    ],
    validation: { label: 'held out', of: ({ loss }) => loss },
  },
  {
    id: 'accuracy',
    title: 'Implicit accuracy',
    level: { value: 0.5, label: 'chance' },
    train: [{ label: 'training', of: ({ implicitAccuracy }) => implicitAccuracy }],
    validation: { label: 'held out', of: ({ implicitAccuracy }) => implicitAccuracy },
  },
  {
    id: 'margin',
    title: 'Reward margin',
    train: [{ label: 'training', of: ({ margin }) => margin }],
    validation: { label: 'held out', of: ({ margin }) => margin },
  },
  {
    id: 'errors',
    title: 'Squared error',
    train: [
      { label: 'winner', of: ({ mseWinner }) => mseWinner },
      { label: 'loser', of: ({ mseLoser }) => mseLoser },
      { label: 'winner, reference', of: ({ refMseWinner }) => refMseWinner },
      { label: 'loser, reference', of: ({ refMseLoser }) => refMseLoser },
    ],
  },
  { id: 'rate', title: 'Learning rate', train: [{ label: 'rate', of: ({ learningRate }) => learningRate }] },
  {
    id: 'speed',
    title: 'Pairs a second',
    train: [{ label: 'pairs', of: ({ pairs, seconds }) => (seconds > 0 ? pairs.length / seconds : null) }],
  },
];

export interface CurveOptions {
  readonly x: XAxis;
  /** 0: as measured … 0.99: the mean of about a hundred steps. */
  readonly smoothing: number;
}

/** A run's curves of one chart. */
export function curvesOf(
  spec: ChartSpec,
  run: Pick<TrainRun, 'stepsPerEpoch' | 'name'>,
  { metrics, validations }: TrainHistory,
  { x, smoothing }: CurveOptions,
  compared = false,
): readonly Curve[] {
  const at = xOf(x, run.stepsPerEpoch, metrics);
  const label = (name: string): string => (compared ? `${run.name}: ${name}` : name);
  const train = spec.train.map((measure, colour): Curve => {
    const points = metrics.flatMap((one): [number, number][] => {
      const y = measure.of(one);
      return y === null || !Number.isFinite(y) ? [] : [[at(one.step), y]];
    });
    return { label: label(measure.label), points: smoothed(points, smoothing), colour, dashed: compared };
  });
  const { validation } = spec;
  const heldOut: Curve[] = validation
    ? [
        {
          label: label(validation.label),
          points: validations.map((one) => [at(one.step), validation.of(one)]),
          colour: spec.train.length,
          dashed: compared,
        },
      ]
    : [];
  return [...train, ...heldOut].filter(({ points }) => points.length > 0);
}

function xOf(axis: XAxis, stepsPerEpoch: number, metrics: readonly TrainMetrics[]): (step: number) => number {
  if (axis === 'step') return (step) => step;
  if (axis === 'epoch') return (step) => step / Math.max(stepsPerEpoch, 1);
  const minutes = [0];
  for (const { seconds } of metrics) minutes.push((minutes.at(-1) ?? 0) + seconds / 60);
  return (step) => minutes[Math.min(step, minutes.length - 1)] ?? 0;
}

/** An exponential mean without the pull of its start (divided by the weights so far). */
export function smoothed(
  points: readonly (readonly [number, number])[],
  smoothing: number,
): readonly (readonly [number, number])[] {
  let sum = 0;
  let weight = 0;
  return points.map(([x, y]) => {
    sum = smoothing * sum + (1 - smoothing) * y;
    weight = smoothing * weight + (1 - smoothing);
    return [x, sum / weight] as const;
  });
}
