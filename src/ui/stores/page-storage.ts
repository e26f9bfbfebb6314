import type { StateStorage } from 'zustand/middleware';

/** localStorage; where it is closed (private mode, blocked cookies) or full, settings live as long as the page. */
export function pageStorage(): StateStorage {
  const fallback = new Map<string, string>();
  return {
    getItem(name) {
      try {
        return localStorage.getItem(name) ?? fallback.get(name) ?? null;
      } catch {
        return fallback.get(name) ?? null;
      }
    },
    setItem(name, value) {
      fallback.set(name, value);
      try {
        localStorage.setItem(name, value);
      } catch {
        // Kept in memory above.
      }
    },
    removeItem(name) {
      fallback.delete(name);
      try {
        localStorage.removeItem(name);
      } catch {
        // There is nothing to remove where nothing can be stored.
      }
    },
  };
}
