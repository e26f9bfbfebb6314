import { type KeyboardEvent, type PointerEvent, useCallback, useEffect, useMemo, useRef } from 'react';
import { peakOf } from '../../../audio';
import type { Sound } from '../../../engine/protocol';
import { durationSeconds } from '../../stores/player-store';
import { useStudio } from '../../stores/studio-context';
import { useShownTheme } from '../../theme/use-shown-theme';
import { frequencyTicks, timeTicks } from './axes';
import { CursorReadout } from './cursor-readout';
import styles from './sound-view.module.css';
import { Spectrogram } from './spectrogram';
import { Waveform } from './waveform';

const SMALL_STEP_SECONDS = 0.1;
const LARGE_STEP_SECONDS = 1;
/** Waveforms are drawn up to their own peak, which is written beside them; what is quieter than −48 dB stays flat. */
const QUIETEST_FULL_HEIGHT = 10 ** (-48 / 20);

export interface SoundViewProps {
  readonly sound: Sound;
  /** What the position slider is of ("Take 2"). */
  readonly name: string;
}

/** Waveform over spectrogram on one time axis, with one playhead; a press or a drag anywhere moves it. */
export function SoundView({ sound, name }: SoundViewProps) {
  const { player } = useStudio();
  const stageRef = useRef<HTMLDivElement>(null);
  const playheadRef = useRef<HTMLDivElement>(null);
  const showTimeRef = useRef<(seconds: number) => void>(() => {});
  const theme = useShownTheme();
  const duration = durationSeconds(sound);
  const peak = useMemo(() => peakOf(sound.audio), [sound.audio]);

  /** Runs each frame while the sound plays, so it writes to the DOM directly instead of rendering. */
  const show = useCallback(() => {
    const { soundId, positionSeconds } = player.getState();
    const current = soundId === sound.id;
    const seconds = current ? positionSeconds : 0;
    showTimeRef.current(seconds);
    const [stage, playhead] = [stageRef.current, playheadRef.current];
    if (!stage || !playhead) return;
    playhead.hidden = !current;
    playhead.style.insetInlineStart = `${(seconds / duration) * 100}%`;
    stage.ariaValueNow = seconds.toFixed(1);
    stage.ariaValueText = `${seconds.toFixed(1)} of ${duration.toFixed(1)} seconds`;
  }, [player, sound.id, duration]);

  useEffect(() => {
    show();
    return player.subscribe((state, before) => {
      if (state.soundId === sound.id || before.soundId === sound.id) show();
    });
  }, [player, show, sound.id]);

  const onWaveformReady = useCallback(
    (showTime: (seconds: number) => void) => {
      showTimeRef.current = showTime;
      show();
    },
    [show],
  );

  function seekTo(seconds: number): void {
    void player.getState().seek(sound, seconds);
  }

  function seekToPointer(event: PointerEvent<HTMLDivElement>): void {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    seekTo(((event.clientX - left) / width) * duration);
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { soundId, positionSeconds } = player.getState();
    const now = soundId === sound.id ? positionSeconds : 0;
    const step = event.shiftKey ? LARGE_STEP_SECONDS : SMALL_STEP_SECONDS;
    const targets: Record<string, number> = {
      ArrowLeft: now - step,
      ArrowDown: now - step,
      ArrowRight: now + step,
      ArrowUp: now + step,
      PageDown: now - LARGE_STEP_SECONDS,
      PageUp: now + LARGE_STEP_SECONDS,
      Home: 0,
      End: duration,
    };
    const target = targets[event.key];
    if (target === undefined) return;
    event.preventDefault();
    seekTo(target);
  }

  return (
    <div className={styles.view}>
      <div
        ref={stageRef}
        className={styles.stage}
        role="slider"
        tabIndex={0}
        aria-label={`Position in ${name}`}
        aria-valuemin={0}
        aria-valuemax={Number(duration.toFixed(1))}
        aria-valuenow={0}
        onKeyDown={onKeyDown}
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          seekToPointer(event);
        }}
        onPointerMove={(event) => {
          if (event.currentTarget.hasPointerCapture(event.pointerId)) seekToPointer(event);
        }}
      >
        <Waveform
          key={theme}
          audio={sound.audio}
          sampleRateHz={sound.sampleRateHz}
          fullHeight={Math.max(peak, QUIETEST_FULL_HEIGHT)}
          onReady={onWaveformReady}
        />
        <Spectrogram mel={sound.melSpectrogram} label={`Spectrogram of ${name}`} />
        <div ref={playheadRef} className={styles.playhead} hidden />
        <CursorReadout
          stage={stageRef}
          mel={sound.melSpectrogram}
          durationSeconds={duration}
          sampleRateHz={sound.sampleRateHz}
        />
      </div>
      <p className={styles.peak}>
        <span>peak </span>
        {peakText(peak)}
      </p>
      <Axes sampleRateHz={sound.sampleRateHz} duration={duration} />
    </div>
  );
}

export interface AxesProps {
  readonly sampleRateHz: number;
  readonly duration: number;
}

/** "−6 dB", of full scale. */
export function peakText(peak: number): string {
  const db = Math.round(20 * Math.log10(peak));
  if (!Number.isFinite(db)) return '−∞ dB';
  return `${db < 0 ? `−${-db}` : db} dB`;
}

/** Hz beside the spectrogram, seconds below it. */
export function Axes({ sampleRateHz, duration }: AxesProps) {
  return (
    <>
      <div className={styles.frequencies} aria-hidden="true">
        <span key="unit" style={{ bottom: 0 }}>
          Hz
        </span>
        {frequencyTicks(sampleRateHz).map(({ at, label }) => (
          <span key={label} style={{ bottom: `${at * 100}%` }}>
            {label}
          </span>
        ))}
      </div>
      <div className={styles.times} aria-hidden="true">
        {timeTicks(duration).map(({ at, label }) => (
          <span key={label} style={{ left: `${at * 100}%` }}>
            {label}
          </span>
        ))}
      </div>
    </>
  );
}
