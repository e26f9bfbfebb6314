import type { TrainRun, TrainSettings } from '../../../engine/protocol-training';

export interface DifferingSetting {
  readonly key: string;
  /** One for each run, in their order. */
  readonly values: readonly string[];
}

/** The settings in which runs differ, data and model among them. */
export function configDiff(runs: readonly TrainRun[]): readonly DifferingSetting[] {
  const keys = [
    ...new Set(runs.flatMap(({ settings }) => Object.keys(settings ?? {}))),
  ] as (keyof TrainSettings)[];
  const rows: DifferingSetting[] = [
    { key: 'dataset', values: runs.map(({ dataset }) => dataset?.name ?? '–') },
    { key: 'model', values: runs.map(({ modelId }) => modelId) },
    { key: 'pairs', values: runs.map(({ pairCount }) => String(pairCount)) },
    ...keys.map((key) => ({ key, values: runs.map(({ settings }) => shown(settings?.[key])) })),
  ];
  return rows.filter(({ values }) => new Set(values).size > 1);
}

function shown(value: unknown): string {
  if (value === undefined) return '–';
  return Array.isArray(value) ? value.join(' | ') || 'none' : String(value);
}
