import { type ModelFolder, openComponentStateDict } from '../weights';

/** The folder, and how many tensors of a component have been read from it so far. */
export function countedReads(folder: ModelFolder): {
  readonly folder: ModelFolder;
  readonly reads: (component: string) => number;
} {
  const counts = new Map<string, number>();
  return {
    folder: {
      ...folder,
      stateDict: async (component) => {
        const source = await openComponentStateDict(folder, component);
        return {
          ...source,
          read: (name) => {
            counts.set(component, (counts.get(component) ?? 0) + 1);
            return source.read(name);
          },
        };
      },
    },
    reads: (component) => counts.get(component) ?? 0,
  };
}
