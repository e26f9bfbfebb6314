import { useEffect, useRef } from 'react';
import type { MelSpectrogram } from '../../../engine/protocol';
import { drawSpectrogram } from './draw-spectrogram';
import styles from './sound-view.module.css';

export interface SpectrogramProps {
  readonly mel: MelSpectrogram;
  readonly label: string;
}

/** Draws at the screen's own resolution, and again when its size or the screen's density changes. */
export function Spectrogram({ mel, label }: SpectrogramProps) {
  const ref = useRef<HTMLCanvasElement>(null);

  useEffect(() => {
    const canvas = ref.current;
    const context = canvas?.getContext('2d');
    if (!canvas || !context) return;
    const draw = () => {
      const width = Math.round(canvas.clientWidth * devicePixelRatio);
      const height = Math.round(canvas.clientHeight * devicePixelRatio);
      if (width < 1 || height < 1) return;
      canvas.width = width;
      canvas.height = height;
      context.putImageData(new ImageData(drawSpectrogram(mel, width, height), width, height), 0, 0);
    };
    draw();
    const observer = new ResizeObserver(draw);
    observer.observe(canvas);
    return () => observer.disconnect();
  }, [mel]);

  return <canvas ref={ref} className={styles.spectrogram} role="img" aria-label={label} />;
}
