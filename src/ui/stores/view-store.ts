import { createStore } from 'zustand/vanilla';

export type DialogName = 'engine' | 'shortcuts';

export interface ViewState {
  readonly dialog: DialogName | null;
  /** Field errors are shown once Generate has been pressed with them, and while they stand. */
  readonly showFieldErrors: boolean;
  /** The last thing worth telling a screen reader. */
  readonly announcement: string;
  openDialog(dialog: DialogName): void;
  closeDialog(): void;
  setShowFieldErrors(show: boolean): void;
  announce(text: string): void;
}

export function createViewStore() {
  return createStore<ViewState>()((set) => ({
    dialog: null,
    showFieldErrors: false,
    announcement: '',
    openDialog: (dialog) => set({ dialog }),
    closeDialog: () => set({ dialog: null }),
    setShowFieldErrors: (showFieldErrors) => set({ showFieldErrors }),
    announce: (announcement) => set({ announcement }),
  }));
}
