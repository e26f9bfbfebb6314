import { ProgressBar } from '../../components/progress-bar';
import { Axes } from '../../components/sound-view/sound-view';
import viewStyles from '../../components/sound-view/sound-view.module.css';
import { Spectrogram } from '../../components/sound-view/spectrogram';
import type { Generation } from '../../stores/generation-store';
import { useModels } from '../../stores/studio-context';
import { percent, stageText, timeLeftText } from './progress-text';
import styles from './take-card.module.css';

const FALLBACK_SAMPLE_RATE_HZ = 16_000;

/** The take being made: its spectrogram comes out of the noise while it is denoised. */
export function RunningTake({ generation }: { readonly generation: Generation }) {
  const sampleRateHz = useModels((state) => state.current?.sampleRateHz ?? FALLBACK_SAMPLE_RATE_HZ);
  const { progress, preview, request } = generation;
  const fraction = progress?.fraction ?? null;
  return (
    <div className={`${styles.card} ${styles.running}`}>
      <div className={styles.bar}>
        <span className={styles.pulse} aria-hidden="true" />
        <span className={styles.name}>{stageText(progress)}</span>
        <span className={styles.time}>
          {[fraction === null ? '' : percent(fraction), timeLeftText(progress)].filter(Boolean).join(' · ')}
        </span>
      </div>
      <div className={`${viewStyles.view} ${styles.preview}`}>
        <div className={`${viewStyles.stage} ${styles.previewStage}`}>
          {preview ? (
            <Spectrogram mel={preview} label="Preview of the take being made" />
          ) : (
            <div className={styles.waiting}>The preview appears after the first steps</div>
          )}
        </div>
        <Axes sampleRateHz={sampleRateHz} duration={request.durationSeconds} />
      </div>
      <ProgressBar label="This generation" fraction={fraction} />
    </div>
  );
}
