import type { EngineClient } from './engine-client';

/** What scripts find at `window.studio`: the very client the panels use (docs/scripting.md). */
export type WindowStudio = EngineClient;

declare global {
  interface Window {
    /** The studio's engine, for scripts and automation. */
    readonly studio: WindowStudio;
  }
}

/** Puts `client` at `window.studio`. */
export function installWindowStudio(client: EngineClient): void {
  Object.defineProperty(window, 'studio', { value: client, configurable: true, enumerable: true });
}
