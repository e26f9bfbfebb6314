import { type PointerEvent, useEffect, useRef, useState } from 'react';
import { hzToMel, type LogMelSpectrogram, melToHz } from '../../../audio';
import type { LoopBox } from './ab-player';
import styles from './preferences.module.css';

/** Decibels that full colour stands for. */
const RANGE_DB = 40;
const DB_PER_NEPER = 20 / Math.LN10;

export interface DifferenceViewProps {
  readonly left: LogMelSpectrogram;
  readonly right: LogMelSpectrogram;
  readonly durationSeconds: number;
  readonly maxHz: number;
  readonly box: LoopBox | null;
  readonly onBox: (box: LoopBox | null) => void;
}

/** Where the left sound is louder (orange) and where the right one is (blue); a dragged box is looped. */
export function DifferenceView({ left, right, durationSeconds, maxHz, box, onBox }: DifferenceViewProps) {
  const ref = useRef<HTMLCanvasElement>(null);
  const start = useRef<readonly [number, number] | null>(null);
  const [drag, setDrag] = useState<LoopBox | null>(null);

  useEffect(() => {
    const context = ref.current?.getContext('2d');
    if (!context || !ref.current) return;
    const { melBins } = left;
    const frames = Math.min(left.frames, right.frames);
    ref.current.width = frames;
    ref.current.height = melBins;
    const image = new ImageData(frames, melBins);
    for (let t = 0; t < frames; t += 1) {
      for (let m = 0; m < melBins; m += 1) {
        const at = t * melBins + m;
        const share = Math.max(
          -1,
          Math.min(1, ((left.data[at]! - right.data[at]!) * DB_PER_NEPER) / RANGE_DB),
        );
        const pixel = ((melBins - 1 - m) * frames + t) * 4;
        const [r, g, b] = share > 0 ? [255, 144, 87] : [96, 165, 250];
        image.data.set([r! * Math.abs(share), g! * Math.abs(share), b! * Math.abs(share), 255], pixel);
      }
    }
    context.putImageData(image, 0, 0);
  }, [left, right]);

  const mels = hzToMel(maxHz);
  function place({ clientX, clientY, currentTarget }: PointerEvent): readonly [number, number] {
    const area = currentTarget.getBoundingClientRect();
    const clamp = (value: number): number => Math.min(Math.max(value, 0), 1);
    return [clamp((clientX - area.left) / area.width), clamp(1 - (clientY - area.top) / area.height)];
  }
  function boxTo([x, y]: readonly [number, number]): LoopBox | null {
    if (!start.current) return null;
    const [x0, y0] = start.current;
    return {
      from: Math.min(x, x0) * durationSeconds,
      to: Math.max(x, x0) * durationSeconds,
      lowHz: melToHz(Math.min(y, y0) * mels),
      highHz: melToHz(Math.max(y, y0) * mels),
    };
  }
  const shown = drag ?? box;
  return (
    <div
      className={styles.difference}
      role="img"
      aria-label="Difference of the two spectrograms: orange where the left sound is louder, blue where the right one is"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        start.current = place(event);
      }}
      onPointerMove={(event) => {
        if (start.current) setDrag(boxTo(place(event)));
      }}
      onPointerUp={(event) => {
        const made = boxTo(place(event));
        start.current = null;
        setDrag(null);
        onBox(made && made.to - made.from > 0.05 ? made : null);
      }}
    >
      <canvas ref={ref} />
      {shown && (
        <div
          className={styles.box}
          style={{
            left: `${(100 * shown.from) / durationSeconds}%`,
            width: `${(100 * (shown.to - shown.from)) / durationSeconds}%`,
            bottom: `${(100 * hzToMel(shown.lowHz)) / mels}%`,
            height: `${(100 * (hzToMel(shown.highHz) - hzToMel(shown.lowHz))) / mels}%`,
          }}
        />
      )}
    </div>
  );
}
