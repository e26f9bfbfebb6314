import { bytesText } from '../../app/model-text';
import type { ModelFit } from './model-fit';
import styles from './models-panel.module.css';

/** Memory of each part on the backend that is in use. */
export function Fit({ fit, onGpu }: { readonly fit: ModelFit; readonly onGpu: boolean }) {
  if (fit.parts.length === 0) return null;
  return (
    <>
      <p className={styles.facts}>
        {bytesText(fit.totalBytes)} of {onGpu ? 'GPU memory' : 'memory'}:{' '}
        {fit.parts.map(({ name, bytes }) => `${name} ${bytesText(bytes)}`).join(', ')}
      </p>
      {fit.problem && <p className={styles.problem}>{fit.problem}</p>}
    </>
  );
}
