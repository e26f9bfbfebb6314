import { type MelFilterBankOptions, melFilterBank, type StftOptions } from '../../audio';
import { InvalidConfigError } from '../../common/errors';
import { float32Values, type StateDict } from '../../weights';
import { MEL_FILTERS_KEY } from './key-map';

/** Blocks of two convolutions each; all but the last halve time and frequency. */
export const CNN14_BLOCKS = 6;
/** Classes of AudioSet that the published models were trained on. */
const CLASSES = 527;

/** What Cnn14's constructor is given, and the widths that it has written into it. */
export interface Cnn14Config extends StftOptions, MelFilterBankOptions {
  /** "16 kHz": tells the published variants apart. */
  readonly variant: string;
  /** Channels of each block: 64, 128, … 2048 in the published models. */
  readonly channels: readonly number[];
  readonly embeddingWidth: number;
  readonly classCount: number;
}

/** The published variants, told apart by the length of their spectrogram's window. */
const VARIANTS = [
  { variant: '16 kHz', sampleRateHz: 16_000, fftLength: 512, hopLengthSamples: 160, maxFrequencyHz: 8000 },
  { variant: '32 kHz', sampleRateHz: 32_000, fftLength: 1024, hopLengthSamples: 320, maxFrequencyHz: 14_000 },
].map((variant) => ({ ...variant, melBins: 64, minFrequencyHz: 50 }));

/** Largest difference to the filters of the checkpoint, of their largest value: half precision and librosa's float32. */
const FILTER_TOLERANCE = 2e-3;

/**
 * The config of a Cnn14, from its weights: no published file holds one.
 *
 * @param stateDict under Cnn14's own names, see `pannStateDict`
 * @throws InvalidConfigError for another model, a front end that is not one of the published ones, or other classes
 */
export async function cnn14Config(stateDict: StateDict, label: string): Promise<Cnn14Config> {
  const size = (name: string, axis: number): number => {
    const found = stateDict.entry(name)?.shape[axis];
    if (found !== undefined) return found;
    throw new InvalidConfigError(
      `${label} should be a Cnn14 of PANNs and has no "${name}". It holds ${stateDict.names().slice(0, 4).join(', ') || 'nothing'}. Take Cnn14_mAP=0.431.pth or Cnn14_16k_mAP=0.438.pth.`,
    );
  };
  const fftLength = 2 * (size(MEL_FILTERS_KEY, 0) - 1);
  const variant = VARIANTS.find((one) => one.fftLength === fftLength);
  if (!variant) {
    throw new InvalidConfigError(
      `${label} has spectrograms of ${fftLength} samples; the studio knows Cnn14 with ${VARIANTS.map((one) => `${one.fftLength} (${one.variant})`).join(' and ')}. Take Cnn14_mAP=0.431.pth or Cnn14_16k_mAP=0.438.pth.`,
    );
  }
  await checkFilters(stateDict, variant, label);
  const classCount = size('fc_audioset.weight', 0);
  if (classCount !== CLASSES) {
    throw new InvalidConfigError(
      `${label} tells ${classCount} classes apart; the studio has names for AudioSet's ${CLASSES} only. Take a model as it was published, not one that was trained further.`,
    );
  }
  return {
    ...variant,
    channels: Array.from({ length: CNN14_BLOCKS }, (_, i) => size(`conv_block${i + 1}.conv1.weight`, 0)),
    embeddingWidth: size('fc1.weight', 0),
    classCount,
  };
}

/** The rate and the hop are in no weight, but the mel filters are: they tell a front end of other frequencies. */
async function checkFilters(
  stateDict: StateDict,
  front: MelFilterBankOptions & { readonly variant: string },
  label: string,
): Promise<void> {
  const values = float32Values(await stateDict.read(MEL_FILTERS_KEY)); // [bins, melBins]
  const bins = front.fftLength / 2 + 1;
  const expected = new Float32Array(bins * front.melBins);
  melFilterBank(front).forEach(({ firstBin, weights }, m) => {
    weights.forEach((weight, k) => {
      expected[(firstBin + k) * front.melBins + m] = weight;
    });
  });
  const largest = expected.reduce((most, value) => Math.max(most, value), 0);
  const same =
    values.length === expected.length &&
    expected.every((value, i) => Math.abs(value - values[i]!) <= FILTER_TOLERANCE * largest);
  if (same) return;
  throw new InvalidConfigError(
    `${label} has other mel filters ("${MEL_FILTERS_KEY}") than Cnn14 at ${front.variant} (${front.melBins} from ${front.minFrequencyHz} to ${front.maxFrequencyHz} Hz), so it hears other spectrograms. Take a model as it was published.`,
  );
}
