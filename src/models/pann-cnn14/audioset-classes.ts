import { NetworkError } from '../../common/errors';

/**
 * Display names of AudioSet's 527 classes in the order of the models' outputs. The table is a file of its own, fetched
 * when it is first needed; it says its source and its licence (CC BY-SA 4.0).
 *
 * @throws NetworkError
 */
export async function audiosetClasses(): Promise<readonly string[]> {
  try {
    return (await import('./audioset-classes.json')).default.names;
  } catch (cause) {
    throw new NetworkError(
      'The names of AudioSet’s classes could not be fetched. Check the connection and that the studio’s server still runs, then try again.',
      { cause },
    );
  }
}
