import { renameStateDict, type StateDict } from '../../weights';

/** The mel filters of a checkpoint, [bins, melBins]: compared with those that are computed. */
export const MEL_FILTERS_KEY = 'logmel_extractor.melW';

/** Constants of the front end, which is computed here, and what batch norms count while they train. */
export const CNN14_IGNORED_KEYS: readonly RegExp[] = [
  /^spectrogram_extractor\.stft\.conv_(real|imag)\.weight$/,
  /^logmel_extractor\.melW$/,
  /^(bn0|conv_block\d\.bn\d)\.num_batches_tracked$/,
];

/** Prefixes of modules that a Cnn14 was saved inside of: DataParallel's, and that of a Hub repository's wrapper. */
const WRAPPERS = /^(module\.)?(backbone\.)?/;

/** A checkpoint under Cnn14's own names. */
export function pannStateDict(checkpoint: StateDict): StateDict {
  return renameStateDict(checkpoint, (name) => name.replace(WRAPPERS, ''));
}
