import { integratedLoudness, peakOf } from '../../../audio';
import type { TrainingClip } from '../../../engine/protocol-training';

export type Side = 'left' | 'right';

/** A part of the two sounds to loop: seconds, and the band that is let through. */
export interface LoopBox {
  readonly from: number;
  readonly to: number;
  readonly lowHz: number;
  readonly highHz: number;
}

const FADE_SECONDS = 0.02;
/** Quieter sounds are not raised without end. */
const MAX_GAIN = 8;

/** Gains that bring both sounds to the quieter one's loudness, so that none is liked for being louder. */
export function matchLoudness(clips: Readonly<Record<Side, TrainingClip>>): Readonly<Record<Side, number>> {
  const [left, right] = (['left', 'right'] as const).map((side) => {
    const { audio, sampleRateHz } = clips[side];
    return audio.length / sampleRateHz >= 0.4
      ? integratedLoudness([audio], sampleRateHz)
      : Number.NEGATIVE_INFINITY;
  }) as [number, number];
  if (!Number.isFinite(left) || !Number.isFinite(right)) return { left: 1, right: 1 };
  const target = Math.min(left, right);
  const gain = (lufs: number, { audio }: TrainingClip): number =>
    Math.min(10 ** ((target - lufs) / 20), MAX_GAIN, 1 / Math.max(peakOf(audio), 1e-3));
  return { left: gain(left, clips.left), right: gain(right, clips.right) };
}

/** Plays two sounds in step and lets one be heard: switching keeps the position, with a short cross-fade. */
export class AbPlayer {
  readonly #clips: Readonly<Record<Side, TrainingClip>>;
  readonly #levels: Readonly<Record<Side, number>>;
  readonly #onChange: () => void;
  #context: AudioContext | null = null;
  #gains: Record<Side, GainNode> | null = null;
  #sources: AudioBufferSourceNode[] = [];
  #startedAt = 0;
  #offset = 0;
  #loop: LoopBox | null = null;
  side: Side = 'left';
  playing = false;

  constructor(clips: Readonly<Record<Side, TrainingClip>>, onChange: () => void) {
    this.#clips = clips;
    this.#levels = matchLoudness(clips);
    this.#onChange = onChange;
  }

  get durationSeconds(): number {
    return Math.max(
      ...(['left', 'right'] as const).map(
        (side) => this.#clips[side].audio.length / this.#clips[side].sampleRateHz,
      ),
    );
  }

  get positionSeconds(): number {
    if (!this.playing || !this.#context) return this.#offset;
    const elapsed = Math.max(0, this.#context.currentTime - this.#startedAt);
    const { from, to } = this.#loop ?? { from: 0, to: this.durationSeconds };
    return from + ((this.#offset - from + elapsed) % Math.max(to - from, 0.01));
  }

  /** Lets `side` be heard from where the other one is; a press on the one that sounds stops. */
  async hear(side: Side): Promise<void> {
    if (this.playing && this.side === side) {
      this.stop();
      return;
    }
    this.side = side;
    if (!this.playing) await this.#start();
    const { currentTime } = this.#context!;
    for (const one of ['left', 'right'] as const) {
      const { gain } = this.#gains![one];
      gain.cancelScheduledValues(currentTime);
      gain.setTargetAtTime(one === side ? this.#levels[one] : 0, currentTime, FADE_SECONDS / 3);
    }
    this.#onChange();
  }

  /** Loops a box, or all of it with null. */
  async setLoop(loop: LoopBox | null): Promise<void> {
    const wasPlaying = this.playing;
    this.stop();
    this.#loop = loop;
    this.#offset = loop?.from ?? 0;
    if (loop || wasPlaying) await this.hear(this.side);
  }

  stop(): void {
    this.#offset = this.positionSeconds;
    this.playing = false;
    for (const source of this.#sources.splice(0)) source.stop();
    this.#onChange();
  }

  dispose(): void {
    this.playing = false;
    for (const source of this.#sources.splice(0)) source.stop();
    void this.#context?.close();
  }

  async #start(): Promise<void> {
    this.#context ??= new AudioContext({ latencyHint: 'interactive' });
    const context = this.#context;
    this.playing = true;
    const gains = {} as Record<Side, GainNode>;
    const when = context.currentTime + 0.03;
    for (const side of ['left', 'right'] as const) {
      const { audio, sampleRateHz } = this.#clips[side];
      const buffer = context.createBuffer(1, audio.length, sampleRateHz);
      buffer.getChannelData(0).set(audio);
      const gain = new GainNode(context, { gain: 0 });
      const source = new AudioBufferSourceNode(context, { buffer, loop: true });
      source.loopStart = this.#loop?.from ?? 0;
      source.loopEnd = this.#loop?.to ?? buffer.duration;
      let end: AudioNode = source;
      for (const filter of this.#filters(context, sampleRateHz)) end = end.connect(filter);
      end.connect(gain).connect(context.destination);
      source.start(when, Math.min(this.#offset, buffer.duration));
      gains[side] = gain;
      this.#sources.push(source);
    }
    this.#gains = gains;
    this.#startedAt = when;
    if (context.state !== 'running') await context.resume();
  }

  /** Two biquads on each edge of the band: 24 dB an octave. */
  #filters(context: AudioContext, sampleRateHz: number): BiquadFilterNode[] {
    if (!this.#loop) return [];
    const { lowHz, highHz } = this.#loop;
    const edge = (type: BiquadFilterType, frequency: number): BiquadFilterNode[] =>
      [0.541, 1.307].map((Q) => new BiquadFilterNode(context, { type, frequency, Q: 20 * Math.log10(Q) }));
    return [
      ...(lowHz > 30 ? edge('highpass', lowHz) : []),
      ...(highHz < sampleRateHz / 2 - 100 ? edge('lowpass', highHz) : []),
    ];
  }
}
