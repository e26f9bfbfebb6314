import { hzToMel } from '../../../audio';

export interface Tick {
  /** 0…1 along the axis. */
  readonly at: number;
  readonly label: string;
}

const FREQUENCIES_HZ = [125, 250, 500, 1000, 2000, 4000, 8000, 16_000];

/** Marks of a mel axis from 0 Hz to half the sample rate, lowest first. */
export function frequencyTicks(sampleRateHz: number): readonly Tick[] {
  const highest = hzToMel(sampleRateHz / 2);
  return FREQUENCIES_HZ.filter((hz) => hz >= 500 && hz <= sampleRateHz / 2).map((hz) => ({
    at: hzToMel(hz) / highest,
    label: hz < 1000 ? String(hz) : `${hz / 1000}k`,
  }));
}

/** Marks of a time axis: whole seconds, or every other one when a sound is long. */
export function timeTicks(durationSeconds: number): readonly Tick[] {
  const step = durationSeconds > 6 ? 2 : 1;
  const count = Math.floor(durationSeconds / step) + 1;
  return Array.from({ length: count }, (_, i) => ({
    at: (i * step) / durationSeconds,
    label: i === 0 ? '0 s' : String(i * step),
  })).filter(({ at }) => at <= 0.97);
}
