import { prepareWaveform, resample } from '../../audio';
import { InvalidInputError } from '../../common/errors';
import type { TangoPipeline } from '../../diffusion/pipelines/tango-pipeline';
import type { CachedPair, CachedText } from '../../training/training-data';
import type { TrainingClip, TrainingPair } from '../protocol-training';

/**
 * A pair as training needs it: each clip prepared as Tango prepares recordings, then the mean of the autoencoder's
 * posterior, scaled. (The released code draws from the posterior anew each time; a cache holds one value, and the mean
 * repeats.)
 */
export async function cachePair(
  pipeline: TangoPipeline,
  { id, prompt, winner, loser }: Required<TrainingPair>,
  durationSeconds: number,
): Promise<CachedPair> {
  return {
    id,
    prompt,
    winner: await latentsOf(pipeline, winner, durationSeconds),
    loser: await latentsOf(pipeline, loser, durationSeconds),
  };
}

/** @returns [C, H, W] */
async function latentsOf(
  pipeline: TangoPipeline,
  clip: TrainingClip,
  durationSeconds: number,
): Promise<Float32Array> {
  const { sampleRateHz, hopLengthSamples } = pipeline.melConfig;
  const samples = pipeline.clipSize(durationSeconds).paddedFrames * hopLengthSamples;
  const waveform = prepareWaveform(resample(clip.audio, clip.sampleRateHz, sampleRateHz), samples);
  const mel = pipeline.mel({ data: waveform, shape: [samples] });
  return (await pipeline.encode(mel)).data;
}

const TRAINABLE = 'Fine-tuning is for models of the Tango family';
const NOT_TRAINABLE = {
  'class-embedding': `${TRAINABLE}; this one (AudioLDM) can generate only. Choose another model.`,
  'two-states': `${TRAINABLE}; this one (AudioLDM 2) can generate only. Choose another model.`,
} as const;

/**
 * What a trainer keeps of a prompt is one set of states.
 *
 * @throws InvalidInputError for AudioLDM, whose prompt is one vector, and for AudioLDM 2, whose prompt is two states
 */
export function checkTrainable({ conditioning }: Pick<TangoPipeline, 'conditioning'>): void {
  if (conditioning !== 'states') throw new InvalidInputError(NOT_TRAINABLE[conditioning]);
}

export async function cacheText(pipeline: TangoPipeline, prompt: string): Promise<CachedText> {
  const { states } = await pipeline.encodeText([prompt]);
  const [, tokens, width] = states.shape as [number, number, number];
  return { states: states.data, tokens, width };
}

/** Scaled latents [C, H, W] as sound: what a pair is to the model. */
export async function clipOf(
  pipeline: TangoPipeline,
  latents: Float32Array,
  shape: readonly number[],
  durationSeconds: number,
): Promise<TrainingClip> {
  const mel = await pipeline.decode({ data: latents, shape: [1, ...shape] });
  const { data } = await pipeline.vocode(mel);
  const samples = Math.round(durationSeconds * pipeline.sampleRateHz);
  return { audio: data.slice(0, samples), sampleRateHz: pipeline.sampleRateHz };
}
