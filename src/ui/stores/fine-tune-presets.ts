import { TRAIN_DEFAULTS } from '../../engine/protocol-limits';
import type { TrainSettings } from '../../engine/protocol-training';

export type PresetId = 'quick' | 'lora' | 'paper' | 'small-gpu';

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
    id: 'lora',
    label: 'LoRA',
    description: 'One supervised epoch on the winners, then four of diffusion-DPO, 8 pairs a step, β 2000.',
    settings: TRAIN_DEFAULTS,
  },
  {
    id: 'paper',
    label: 'Paper recipe',
    description: 'The same epochs on every weight of the UNet, learning rate 9.6e-7, 32 pairs a step.',
    settings: {
      ...TRAIN_DEFAULTS,
      trains: 'unet',
      learningRate: 9.6e-7,
      pairsPerStep: 32,
      captionDropout: 0.1,
    },
  },
  {
    id: 'small-gpu',
    label: 'Small GPU',
    description: 'The LoRA with activations computed again: far less memory, more time.',
    settings: { ...TRAIN_DEFAULTS, recompute: true },
  },
];

export function presetById(id: PresetId): Preset {
  return presets.find((preset) => preset.id === id)!;
}
