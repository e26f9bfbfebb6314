import type { AdapterLineage, PairsLineage, TrainDataset, TrainRun } from './protocol-training';

/** Where an adapter comes from: adapter ← run ← dataset ← pairs. */
export function lineageOf(run: TrainRun): AdapterLineage {
  if (run.origin) return run.origin;
  const { id, name, notes, createdAt, step, stepCount, modelId, dataset, settings } = run;
  return {
    run: { id, name, notes, createdAt, step, stepCount },
    model: modelId,
    dataset,
    pairs: settings && {
      count: run.pairCount,
      heldOut: run.heldOutCount,
      sha256: run.pairsSha256 ?? null,
    },
    settings: settings && { ...settings },
  };
}

/** What a file says of itself, as far as it is what this studio writes; null where it says nothing that can be read. */
export function parseLineage(text: string | null): AdapterLineage | null {
  if (text === null) return null;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return null;
  }
  const { run, model, dataset, pairs, settings } = fieldsOf(json);
  const { id, name, notes, createdAt, step, stepCount } = fieldsOf(run);
  if (typeof id !== 'string' || typeof name !== 'string' || typeof model !== 'string') return null;
  return {
    run: {
      id,
      name,
      notes: textOf(notes),
      createdAt: textOf(createdAt),
      step: numberOf(step),
      stepCount: numberOf(stepCount),
    },
    model,
    dataset: datasetOf(fieldsOf(dataset)),
    pairs: pairsOf(fieldsOf(pairs)),
    settings: settings === null || settings === undefined ? null : fieldsOf(settings),
  };
}

function datasetOf({ id, name }: Readonly<Record<string, unknown>>): TrainDataset | null {
  return typeof id === 'string' && typeof name === 'string' ? { id, name } : null;
}

function pairsOf({ count, heldOut, sha256 }: Readonly<Record<string, unknown>>): PairsLineage | null {
  if (typeof count !== 'number') return null;
  return { count, heldOut: numberOf(heldOut), sha256: typeof sha256 === 'string' ? sha256 : null };
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function numberOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}
