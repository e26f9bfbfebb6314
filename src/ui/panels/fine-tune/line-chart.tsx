import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useShownTheme } from '../../theme/use-shown-theme';
import type { Curve } from './curves';
import styles from './run-view.module.css';

/** Told apart by more than hue: lightness differs too, and compared runs are dashed. */
const palettes = {
  dark: ['#ff9057', '#6fb6ff', '#56d28c', '#f2b84b', '#c79bff'],
  light: ['#c2410c', '#0b62c4', '#16794a', '#8a5300', '#7a3fc4'],
} as const;
const inks = {
  dark: { text: '#8d95a3', grid: '#262a31' },
  light: { text: '#626873', grid: '#e2e2de' },
} as const;
const HEIGHT_PIXELS = 180;

export function curveColour(theme: 'dark' | 'light', index: number): string {
  const palette = palettes[theme];
  return palette[index % palette.length] ?? palette[0];
}

export interface LineChartProps {
  readonly label: string;
  readonly curves: readonly Curve[];
  readonly log: boolean;
  readonly level?: number | undefined;
}

/** Curves over a common axis, drawn by uPlot; what they say last stands in its label. */
export function LineChart({ label, curves, log, level }: LineChartProps) {
  const ref = useRef<HTMLDivElement>(null);
  const plotRef = useRef<uPlot | null>(null);
  const theme = useShownTheme();
  // uPlot's series are fixed when it is made; new points go into the one that is there.
  const shape = JSON.stringify([
    theme,
    log,
    level,
    curves.map(({ label: name, colour, dashed }) => [name, colour, dashed]),
  ]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `shape` stands for what the chart is built from
  useEffect(() => {
    const container = ref.current;
    if (!container) return;
    const { text, grid } = inks[theme];
    const axis = {
      stroke: text,
      grid: { stroke: grid, width: 1 },
      ticks: { stroke: grid, width: 1 },
      font: '11px sans-serif',
    };
    const plot = new uPlot(
      {
        width: Math.max(container.clientWidth, 120),
        height: HEIGHT_PIXELS,
        legend: { show: false },
        cursor: { y: false, points: { size: 6 } },
        scales: { x: { time: false }, y: { distr: log ? 3 : 1 } },
        axes: [
          { ...axis, size: 26 },
          {
            ...axis,
            size: 56,
            values: (_, ticks) => ticks.map((tick) => (tick === null ? '' : shortNumber(tick))),
          },
        ],
        series: [
          {},
          ...curves.map(({ label: name, colour, dashed }) => ({
            label: name,
            stroke: curveColour(theme, colour),
            width: 1.5,
            spanGaps: true,
            points: { show: false },
            ...(dashed && { dash: [5, 4] }),
          })),
          ...(level === undefined
            ? []
            : [{ label: 'level', stroke: text, width: 1, dash: [2, 3], points: { show: false } }]),
        ],
      },
      table(curves, log, level),
      container,
    );
    plotRef.current = plot;
    const resized = new ResizeObserver(() =>
      plot.setSize({ width: Math.max(container.clientWidth, 120), height: HEIGHT_PIXELS }),
    );
    resized.observe(container);
    return () => {
      resized.disconnect();
      plot.destroy();
      plotRef.current = null;
    };
  }, [shape]);

  useEffect(() => {
    plotRef.current?.setData(table(curves, log, level));
  }, [curves, log, level]);

  const last = curves
    .map(({ label: name, points }) => `${name} ${shortNumber(points.at(-1)?.[1] ?? 0)}`)
    .join(', ');
  return <div ref={ref} className={styles.plot} role="img" aria-label={`${label}: ${last}`} />;
}

/** All curves over the union of their places. */
function table(curves: readonly Curve[], log: boolean, level: number | undefined): uPlot.AlignedData {
  const tables = curves.map(
    ({ points }): uPlot.AlignedData => [
      points.map(([x]) => x),
      // A logarithm has no place for what is not above zero.
      points.map(([, y]) => (log && y <= 0 ? null : y)),
    ],
  );
  const joined = tables.length > 0 ? uPlot.join(tables) : ([[]] as unknown as uPlot.AlignedData);
  if (level === undefined) return joined;
  const [x] = joined;
  return [...joined, Array.from(x, () => level)] as uPlot.AlignedData;
}

export function shortNumber(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  return size < 1e-3 || size >= 1e5 ? value.toExponential(1) : String(Number(value.toPrecision(3)));
}
