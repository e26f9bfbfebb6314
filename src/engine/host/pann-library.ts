import { MEL_FILTERS_KEY, openCnn14 } from '../../models/pann-cnn14';
import { folderFromFiles } from '../../weights';
import type { HubPlan, JobOptions, LoadProgress, ModelFile } from '../protocol';
import type { PannModelSummary } from '../protocol-panns';
import { bytesOf, ListenerLibrary, precisionOf } from './listener-library';
import { checkedFiles } from './model-library';
import type { ModelStore } from './model-store';
import { readCard } from './model-summary';

/** The PANNs that a person imported. */
export class PannLibrary extends ListenerLibrary<PannModelSummary> {
  constructor(store: ModelStore<PannModelSummary>) {
    super('PANN', store);
  }

  /**
   * Takes a published Cnn14; names and shapes are checked before anything is kept, values while they are.
   * @param plan of the download that the files are of; null: a person gave them
   * @throws InvalidInputError, whatever reading the files throws, StorageError: nothing is kept then
   */
  async importFiles(
    files: readonly ModelFile[],
    options: JobOptions<LoadProgress>,
    plan: HubPlan | null = null,
  ): Promise<PannModelSummary> {
    const given = folderFromFiles(checkedFiles(files));
    const { config, root, stateDict } = await openCnn14(given);
    // With its mel filters, which tell the variant when it is opened again.
    const names = [...root.list().map(({ name }) => name), MEL_FILTERS_KEY];
    const { license } = await readCard(given);
    const described: PannModelSummary = {
      id: 'unnamed',
      name: `PANNs Cnn14, ${config.variant}`,
      source: 'imported',
      description: '',
      license,
      precision: precisionOf(stateDict, names),
      bytes: bytesOf(stateDict, names),
      parameterCount: root.parameterCount,
      sampleRateHz: config.sampleRateHz,
    };
    return this.keep({ given, described, weights: stateDict, names, documents: [] }, options, plan);
  }
}
