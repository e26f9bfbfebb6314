import { useEffect, useRef } from 'react';
import { EngineNotices } from '../../app/engine-notices';
import { Button } from '../../components/button';
import { Notice } from '../../components/notice';
import { useGenerations } from '../../stores/studio-context';
import { EmptyState } from './empty-state';
import { GenerationGroup } from './generation-group';
import styles from './results.module.css';

/** Removing asks no question; it can be taken back instead. */
function UndoRemoval() {
  const removed = useGenerations((state) => state.removed);
  const undoRemove = useGenerations((state) => state.undoRemove);
  if (!removed) return null;
  const { request, takes } = removed.generation;
  return (
    <Notice
      kind="info"
      title={`Removed “${request.prompt.slice(0, 80)}”`}
      actions={
        <Button size="small" onClick={undoRemove}>
          Undo
        </Button>
      }
    >
      {takes.length > 0 && (
        <p>{takes.length === 1 ? 'One take' : `${takes.length} takes`} can still be brought back.</p>
      )}
    </Notice>
  );
}

/** Everything made in this visit, newest first. */
export function Results() {
  const generations = useGenerations((state) => state.generations);
  const ref = useRef<HTMLElement>(null);
  const newestId = generations[0]?.id;

  // What has just been asked for comes into sight: on a phone it begins below the form.
  useEffect(() => {
    if (newestId !== undefined) ref.current?.querySelector('article')?.scrollIntoView({ block: 'start' });
  }, [newestId]);

  return (
    <section ref={ref} className={styles.results} aria-label="Results">
      <EngineNotices />
      <UndoRemoval />
      {generations.length === 0 ? (
        <EmptyState />
      ) : (
        generations.map((generation) => <GenerationGroup key={generation.id} generation={generation} />)
      )}
    </section>
  );
}
