import type { ComponentType } from 'react';
import { FineTunePanel } from '../panels/fine-tune/fine-tune-panel';
import { GeneratePanel } from '../panels/generate/generate-panel';
import { ModelsPanel } from '../panels/models/models-panel';
import { PreferencesPanel } from '../panels/preferences/preferences-panel';
import type { PanelId } from '../stores/view-store';

export interface Panel {
  readonly id: PanelId;
  readonly label: string;
  readonly Content: ComponentType;
}

/** The studio's panels, in the order of their tabs. Only the one that is shown is mounted: what lasts is in a store. */
export const panels: readonly Panel[] = [
  { id: 'generate', label: 'Generate', Content: GeneratePanel },
  { id: 'preferences', label: 'Preferences', Content: PreferencesPanel },
  { id: 'fine-tune', label: 'Fine-tune', Content: FineTunePanel },
  { id: 'models', label: 'Models', Content: ModelsPanel },
];

export function panelById(id: PanelId): Panel {
  return panels.find((panel) => panel.id === id)!;
}

/** The panel that a hash names, as `#models`; null for one that there is not. */
export function panelOfHash(hash: string): PanelId | null {
  const name = hash.replace(/^#/, '');
  return panels.find(({ id }) => id === name)?.id ?? null;
}
