import type { Sound } from '../../../engine/protocol';
import { Button } from '../../components/button';
import { LineageChain } from '../../components/lineage-chain';
import { useFineTune, useStudio } from '../../stores/studio-context';

/** Where the adapters of a sound come from, and its model where that was merged from a run; nothing for others. */
export function TakeLineage({ sound }: { readonly sound: Sound }) {
  const { parameters, lineage = [], modelLineage } = sound;
  const { fineTune, view } = useStudio();
  const runs = useFineTune((state) => state.runs);
  const chains = lineage.map((one, i) => {
    const use = parameters.adapters?.[i];
    // The run may have been deleted since, or be another browser's.
    const known = runs?.find(({ id }) => id === use?.id);
    return (
      <LineageChain
        key={use?.id ?? one.run.id}
        made={['sound', `adapter “${known?.name ?? one.run.name}” × ${use?.strength ?? 1}`]}
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
  return (
    <>
      {modelLineage && (
        <LineageChain
          made={['sound', `UNet merged from “${modelLineage.run.name}”`]}
          lineage={modelLineage}
        />
      )}
      {chains}
    </>
  );
}
