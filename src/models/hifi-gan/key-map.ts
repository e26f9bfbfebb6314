import { renameStateDict, type StateDict } from '../../weights';
import type { HifiGanConfig } from './config';
import { foldWeightNorm } from './weight-norm';

/**
 * The state dict under the names that `HifiGan` has: weight norm folded into the weights, the `ups` of the original
 * HiFi-GAN (and of Tango's files) as transformers' `upsampler`, and `mean` and `scale` left out when the config does
 * not normalise (transformers writes them always).
 */
export function hifiGanStateDict(stateDict: StateDict, config: HifiGanConfig): StateDict {
  return renameStateDict(foldWeightNorm(stateDict), (name) => {
    if (!config.normalizeBefore && (name === 'mean' || name === 'scale')) return null;
    return name.replace(/^ups\./, 'upsampler.');
  });
}
