import { Button, IconButton } from '../../components/button';
import { CopyButton } from '../../components/copy-button';
import { Icon } from '../../components/icons';
import { Notice } from '../../components/notice';
import { bestTakes, sortedByScore } from '../../stores/clap-store';
import type { Generation } from '../../stores/generation-store';
import { useClap, useModels, useStudio } from '../../stores/studio-context';
import { applyGeneration } from './apply-parameters';
import { FailureNotice } from './failure-notice';
import styles from './generation-group.module.css';
import { parameterRecord, parameterSummary } from './parameter-text';
import { RunningTake } from './running-take';
import { SortTakes } from './sort-takes';
import { TakeCard } from './take-card';

export function GenerationGroup({ generation }: { readonly generation: Generation }) {
  const studio = useStudio();
  const { id, request, status, takes } = generation;
  // With one model only its name says nothing.
  const modelName = useModels(({ models }) =>
    models && models.length > 1 ? models.find((model) => model.id === request.modelId)?.name : undefined,
  );
  const scores = useClap((state) => state.scores);
  const sortBy = useClap((state) => state.sortBy);
  const takeIds = takes.map((take) => take.id);
  const best = bestTakes(takeIds, scores);
  const bestBy = (takeId: string): ReadonlySet<string> =>
    new Set([...best].flatMap(([modelId, id]) => (id === takeId ? [modelId] : [])));
  const headingId = `${id}-prompt`;

  function remove(): void {
    studio.player.getState().release(takes.map((take) => take.id));
    studio.generations.getState().remove(id);
    studio.view.getState().announce('Removed. Undo is at the top of the results.');
  }

  return (
    <article className={styles.group} aria-labelledby={headingId}>
      <header className={styles.header}>
        <div className={styles.words}>
          <h2 id={headingId} className={styles.prompt}>
            {request.prompt}
          </h2>
          {request.negativePrompt && <p className={styles.negative}>without: {request.negativePrompt}</p>}
          <p className={styles.parameters}>{parameterSummary(generation, modelName)}</p>
        </div>
        <div className={styles.tools}>
          <Button
            variant="ghost"
            size="small"
            icon={<Icon name="reuse" />}
            onClick={() => applyGeneration(studio, generation)}
          >
            Use these settings
          </Button>
          <CopyButton label="Copy all parameters" text={() => parameterRecord(generation)} />
          {status !== 'running' && (
            <IconButton label="Remove this generation" onClick={remove}>
              <Icon name="trash" />
            </IconButton>
          )}
        </div>
      </header>
      {takes.some(({ sound }) => sound.truncated) && (
        <Notice kind="warning" title="The end of the prompt was not heard">
          <p>
            It or the negative prompt is longer than the model takes, and for AudioLDM 2 a negative prompt may
            not be longer than the prompt. Shorten it, or put what matters first.
          </p>
        </Notice>
      )}
      <FailureNotice generation={generation} />
      <SortTakes groupId={id} takeIds={takeIds} />
      {(takes.length > 0 || status === 'running') && (
        <div className={styles.takes}>
          {status === 'running' && <RunningTake generation={generation} />}
          {sortedByScore(takes.toReversed(), scores, sortBy).map((take) => (
            <TakeCard
              key={take.id}
              take={take}
              takeCount={request.count}
              bestBy={bestBy(take.id)}
              madeCount={takes.length}
            />
          ))}
        </div>
      )}
    </article>
  );
}
