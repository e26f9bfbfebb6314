/**
 * The most that the JavaScript heaps of a page and its workers take while a job runs: V8's objects and the array
 * buffers they hold, asked for over DevTools' protocol many times a second.
 */
const EVERY_MS = 100;

/** @param page a Playwright page, whose workers have not started yet */
export async function watchHeaps(page) {
  const session = await page.context().newCDPSession(page);
  const workers = new Map();
  const waiting = new Map();
  let nextId = 1;
  session.on('Target.attachedToTarget', ({ sessionId, targetInfo }) => {
    if (targetInfo.type === 'worker') workers.set(sessionId, targetInfo.url);
  });
  session.on('Target.detachedFromTarget', ({ sessionId }) => workers.delete(sessionId));
  session.on('Target.receivedMessageFromTarget', ({ message }) => {
    const { id, result } = JSON.parse(message);
    waiting.get(id)?.(result);
    waiting.delete(id);
  });
  await session.send('Target.setAutoAttach', {
    autoAttach: true,
    waitForDebuggerOnStart: false,
    flatten: false,
  });
  const bytesOf = ({ usedSize, backingStorageSize = 0 }) => usedSize + backingStorageSize;
  const askWorker = (sessionId) =>
    new Promise((resolve) => {
      const id = nextId++;
      waiting.set(id, (usage) => resolve(usage ? bytesOf(usage) : 0));
      const message = JSON.stringify({ id, method: 'Runtime.getHeapUsage' });
      session.send('Target.sendMessageToTarget', { sessionId, message }).catch(() => resolve(0));
    });

  let peak = { page: 0, workers: 0 };
  let samples = 0;
  let running = true;
  const loop = (async () => {
    while (running) {
      const page = bytesOf(await session.send('Runtime.getHeapUsage'));
      // A worker that is busy answers when it is not.
      const each = await Promise.all([...workers.keys()].map(askWorker));
      peak = {
        page: Math.max(peak.page, page),
        workers: Math.max(
          peak.workers,
          each.reduce((sum, bytes) => sum + bytes, 0),
        ),
      };
      samples += 1;
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  })().catch(() => {}); // the page is closed
  return {
    /** What was seen since the last call. */
    take() {
      const taken = { pageBytes: peak.page, workerBytes: peak.workers, samples };
      peak = { page: 0, workers: 0 };
      samples = 0;
      return taken;
    },
    async stop() {
      running = false;
      await loop;
    },
  };
}
