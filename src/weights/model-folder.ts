import { InvalidConfigError, InvalidInputError, ModelNotFoundError } from '../common/errors';
import type { StateDict } from './state-dict';

/** A checkpoint folder in the diffusers layout, wherever its files are: picked from disk, fetched, or stored. */
export interface ModelFolder {
  /** Paths of all files, with `/`, relative to the folder. */
  list(): readonly string[];
  has(path: string): boolean;
  /** @throws ModelNotFoundError when there is no such file. */
  blob(path: string): Promise<Blob>;
  /** @throws ModelNotFoundError, or InvalidConfigError when the file is not JSON. */
  json(path: string): Promise<unknown>;
  /** The weights of a component, where they are not files of its own folder (another layout, a conversion). */
  stateDict?(component: string): Promise<StateDict>;
}

/**
 * A folder of files that are at hand.
 *
 * @param files path (`webkitRelativePath` or name) and content; a leading folder common to all is dropped, so that
 *   picking "my-model" gives "unet/config.json" and not "my-model/unet/config.json".
 * @throws InvalidInputError when there are no files, or two with one path.
 */
export function folderFromFiles(files: readonly { path: string; blob: Blob }[]): ModelFolder {
  if (files.length === 0) {
    throw new InvalidInputError('Expected the files of a model folder, got none. Choose the whole folder.');
  }
  const paths = withoutCommonFolder(files.map(({ path }) => normalise(path)));
  const blobs = new Map<string, Blob>();
  files.forEach(({ blob }, i) => {
    const path = paths[i]!;
    if (blobs.has(path)) {
      throw new InvalidInputError(`Expected each file once, got "${path}" twice. Choose one model folder.`);
    }
    blobs.set(path, blob);
  });
  return folderFromBlobs(blobs);
}

function folderFromBlobs(blobs: ReadonlyMap<string, Blob>): ModelFolder {
  const blob = async (path: string): Promise<Blob> => {
    const found = blobs.get(path);
    if (!found) {
      throw new ModelNotFoundError(
        `Expected the file "${path}" in the model folder, it has ${[...blobs.keys()].slice(0, 12).join(', ')}. ` +
          'Choose the top folder of a diffusers checkpoint (the one with model_index.json).',
      );
    }
    return found;
  };
  return {
    list: () => [...blobs.keys()],
    has: (path) => blobs.has(path),
    blob,
    json: async (path) => parseJsonFile(path, await (await blob(path)).text()),
  };
}

/** @throws InvalidConfigError naming the file. */
export function parseJsonFile(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InvalidConfigError(
      `Expected JSON in "${path}", got "${text.slice(0, 40)}". Download the file again.`,
      { cause },
    );
  }
}

function normalise(path: string): string {
  return path.replaceAll('\\', '/').replace(/^(\.?\/)+/, '');
}

function withoutCommonFolder(paths: readonly string[]): readonly string[] {
  const first = paths[0]!.split('/');
  if (first.length < 2) return paths;
  const prefix = `${first[0]}/`;
  return paths.every((path) => path.startsWith(prefix))
    ? paths.map((path) => path.slice(prefix.length))
    : paths;
}
