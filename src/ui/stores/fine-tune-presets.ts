import { TRAIN_DEFAULTS } from '../../engine/protocol-limits';
import type { TrainSettings } from '../../engine/protocol-training';

export type PresetId = 'quick' | 'paper' | 'small-gpu';

export interface Preset {
  readonly id: PresetId;
  readonly label: string;
  readonly description: string;
  readonly settings: TrainSettings;
}

export const presets: readonly Preset[] = [
  {
    id: 'quick',
    label: 'Quick look',
    description: 'Two epochs of DPO with a small adapter: shows in minutes whether the pairs say something.',
    settings: { ...TRAIN_DEFAULTS, sftEpochs: 0, dpoEpochs: 2, rank: 4, alpha: 4, pairsPerStep: 4 },
  },
  {
    id: 'paper',
    label: 'Paper recipe',
    description: 'One supervised epoch on the winners, then four of diffusion-DPO, 32 pairs a step, β 2000.',
    settings: { ...TRAIN_DEFAULTS, pairsPerStep: 32, captionDropout: 0.1 },
  },
  {
    id: 'small-gpu',
    label: 'Small GPU',
    description: 'The paper’s epochs with activations computed again: far less memory, more time.',
    settings: { ...TRAIN_DEFAULTS, recompute: true },
  },
];

export function presetById(id: PresetId): Preset {
  return presets.find((preset) => preset.id === id)!;
}
