import { eventFile, type ScalarEvent, type TextEvent } from '../../training/export/event-file';
import type { ModelFile } from '../protocol';
import type {
  MetricsFormat,
  TrainHistory,
  TrainMetrics,
  TrainRun,
  TrainValidation,
} from '../protocol-training';

/** A run's curves as a file. All but the CSV hold the run itself, its settings among them. */
export function metricsFile(run: TrainRun, history: TrainHistory, format: MetricsFormat): ModelFile {
  switch (format) {
    case 'jsonl':
      return { path: 'metrics.jsonl', blob: text(metricsJsonl(run, history), 'application/jsonl') };
    case 'csv':
      return { path: 'metrics.csv', blob: text(metricsCsv(history.metrics), 'text/csv') };
    case 'tensorboard': {
      // TensorBoard finds files by "tfevents" in their names, and names a run by its folder.
      const seconds = Math.floor(startSeconds(run));
      return {
        path: `events.out.tfevents.${seconds}.tango-studio`,
        blob: eventFile(metricsEvents(run, history)),
      };
    }
  }
}

/** The run first, then a line for each step and each validation. */
function metricsJsonl(run: TrainRun, { metrics, validations }: TrainHistory): string {
  const lines = [
    { type: 'run', ...run },
    ...metrics.map((one) => ({ type: 'step', ...one })),
    ...validations.map((one) => ({ type: 'validation', ...one })),
  ];
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

const CSV_COLUMNS = [
  'step',
  'epoch',
  'phase',
  'loss',
  'implicitAccuracy',
  'margin',
  'mseWinner',
  'mseLoser',
  'refMseWinner',
  'refMseLoser',
  'learningRate',
  'gradNorm',
  'seconds',
] as const satisfies readonly (keyof TrainMetrics)[];

function metricsCsv(metrics: readonly TrainMetrics[]): string {
  const rows = metrics.map((one) => CSV_COLUMNS.map((column) => one[column] ?? '').join(','));
  return `${[CSV_COLUMNS.join(','), ...rows].join('\n')}\n`;
}

type NumberKey<T> = { [K in keyof T]: T[K] extends number | null ? K : never }[keyof T];

const STEP_TAGS: Readonly<Partial<Record<NumberKey<TrainMetrics>, string>>> = {
  loss: 'train/loss',
  implicitAccuracy: 'train/implicit_accuracy',
  margin: 'train/reward_margin',
  mseWinner: 'train/mse_winner',
  mseLoser: 'train/mse_loser',
  refMseWinner: 'train/reference_mse_winner',
  refMseLoser: 'train/reference_mse_loser',
  learningRate: 'schedule/learning_rate',
  epoch: 'schedule/epoch',
  gradNorm: 'train/gradient_norm',
  seconds: 'schedule/seconds_per_step',
};
const VALIDATION_TAGS: Readonly<Partial<Record<NumberKey<TrainValidation>, string>>> = {
  loss: 'validation/loss',
  implicitAccuracy: 'validation/implicit_accuracy',
  margin: 'validation/reward_margin',
  mseWinner: 'validation/mse_winner',
  mseLoser: 'validation/mse_loser',
};

/** The run as a text, then the steps; a step's time is the run's start and what the steps took. */
function metricsEvents(
  run: TrainRun,
  { metrics, validations }: TrainHistory,
): readonly (ScalarEvent | TextEvent)[] {
  let wallTimeSeconds = startSeconds(run);
  const events: (ScalarEvent | TextEvent)[] = [
    // Markdown shows indented lines as they are.
    { wallTimeSeconds, tag: 'run', text: JSON.stringify(run, null, 2).replace(/^/gm, '    ') },
  ];
  const validate = (at: number): void => {
    for (const validation of validations.filter(({ step }) => step === at)) {
      events.push({ step: at, wallTimeSeconds, scalars: tagged(validation, VALIDATION_TAGS) });
    }
  };
  validate(0);
  for (const one of metrics) {
    wallTimeSeconds += one.seconds;
    events.push({ step: one.step, wallTimeSeconds, scalars: tagged(one, STEP_TAGS) });
    validate(one.step);
  }
  return events;
}

function startSeconds({ createdAt }: TrainRun): number {
  return Date.parse(createdAt) / 1000;
}

/** What there is of the figures: DPO's are null in a supervised step. */
function tagged<T>(
  figures: T,
  tags: Readonly<Partial<Record<NumberKey<T>, string>>>,
): Readonly<Record<string, number>> {
  const entries = Object.entries(tags) as [NumberKey<T>, string][];
  return Object.fromEntries(
    entries.flatMap(([key, tag]) => {
      const value = figures[key] as number | null;
      return value === null ? [] : [[tag, value]];
    }),
  );
}

function text(content: string, type: string): Blob {
  return new Blob([content], { type });
}
