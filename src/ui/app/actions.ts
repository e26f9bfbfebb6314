import { applyTake } from '../panels/generate/apply-parameters';
import { downloadTake } from '../panels/generate/download-take';
import { durationBounds, toRequest, validateSettings } from '../panels/generate/validate-settings';
import { findTake, takesInOrder } from '../stores/generation-store';
import type { Studio } from '../stores/studio';
import type { PanelId } from '../stores/view-store';

export type ActionId =
  | 'generate'
  | 'cancel'
  | 'focus-prompt'
  | 'reroll-seed'
  | 'lock-seed'
  | 'play-pause'
  | 'to-start'
  | 'next-take'
  | 'previous-take'
  | 'download'
  | 'use-settings'
  | 'engine'
  | 'shortcuts';

/** A key and what it does, in words. */
export interface Shortcut {
  readonly label: string;
  readonly group: 'Generate' | 'Takes' | 'Listen to pairs' | 'Studio';
  /** It works while this panel is shown; left out: on every panel. Two panels may use one key. */
  readonly panel?: PanelId;
  /** In tinykeys' notation; `$mod` is ⌘ on Apple machines and Ctrl elsewhere. */
  readonly shortcut: string;
}

/** One thing a person can do: buttons, shortcuts and the shortcut sheet all come from here. */
export interface Action extends Shortcut {
  readonly id: ActionId;
  enabled(studio: Studio): boolean;
  run(studio: Studio): void;
}

/** The prompt's text area; the field and the action that moves the focus there must agree. */
export const PROMPT_FIELD_ID = 'prompt';

function selectedTake({ generations }: Studio) {
  const { generations: all, selectedTakeId } = generations.getState();
  return findTake(all, selectedTakeId);
}

function isRunning({ generations }: Studio): boolean {
  return generations.getState().runningId !== null;
}

function focusField(id: string): void {
  document.getElementById(id)?.focus();
}

function generate(studio: Studio): void {
  const { settings, models, generations, view } = studio;
  const { current } = models.getState();
  const errors = validateSettings(settings.getState(), durationBounds(current));
  const [firstWrong] = Object.keys(errors);
  view.getState().setShowFieldErrors(firstWrong !== undefined);
  if (firstWrong !== undefined) {
    focusField(firstWrong);
    return;
  }
  if (!settings.getState().seedLocked) settings.getState().rerollSeed();
  // The engine may still be starting or loading: the job waits for it there.
  const modelId = models.getState().targetId();
  void generations.getState().start(toRequest(settings.getState(), modelId));
}

function moveSelection({ generations }: Studio, by: number): void {
  const { generations: all, selectedTakeId, select } = generations.getState();
  const takes = takesInOrder(all);
  const at = takes.findIndex((take) => take.id === selectedTakeId);
  const next = takes[Math.min(Math.max(at + by, 0), takes.length - 1)];
  if (!next) return;
  select(next.id);
  document.getElementById(`take-${next.id}`)?.scrollIntoView({ block: 'nearest' });
}

const hasTakes = (studio: Studio): boolean =>
  takesInOrder(studio.generations.getState().generations).length > 0;
const hasSelection = (studio: Studio): boolean => selectedTake(studio) !== undefined;
const always = (): boolean => true;

export const actions: readonly Action[] = [
  {
    id: 'generate',
    label: 'Generate',
    group: 'Generate',
    panel: 'generate',
    shortcut: '$mod+Enter',
    enabled: (studio) => !isRunning(studio) && studio.engine.getState().status.state !== 'failed',
    run: generate,
  },
  {
    id: 'cancel',
    label: 'Cancel the generation',
    group: 'Generate',
    panel: 'generate',
    shortcut: '$mod+.',
    enabled: isRunning,
    run: ({ generations }) => generations.getState().cancel(),
  },
  {
    id: 'focus-prompt',
    label: 'Go to the prompt',
    group: 'Generate',
    panel: 'generate',
    shortcut: '/',
    enabled: always,
    run: () => focusField(PROMPT_FIELD_ID),
  },
  {
    id: 'reroll-seed',
    label: 'Draw another seed',
    group: 'Generate',
    panel: 'generate',
    shortcut: 'r',
    enabled: always,
    run: ({ settings }) => settings.getState().rerollSeed(),
  },
  {
    id: 'lock-seed',
    label: 'Lock or unlock the seed',
    group: 'Generate',
    panel: 'generate',
    shortcut: 'l',
    enabled: always,
    run: ({ settings }) => settings.getState().set({ seedLocked: !settings.getState().seedLocked }),
  },
  {
    id: 'play-pause',
    label: 'Play the selected take, or pause',
    group: 'Takes',
    panel: 'generate',
    shortcut: 'Space',
    enabled: (studio) => studio.player.getState().playing || hasSelection(studio),
    run: (studio) => {
      const { playing, pause, toggle } = studio.player.getState();
      const take = selectedTake(studio);
      // What sounds may be another take than the selected one: the first press always makes it quiet.
      if (playing) pause();
      else if (take) void toggle(take.sound);
    },
  },
  {
    id: 'to-start',
    label: 'Back to the start of the take',
    group: 'Takes',
    panel: 'generate',
    shortcut: 'Home',
    enabled: hasSelection,
    run: (studio) => {
      const take = selectedTake(studio);
      if (take) void studio.player.getState().seek(take.sound, 0);
    },
  },
  {
    id: 'next-take',
    label: 'Next take',
    group: 'Takes',
    panel: 'generate',
    shortcut: 'j',
    enabled: hasTakes,
    run: (studio) => moveSelection(studio, 1),
  },
  {
    id: 'previous-take',
    label: 'Previous take',
    group: 'Takes',
    panel: 'generate',
    shortcut: 'k',
    enabled: hasTakes,
    run: (studio) => moveSelection(studio, -1),
  },
  {
    id: 'download',
    label: 'Download the selected take as WAV',
    group: 'Takes',
    panel: 'generate',
    shortcut: 'd',
    enabled: hasSelection,
    run: (studio) => {
      const take = selectedTake(studio);
      if (take) downloadTake(take);
    },
  },
  {
    id: 'use-settings',
    label: 'Use the settings of the selected take',
    group: 'Takes',
    panel: 'generate',
    shortcut: 'u',
    enabled: hasSelection,
    run: (studio) => {
      const take = selectedTake(studio);
      if (take) applyTake(studio, take);
    },
  },
  {
    id: 'engine',
    label: 'Engine',
    group: 'Studio',
    shortcut: 'e',
    enabled: always,
    run: ({ view }) => view.getState().openDialog('engine'),
  },
  {
    id: 'shortcuts',
    label: 'Keyboard shortcuts',
    group: 'Studio',
    shortcut: 'Shift+?',
    enabled: always,
    run: ({ view }) => view.getState().openDialog('shortcuts'),
  },
];

export function actionById(id: ActionId): Action {
  return actions.find((action) => action.id === id)!;
}
