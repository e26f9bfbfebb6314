import { useState } from 'react';
import type { SentenceModelSummary } from '../../../engine/protocol-sentence-embeddings';
import { bytesText, loadFraction, loadText } from '../../app/model-text';
import { Button, IconButton } from '../../components/button';
import { Icon } from '../../components/icons';
import { ProgressBar } from '../../components/progress-bar';
import { RemoveQuestion } from '../../components/remove-question';
import { useHub, useSentences } from '../../stores/studio-context';
import { checkText, sourceText } from './model-words';
import styles from './models-panel.module.css';

/** What embeds prompts for clusters; nothing is shown before one is installed. */
export function SentenceList() {
  const models = useSentences((state) => state.models);
  const failure = useSentences((state) => state.failure);
  const remove = useSentences((state) => state.remove);
  const [removing, setRemoving] = useState<SentenceModelSummary | null>(null);
  if (failure) return <p className={styles.problem}>{failure.message}</p>;
  if (!models || models.length === 0) return null;
  return (
    <section className={styles.section} aria-labelledby="sentences-heading">
      <h3 id="sentences-heading" className={styles.subheading}>
        Sentence embeddings: which prompts are alike
      </h3>
      <ul className={styles.list}>
        {models.map((model) => (
          <SentenceRow key={model.id} model={model} onRemove={() => setRemoving(model)} />
        ))}
      </ul>
      {removing && (
        <RemoveQuestion
          name={removing.name}
          onRemove={() => void remove(removing.id)}
          onClose={() => setRemoving(null)}
        >
          Its files are deleted from this browser. Prompts are clustered by CLAP’s text tower then.
        </RemoveQuestion>
      )}
    </section>
  );
}

function SentenceRow({
  model,
  onRemove,
}: {
  readonly model: SentenceModelSummary;
  readonly onRemove: () => void;
}) {
  const job = useHub((state) => state.job);
  const verify = useHub((state) => state.verify);
  const damaged = useHub((state) => state.checks[model.id]);
  const checking = job?.kind === 'verify' && job.modelId === model.id ? job : null;
  return (
    <li className={styles.model}>
      <div className={styles.words}>
        <p className={styles.name}>
          {model.name}
          <span className={styles.badge}>{sourceText(model)}</span>
          {model.state === 'broken' && <span className={styles.broken}>broken</span>}
        </p>
        <p className={styles.facts}>
          {[
            `${model.hiddenSize} numbers a prompt`,
            `${model.onnxFile}, ${bytesText(model.bytes)}`,
            model.license && `licence ${model.license}`,
          ]
            .filter(Boolean)
            .join(' · ')}
        </p>
        {model.description && <p className={styles.facts}>{model.description}</p>}
        {checking && (
          <>
            <ProgressBar label={`Checking ${model.name}`} fraction={loadFraction(checking.progress)} />
            <p className={styles.facts}>{checking.progress ? loadText(checking.progress) : 'Checking…'}</p>
          </>
        )}
        {damaged && <p className={styles.facts}>{checkText(damaged)}</p>}
      </div>
      <div className={styles.tools}>
        <Button
          size="small"
          variant="ghost"
          aria-label={`Check ${model.name}`}
          disabled={job !== null}
          onClick={() => void verify(model.id)}
        >
          Check
        </Button>
        <IconButton label={`Remove ${model.name}`} onClick={onRemove}>
          <Icon name="trash" />
        </IconButton>
      </div>
    </li>
  );
}
