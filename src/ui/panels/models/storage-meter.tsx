import { bytesText } from '../../app/model-text';
import { Button } from '../../components/button';
import { Notice } from '../../components/notice';
import { ProgressBar } from '../../components/progress-bar';
import { useHub } from '../../stores/studio-context';
import styles from './models-panel.module.css';

/** How much of the browser's storage is used, and whether it may be cleared behind one's back. */
export function StorageMeter() {
  const storage = useHub((state) => state.storage);
  const persist = useHub((state) => state.persist);
  if (!storage) return null;
  const { usedBytes, quotaBytes, persisted, unreadable } = storage;
  return (
    <div className={styles.storage}>
      {usedBytes !== null && quotaBytes !== null && (
        <>
          <ProgressBar label="Storage used" fraction={usedBytes / quotaBytes} />
          <p className={styles.facts}>
            {bytesText(usedBytes)} of {bytesText(quotaBytes)} that the browser allows
            {persisted === true && ' · kept until you delete it'}
          </p>
        </>
      )}
      {persisted === false && (
        <p className={styles.facts}>
          The browser may clear it when the disk runs full.{' '}
          <Button size="small" onClick={() => void persist()}>
            Keep it
          </Button>
        </p>
      )}
      {unreadable.length > 0 && (
        <Notice kind="warning" title="Models of a newer studio">
          <p>{unreadable.join(', ')}: reload the page to get the newest studio, which can read them.</p>
        </Notice>
      )}
    </div>
  );
}
