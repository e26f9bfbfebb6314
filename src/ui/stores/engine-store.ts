import { createStore } from 'zustand/vanilla';
import type { EngineClient } from '../../engine/client/engine-client';
import type { BackendChoice, EngineInfo, EngineStatus } from '../../engine/protocol';
import { type Failure, toFailure } from './failure';

export interface EngineState {
  readonly status: EngineStatus;
  /** Null until the engine has answered for the first time. */
  readonly info: EngineInfo | null;
  /** Backend being moved to; null when none is. */
  readonly switchingTo: BackendChoice | null;
  readonly failure: Failure | null;
  refresh(): Promise<void>;
  setBackend(choice: BackendChoice): Promise<void>;
  restart(): Promise<void>;
}

export function createEngineStore(client: EngineClient, onBackendChosen: (choice: BackendChoice) => void) {
  return createStore<EngineState>()((set, get) => ({
    status: client.status,
    info: null,
    switchingTo: null,
    failure: null,
    refresh: async () => {
      try {
        set({ info: await client.info() });
      } catch {
        // The status says what is wrong with the engine; figures from before stay as they are.
      }
    },
    setBackend: async (choice) => {
      if (get().switchingTo !== null) return;
      set({ switchingTo: choice, failure: null });
      try {
        set({ info: await client.setBackend(choice) });
        onBackendChosen(choice);
      } catch (error) {
        set({ failure: toFailure(error) });
      } finally {
        set({ switchingTo: null });
      }
    },
    restart: async () => {
      try {
        await client.restart();
      } catch {
        // `status` turns to failed and carries the reason.
      }
    },
  }));
}
