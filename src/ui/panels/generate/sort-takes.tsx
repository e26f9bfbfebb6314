import { Segmented } from '../../components/segmented';
import { useClap, useStudio } from '../../stores/studio-context';
import styles from './take-scores.module.css';

const AS_MADE = 'as-made';

/** Chooses what takes are sorted by: the order they were made in, or one CLAP's score. */
export function SortTakes({
  groupId,
  takeIds,
}: {
  readonly groupId: string;
  readonly takeIds: readonly string[];
}) {
  const studio = useStudio();
  const scores = useClap((state) => state.scores);
  const sortBy = useClap((state) => state.sortBy);
  const scored = takeIds.flatMap((id) => scores[id] ?? []);
  const models = new Map(scored.map(({ modelId, modelName }) => [modelId, modelName]));
  if (takeIds.length < 2 || models.size === 0) return null;
  return (
    <div className={styles.sort}>
      <Segmented
        name={`${groupId}-sort`}
        legend="Sort takes by"
        value={sortBy !== null && models.has(sortBy) ? sortBy : AS_MADE}
        options={[
          { value: AS_MADE, label: 'Newest' },
          ...[...models].map(([value, label]) => ({ value, label })),
        ]}
        onChange={(value) => studio.clap.getState().setSortBy(value === AS_MADE ? null : value)}
      />
    </div>
  );
}
