import type { Sound } from '../../../engine/protocol';
import type { TrainRun } from '../../../engine/protocol-training';

/** Where a sound comes from: request and model, and for each adapter its run, that run's dataset and pairs. */
export interface Lineage {
  readonly request: Sound['parameters'];
  readonly adapters: readonly {
    readonly strength: number;
    readonly run: Pick<TrainRun, 'id' | 'name' | 'createdAt' | 'step' | 'stepCount'>;
    /** Null of an adapter from a file. */
    readonly dataset: TrainRun['dataset'];
    readonly pairCount: number;
  }[];
}

/** @param runs those of this browser; an adapter that was removed since keeps its id alone */
export function lineageOf(parameters: Sound['parameters'], runs: readonly TrainRun[]): Lineage {
  return {
    request: parameters,
    adapters: (parameters.adapters ?? []).map(({ id, strength }) => {
      const run = runs.find((one) => one.id === id);
      return {
        strength,
        run: {
          id,
          name: run?.name ?? 'removed since',
          createdAt: run?.createdAt ?? '',
          step: run?.step ?? 0,
          stepCount: run?.stepCount ?? 0,
        },
        dataset: run?.dataset ?? null,
        pairCount: run?.pairCount ?? 0,
      };
    }),
  };
}

/** "adapter barks at 0.8, of 120 pairs of the dataset winners"; one line for each. */
export function adapterLines({ adapters }: Lineage): readonly string[] {
  return adapters.map(({ strength, run, dataset, pairCount }) => {
    const of =
      pairCount > 0 ? `, of ${pairCount} pairs${dataset ? ` of the dataset ${dataset.name}` : ''}` : '';
    return `adapter ${run.name} at ${strength}${of}`;
  });
}
