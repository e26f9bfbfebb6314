import type { Sound } from '../../../engine/protocol';
import { Button } from '../../components/button';
import { LineageChain } from '../../components/lineage-chain';
import { useFineTune, useStudio } from '../../stores/studio-context';

/** Where the adapters of a sound come from; nothing for the model as it is. */
export function TakeLineage({ sound: { parameters, lineage = [] } }: { readonly sound: Sound }) {
  const { fineTune, view } = useStudio();
  const runs = useFineTune((state) => state.runs);
  return lineage.map((one, i) => {
    const use = parameters.adapters?.[i];
    // The run may have been deleted since, or be another browser's.
    const known = runs?.find(({ id }) => id === use?.id);
    return (
      <LineageChain
        key={use?.id ?? one.run.id}
        adapter={`adapter “${known?.name ?? one.run.name}” × ${use?.strength ?? 1}`}
        lineage={one}
      >
        {known && (
          <>
            {' '}
            <Button
              size="small"
              variant="ghost"
              onClick={() => {
                view.getState().showPanel('fine-tune');
                void fineTune.getState().select(known.id);
              }}
            >
              Open the run
            </Button>
          </>
        )}
      </LineageChain>
    );
  });
}
