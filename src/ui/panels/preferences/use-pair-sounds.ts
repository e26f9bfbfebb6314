import { useEffect, useState } from 'react';
import { type LogMelSpectrogram, logMelSpectrogram, resample } from '../../../audio';
import type { TrainingClip } from '../../../engine/protocol-training';
import { useStudio } from '../../stores/studio-context';
import type { Side } from './ab-player';

export interface PairSounds {
  readonly clips: Readonly<Record<Side, TrainingClip>>;
  /** On one scale: the same filters and reference level for both. */
  readonly mels: Readonly<Record<Side, LogMelSpectrogram>>;
}

const MEL_RATE_HZ = 16_000;

function melOf({ audio, sampleRateHz }: TrainingClip): LogMelSpectrogram {
  return logMelSpectrogram(resample(audio, sampleRateHz, MEL_RATE_HZ));
}

/** The two sounds of a pair; null while they are read. */
export function usePairSounds(
  leftId: string,
  rightId: string,
): { sounds: PairSounds | null; failure: string | null } {
  const { preferences } = useStudio();
  const [state, setState] = useState<{ sounds: PairSounds | null; failure: string | null }>({
    sounds: null,
    failure: null,
  });
  useEffect(() => {
    let current = true;
    setState({ sounds: null, failure: null });
    const { clip } = preferences.getState();
    Promise.all([clip(leftId), clip(rightId)])
      .then(([left, right]) => {
        if (!current) return;
        const mels = { left: melOf(left), right: melOf(right) };
        setState({ sounds: { clips: { left, right }, mels }, failure: null });
      })
      .catch((error: unknown) => {
        const failure = error instanceof Error ? error.message : String(error);
        if (current) setState({ sounds: null, failure });
      });
    return () => {
      current = false;
    };
  }, [preferences, leftId, rightId]);
  return state;
}
