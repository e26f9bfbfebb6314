import { prepareWaveform, resample } from '../../audio';
import type { TangoPipeline } from '../../diffusion/pipelines/tango-pipeline';
import type { CachedPair, CachedText } from '../../training/preference-trainer';
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

export async function cacheText(pipeline: TangoPipeline, prompt: string): Promise<CachedText> {
  const { states } = await pipeline.encodeText([prompt]);
  const [, tokens, width] = states.shape as [number, number, number];
  return { states: states.data, tokens, width };
}
