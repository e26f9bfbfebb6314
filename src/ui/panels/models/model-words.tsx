import type { LoadProgress, ModelSummary } from '../../../engine/protocol';
import type { HelperSummary } from '../../../engine/protocol-helpers';
import { checkText, loadFraction, loadText, sourceText } from '../../app/model-text';
import { ProgressBar } from '../../components/progress-bar';
import styles from './models-panel.module.css';

/** A row's first line: the name, where the model came from, and whether it is whole. */
export function ModelName({ model }: { readonly model: ModelSummary | HelperSummary }) {
  return (
    <p className={styles.name}>
      {model.name}
      <span className={styles.badge}>{sourceText(model)}</span>
      {model.state === 'broken' && <span className={styles.broken}>broken</span>}
    </p>
  );
}

export interface CheckStateProps {
  readonly name: string;
  /** Null while its bytes are not read. */
  readonly checking: { readonly progress: LoadProgress | null } | null;
  /** Of the last check in this visit. */
  readonly damaged: readonly string[] | undefined;
}

/** How far a check of a model's bytes is, or what the last one found. */
export function CheckState({ name, checking, damaged }: CheckStateProps) {
  return (
    <>
      {checking && (
        <>
          <ProgressBar label={`Checking ${name}`} fraction={loadFraction(checking.progress)} />
          <p className={styles.facts}>{checking.progress ? loadText(checking.progress) : 'Checking…'}</p>
        </>
      )}
      {damaged && <p className={styles.facts}>{checkText(damaged)}</p>}
    </>
  );
}
