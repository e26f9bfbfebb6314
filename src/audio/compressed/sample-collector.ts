import { InvalidInputError } from '../../common/errors';
import { checkSampleRate } from '../checks';

/** What the decoders hand over, part by part. */
export interface DecodedPart {
  readonly channelData: readonly Float32Array[];
  readonly samplesDecoded: number;
  readonly sampleRate: number;
  readonly errors: readonly { readonly message: string }[];
}

/**
 * Gathers the parts of one sound. A few bytes of a compressed file can claim hours, so the length is held against the
 * limit part by part, before memory is taken for the whole.
 */
export class SampleCollector {
  readonly #what: string;
  readonly #maxDurationSeconds: number;
  readonly #parts: (readonly Float32Array[])[] = [];
  #channelCount = 0;
  #sampleRateHz = 0;
  #samples = 0;

  /** @param what the format's name in errors */
  constructor(what: string, maxDurationSeconds: number) {
    this.#what = what;
    this.#maxDurationSeconds = maxDurationSeconds;
  }

  get samples(): number {
    return this.#samples;
  }

  /** @throws InvalidInputError when the decoder met an error, the kind of sound changes midway, or it is too long */
  add({ channelData, samplesDecoded, sampleRate, errors }: DecodedPart): void {
    if (errors[0]) {
      throw new InvalidInputError(
        `This ${this.#what} file is damaged: its decoder says "${errors[0].message.slice(0, 120)}". Get it again.`,
      );
    }
    if (samplesDecoded === 0) return;
    if (this.#parts.length === 0) {
      checkSampleRate(sampleRate, `The sample rate of a sound`);
      this.#channelCount = channelData.length;
      this.#sampleRateHz = sampleRate;
    } else if (channelData.length !== this.#channelCount || sampleRate !== this.#sampleRateHz) {
      throw new InvalidInputError(
        `This ${this.#what} file changes from ${this.#channelCount} channels at ${this.#sampleRateHz} Hz to ${channelData.length} at ${sampleRate} Hz midway. Export it as one sound.`,
      );
    }
    this.#samples += samplesDecoded;
    this.checkDuration(this.#samples, sampleRate);
    this.#parts.push(channelData.map((channel) => channel.subarray(0, samplesDecoded)));
  }

  /** @throws InvalidInputError when that many samples are too long */
  checkDuration(samples: number, sampleRateHz: number): void {
    if (samples <= this.#maxDurationSeconds * sampleRateHz) return;
    throw new InvalidInputError(
      `Sounds of up to ${this.#maxDurationSeconds} s are read, but this ${this.#what} file is at least ${Math.ceil(samples / sampleRateHz)} s long. Cut out the part you need.`,
    );
  }

  /**
   * One array for each channel.
   * @param range.begin samples to leave out at the beginning
   * @param range.end where the sound ends; later samples only fill the last block
   * @param range.claimed samples that the file says it has after that; null: it does not say
   * @throws InvalidInputError when there is no sample, or fewer than claimed
   */
  finish({
    begin = 0,
    end = Number.POSITIVE_INFINITY,
    claimed = null,
  }: {
    readonly begin?: number;
    readonly end?: number;
    readonly claimed?: number | null;
  } = {}): { channels: Float32Array<ArrayBuffer>[]; sampleRateHz: number } {
    const length = Math.min(this.#samples, end) - begin;
    if (length <= 0) {
      throw new InvalidInputError(
        `A ${this.#what} file holds at least one sample, but none could be read from this one. It is cut off or damaged: get it again.`,
      );
    }
    if (claimed !== null && length < claimed) {
      throw new InvalidInputError(
        `This ${this.#what} file claims ${claimed} samples, but ${length} could be read. It is cut off or damaged: get it again.`,
      );
    }
    const channels = Array.from({ length: this.#channelCount }, (_, channel) => {
      const whole = new Float32Array(this.#samples);
      let offset = 0;
      for (const part of this.#parts) {
        whole.set(part[channel]!, offset);
        offset += part[channel]!.length;
      }
      return length === whole.length ? whole : whole.slice(begin, begin + length);
    });
    return { channels, sampleRateHz: this.#sampleRateHz };
  }
}

/** Parts of the file, so that no call of a decoder makes more than a limited number of samples. */
export function* chunksOf(bytes: Uint8Array, chunkBytes: number): Generator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += chunkBytes) {
    yield bytes.subarray(offset, offset + chunkBytes);
  }
}
