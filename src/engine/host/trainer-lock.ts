import { InvalidInputError } from '../../common/errors';

/** One trainer at a time over all tabs of the browser; the second lock's name says which run it is. */
const LOCK = 'tango-studio-training';
const RUN_LOCK = `${LOCK}:`;

/** @throws InvalidInputError when another tab trains */
export async function withTrainerLock<T>(runId: string, work: () => Promise<T>): Promise<T> {
  const locks = globalThis.navigator?.locks;
  if (!locks) return work();
  return locks.request(LOCK, { ifAvailable: true }, (lock) => {
    if (lock) return locks.request(`${RUN_LOCK}${runId}`, work);
    throw new InvalidInputError(
      'Another tab of the studio is training: pause it there first. Here you can listen and generate.',
    );
  }) as Promise<T>;
}

/** The run that is trained now, in this tab or in another; null when none is. */
export async function trainedRun(): Promise<string | null> {
  const { held = [] } = (await globalThis.navigator?.locks?.query?.()) ?? {};
  const lock = held.find(({ name }) => name?.startsWith(RUN_LOCK));
  return lock?.name?.slice(RUN_LOCK.length) ?? null;
}
