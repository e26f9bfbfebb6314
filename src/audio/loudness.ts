import { InvalidInputError } from '../common/errors';
import { checkSampleRate } from './checks';
import { peakOf } from './prepare-waveform';

interface Biquad {
  readonly b: readonly [number, number, number];
  /** a1, a2; a0 is 1. */
  readonly a: readonly [number, number];
}

const BLOCK_SECONDS = 0.4;
const BLOCK_STEP = 0.25;
const ABSOLUTE_GATE_LUFS = -70;
const RELATIVE_GATE_LU = -10;

/**
 * Integrated loudness in LUFS (ITU-R BS.1770-4): K-weighting, blocks of 400 ms every 100 ms, absolute gate at −70 LUFS,
 * relative gate 10 LU below the mean.
 *
 * @param channels one array of samples for each channel (one: mono; two: stereo), all of one length
 * @returns LUFS; −Infinity when every block is below the gate (silence)
 * @throws InvalidInputError for no or more than two channels, or a sound shorter than 400 ms
 */
export function integratedLoudness(channels: readonly Float32Array[], sampleRateHz: number): number {
  checkSampleRate(sampleRateHz, 'The sample rate of a loudness measurement');
  const samples = channels[0]?.length ?? 0;
  if (channels.length < 1 || channels.length > 2 || channels.some(({ length }) => length !== samples)) {
    throw new InvalidInputError(
      `Loudness is measured on one or two channels of one length, but the lengths [${channels.map((c) => c.length)}] came.`,
    );
  }
  const blockSamples = BLOCK_SECONDS * sampleRateHz;
  if (samples < blockSamples) {
    throw new InvalidInputError(
      `Loudness is defined from ${BLOCK_SECONDS} s on (${Math.ceil(blockSamples)} samples at ${sampleRateHz} Hz), but ${samples} samples came. Use a longer sound.`,
    );
  }
  const powers = blockPowers(channels, sampleRateHz);
  const audible = powers.filter((power) => toLufs(power) >= ABSOLUTE_GATE_LUFS);
  const gate = toLufs(mean(audible)) + RELATIVE_GATE_LU;
  return toLufs(mean(audible.filter((power) => toLufs(power) > gate)));
}

/** Largest absolute sample in dB below full scale; −Infinity for silence. */
export function samplePeakDbfs(channels: readonly Float32Array[]): number {
  return 20 * Math.log10(Math.max(0, ...channels.map(peakOf)));
}

/** Mean square of each 400 ms block after K-weighting, summed over the channels. */
function blockPowers(channels: readonly Float32Array[], sampleRateHz: number): number[] {
  const samples = channels[0]!.length;
  const step = BLOCK_SECONDS * BLOCK_STEP * sampleRateHz;
  const count = Math.round((samples / sampleRateHz - BLOCK_SECONDS) / (BLOCK_SECONDS * BLOCK_STEP)) + 1;
  const powers = new Array<number>(count).fill(0);
  for (const channel of channels) {
    const weighted = kWeightingFilters(sampleRateHz).reduce(applyBiquad, Float64Array.from(channel));
    for (let block = 0; block < count; block += 1) {
      // 0.1 · 16000 · 3 is 4800.000000000001 and its kind may fall below: the millionth keeps the floor right.
      const begin = Math.floor(block * step + 1e-6);
      const end = Math.min(samples, Math.floor(block * step + BLOCK_SECONDS * sampleRateHz + 1e-6));
      let sum = 0;
      for (let i = begin; i < end; i += 1) sum += weighted[i]! * weighted[i]!;
      powers[block]! += sum / (BLOCK_SECONDS * sampleRateHz);
    }
  }
  return powers;
}

/**
 * The two filters of BS.1770 (head shelf, then high pass) for any rate: the standard prints coefficients for 48 kHz
 * only; these are the analogue filters behind them (B. De Man, "Evaluation of implementations of the EBU R128 loudness
 * measurement", 2018), which give the printed ones at 48 kHz.
 */
export function kWeightingFilters(sampleRateHz: number): readonly [Biquad, Biquad] {
  const shelf = analogue(1681.9744509555319, 0.7071752369554193, sampleRateHz);
  const gain = 10 ** (3.99984385397 / 20);
  const bandGain = gain ** 0.499666774155;
  const pass = analogue(38.13547087613982, 0.5003270373253953, sampleRateHz);
  return [
    {
      b: [
        (gain + bandGain * shelf.damping + shelf.k2) / shelf.norm,
        (2 * (shelf.k2 - gain)) / shelf.norm,
        (gain - bandGain * shelf.damping + shelf.k2) / shelf.norm,
      ],
      a: shelf.a,
    },
    { b: [1, -2, 1], a: pass.a },
  ];
}

function analogue(frequencyHz: number, q: number, sampleRateHz: number) {
  const k = Math.tan((Math.PI * frequencyHz) / sampleRateHz);
  const k2 = k * k;
  const damping = k / q;
  const norm = 1 + damping + k2;
  const a: readonly [number, number] = [(2 * (k2 - 1)) / norm, (1 - damping + k2) / norm];
  return { k2, damping, norm, a };
}

function applyBiquad(x: Float64Array, { b, a }: Biquad): Float64Array<ArrayBuffer> {
  const y = new Float64Array(x.length);
  for (let i = 0, x1 = 0, x2 = 0, y1 = 0, y2 = 0; i < x.length; i += 1) {
    const input = x[i]!;
    const output = b[0] * input + b[1] * x1 + b[2] * x2 - a[0] * y1 - a[1] * y2;
    y[i] = output;
    [x2, x1, y2, y1] = [x1, input, y1, output];
  }
  return y;
}

function toLufs(power: number): number {
  return -0.691 + 10 * Math.log10(power);
}

/** 0 for an empty list: no block above the gate is silence. */
function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
