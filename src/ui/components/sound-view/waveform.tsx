import { useEffect, useRef } from 'react';
import WaveSurfer from 'wavesurfer.js';
import styles from './sound-view.module.css';

/** wavesurfer writes its height into its style sheet, whose hash the content security policy names. */
export const WAVEFORM_HEIGHT_PIXELS = 64;

export interface WaveformProps {
  /** Mono, −1…1. */
  readonly audio: Float32Array;
  readonly sampleRateHz: number;
  /** The sample value that fills the height. */
  readonly fullHeight: number;
  /** Receives the function that colours the waveform up to a time. */
  readonly onReady: (showTime: (seconds: number) => void) => void;
}

/**
 * wavesurfer draws; what sounds and where it is are the player store's. The colours are read from the style sheet
 * once: give the theme as `key`.
 */
export function Waveform({ audio, sampleRateHz, fullHeight, onReady }: WaveformProps) {
  const ref = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const container = ref.current;
    if (!container) return;
    const { color, caretColor } = getComputedStyle(container);
    const waveform = WaveSurfer.create({
      container,
      height: WAVEFORM_HEIGHT_PIXELS,
      // Two "channels" are drawn back to back: the waveform's upper and lower halves as they are.
      peaks: [audio.map((x) => Math.max(x, 0)), audio.map((x) => Math.min(x, 0))],
      duration: audio.length / sampleRateHz,
      maxPeak: fullHeight,
      waveColor: color,
      progressColor: caretColor,
      cursorWidth: 0,
      interact: false,
      hideScrollbar: true,
    });
    onReady((seconds) => waveform.setTime(seconds));
    return () => waveform.destroy();
  }, [audio, sampleRateHz, fullHeight, onReady]);

  return <div ref={ref} className={styles.waveform} aria-hidden="true" />;
}
