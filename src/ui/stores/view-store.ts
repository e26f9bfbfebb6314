import { createStore } from 'zustand/vanilla';

export type DialogName = 'engine' | 'shortcuts';
export type PanelId = 'generate' | 'preferences' | 'fine-tune' | 'models';

export interface ViewState {
  /** The panel that is shown; the address's hash says the same. */
  readonly panel: PanelId;
  readonly dialog: DialogName | null;
  /** Field errors are shown once Generate has been pressed with them, and while they stand. */
  readonly showFieldErrors: boolean;
  /** The last thing worth telling a screen reader. */
  readonly announcement: string;
  showPanel(panel: PanelId): void;
  openDialog(dialog: DialogName): void;
  closeDialog(): void;
  setShowFieldErrors(show: boolean): void;
  announce(text: string): void;
}

export function createViewStore() {
  return createStore<ViewState>()((set) => ({
    panel: 'generate',
    dialog: null,
    showFieldErrors: false,
    announcement: '',
    // A dialog belongs to what was seen behind it.
    showPanel: (panel) => set({ panel, dialog: null }),
    openDialog: (dialog) => set({ dialog }),
    closeDialog: () => set({ dialog: null }),
    setShowFieldErrors: (showFieldErrors) => set({ showFieldErrors }),
    announce: (announcement) => set({ announcement }),
  }));
}
