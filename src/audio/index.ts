/** Signal code on Float32Array: no tensors, no DOM; the same numbers on the page, in a worker and in Node. */
export type { DecodedSound } from './compressed/decoded-sound';
export { decodeSound } from './decode-sound';
export {
  type LogMelConfig,
  type LogMelSpectrogram,
  logMelSpectrogram,
  melDecibels,
  TANGO_LOG_MEL,
} from './log-mel';
export { integratedLoudness, samplePeakDbfs } from './loudness';
export { hzToMel, type MelFilter, type MelFilterBankOptions, melFilterBank, melToHz } from './mel';
export { joinCaptions, mixSounds, soundLevelDb } from './mixing';
export { peakOf, prepareWaveform, scaleToPeak } from './prepare-waveform';
export { resample } from './resample';
export { type SoundFormat, soundFormatOf } from './sound-format';
export { type SpectrogramImage, spectrogramImage } from './spectrogram-image';
export { hannWindow, magnitudeSpectrogram, type Spectrogram, type StftOptions } from './stft';
export { type DecodedWav, decodeWav } from './wav/decode-wav';
export { encodeWav, type WavSampleFormat } from './wav/encode-wav';
export { readWavInfo, type WavInfo } from './wav/wav-info';
