import { Slider } from 'radix-ui';
import { histogram } from '../../../preferences/selection/pair-statistics';
import styles from './preferences.module.css';

const BINS = 40;
const SIDES = ['at least', 'at most'];

export interface HistogramBoundsProps {
  readonly label: string;
  readonly values: readonly number[];
  /** One bound (at least) or two (between), in the values' unit. */
  readonly bounds: readonly number[];
  readonly onChange: (bounds: readonly number[]) => void;
}

/** A distribution with bounds to drag over it; arrow keys move them too. */
export function HistogramBounds({ label, values, bounds, onChange }: HistogramBoundsProps) {
  const { min, max, counts } = histogram(values, BINS);
  const top = Math.max(...counts, 1);
  const [low = min, high = max] = bounds;
  const step = (max - min) / 200;
  const inside = (bin: number): boolean => {
    const middle = min + ((bin + 0.5) / BINS) * (max - min);
    return middle >= low && middle <= high;
  };
  const ends = min.toFixed(2).length > 0 ? [min.toFixed(2), max.toFixed(2)] : [];
  const bars = counts.map((count, bin) => ({ bin, count }));
  return (
    <div className={styles.histogram}>
      <p className={styles.histogramTop}>
        <span>{label}</span>
        <output>{bounds.map((bound) => bound.toFixed(3)).join(' … ')}</output>
      </p>
      <svg viewBox={`0 0 ${BINS} 40`} preserveAspectRatio="none" className={styles.bars} aria-hidden="true">
        {bars.map(({ bin, count }) => (
          <rect
            key={bin}
            x={bin + 0.06}
            width={0.88}
            y={40 - (40 * count) / top}
            height={(40 * count) / top}
            className={inside(bin) ? styles.barIn : styles.barOut}
          />
        ))}
      </svg>
      <Slider.Root
        className={styles.bounds}
        min={min}
        max={max}
        step={step}
        value={bounds.map((bound) => Math.min(Math.max(bound, min), max))}
        onValueChange={onChange}
      >
        <Slider.Track className={styles.boundsTrack}>
          <Slider.Range className={styles.boundsRange} />
        </Slider.Track>
        {SIDES.slice(0, bounds.length).map((side, i) => (
          <Slider.Thumb
            key={side}
            className={styles.boundsThumb}
            aria-label={`${label}: ${side}`}
            aria-valuetext={bounds[i]?.toFixed(3)}
          />
        ))}
      </Slider.Root>
      <p className={styles.ends} aria-hidden="true">
        {ends.map((end) => (
          <span key={end}>{end}</span>
        ))}
      </p>
    </div>
  );
}
