import { type RefObject, useEffect, useState } from 'react';
import { hzToMel, melToHz } from '../../../audio';
import type { MelSpectrogram } from '../../../engine/protocol';
import styles from './sound-view.module.css';

/** Decibels in one unit of the natural logarithm of a magnitude. */
const DB_PER_NEPER = 20 / Math.LN10;

export interface CursorReadoutProps {
  /** Holds the spectrogram's canvas; the readout follows the mouse over it. */
  readonly stage: RefObject<HTMLElement | null>;
  readonly mel: MelSpectrogram;
  readonly durationSeconds: number;
  readonly sampleRateHz: number;
}

/** "1.24 s · 1.9 kHz · −32 dB" at the point under the mouse, with x and y from 0 to 1, y upwards. */
export function readoutText(x: number, y: number, props: Omit<CursorReadoutProps, 'stage'>): string {
  const { mel, durationSeconds, sampleRateHz } = props;
  const cell = (share: number, count: number) => Math.min(Math.max(Math.floor(share * count), 0), count - 1);
  const level = mel.data[cell(x, mel.frames) * mel.melBins + cell(y, mel.melBins)] ?? 0;
  const hz = melToHz(y * hzToMel(sampleRateHz / 2));
  const frequency = hz < 1000 ? `${Math.round(hz)} Hz` : `${(hz / 1000).toFixed(1)} kHz`;
  const db = Math.round(level * DB_PER_NEPER);
  return `${(x * durationSeconds).toFixed(2)} s · ${frequency} · ${db < 0 ? `−${-db}` : db} dB`;
}

export function CursorReadout({ stage, mel, durationSeconds, sampleRateHz }: CursorReadoutProps) {
  const [text, setText] = useState('');

  useEffect(() => {
    const element = stage.current;
    const canvas = element?.querySelector('canvas[role="img"]');
    if (!element || !canvas) return;
    const move = ({ clientX, clientY, pointerType }: PointerEvent) => {
      const { left, top, width, height } = canvas.getBoundingClientRect();
      const [x, y] = [(clientX - left) / width, 1 - (clientY - top) / height];
      const inside = pointerType === 'mouse' && x >= 0 && x <= 1 && y >= 0 && y <= 1;
      setText(inside ? readoutText(x, y, { mel, durationSeconds, sampleRateHz }) : '');
    };
    const leave = () => setText('');
    element.addEventListener('pointermove', move);
    element.addEventListener('pointerleave', leave);
    return () => {
      element.removeEventListener('pointermove', move);
      element.removeEventListener('pointerleave', leave);
    };
  }, [stage, mel, durationSeconds, sampleRateHz]);

  if (text === '') return null;
  return (
    <div className={styles.readout} aria-hidden="true">
      {text}
    </div>
  );
}
