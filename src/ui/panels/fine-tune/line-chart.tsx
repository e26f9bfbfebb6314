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
        scales: {
          x: { time: false },
          y: log ? { distr: 3 } : { range: (_, least, most) => roomyRange(least, most) },
        },
        axes: [
          { ...axis, size: 26 },
          {
            ...axis,
            size: 56,
            values: (_, ticks, __, ___, increment) =>
              ticks.map((tick) => (tick === null ? '' : tickText(tick, log ? tick : increment))),
          },
        ],
        series: [
          {},
          ...curves.map(({ label: name, colour, dashed }) => ({
            label: name,
            stroke: curveColour(theme, colour),
            width: 1.5,
            spanGaps: true,
            // A line of few points is nearly nothing to see.
            points: {
              show: (_: uPlot, __: number, first: number, last: number) => last - first < 4,
              size: 5,
            },
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

/** Of what is drawn, the least span of an axis: below it, noise in the last digit would look like a course. */
const LEAST_SPAN_SHARE = 0.02;
const LEAST_SPAN = 1e-6;
const MARGIN_SHARE = 0.08;

/** From somewhat below the least to somewhat above the most. */
export function roomyRange(least: number | null, most: number | null): [number, number] {
  if (least === null || most === null) return [0, 1];
  const span = Math.max(
    most - least,
    LEAST_SPAN_SHARE * Math.max(Math.abs(least), Math.abs(most)),
    LEAST_SPAN,
  );
  const middle = (least + most) / 2;
  const half = span * (0.5 + MARGIN_SHARE);
  return [middle - half, middle + half];
}

/** A tick with as many digits as tell it from its neighbours. */
export function tickText(tick: number, increment: number): string {
  if (tick === 0) return '0';
  const size = Math.abs(tick);
  const places = Math.max(0, Math.ceil(-Math.log10(Math.abs(increment)) - 1e-9));
  if (size < 1e-3 || size >= 1e5) {
    return minus(tick.toExponential(Math.max(0, Math.floor(Math.log10(size)) + places)));
  }
  return minus(tick.toFixed(Math.min(places, 8)));
}

export function shortNumber(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  return minus(size < 1e-3 || size >= 1e5 ? value.toExponential(1) : String(Number(value.toPrecision(3))));
}

/** With a minus sign in place of the hyphen at the front. */
function minus(text: string): string {
  return text.replace(/^-/, '−');
}
