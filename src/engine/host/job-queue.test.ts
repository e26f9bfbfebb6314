import { describe, expect, it } from 'vitest';
import { JobCancelledError } from '../../common/errors';
import { JobQueue } from './job-queue';

/** A job that ends when it is told to. */
function controlled(): { job: () => Promise<string>; end: (value: string) => void; started: () => boolean } {
  let end: (value: string) => void = () => {};
  let started = false;
  const ended = new Promise<string>((resolve) => {
    end = resolve;
  });
  const job = (): Promise<string> => {
    started = true;
    return ended;
  };
  return { job, end: (value) => end(value), started: () => started };
}

describe('JobQueue', () => {
  it('runs one job at a time, in order', async () => {
    const queue = new JobQueue();
    const [first, second, third] = [controlled(), controlled(), controlled()];
    const results = [first, second, third].map(({ job }) => queue.run(job));
    await Promise.resolve();
    expect([first, second, third].map((job) => job.started())).toEqual([true, false, false]);
    expect(queue.busy).toBe(true);
    first.end('a');
    await results[0];
    await Promise.resolve();
    expect([second, third].map((job) => job.started())).toEqual([true, false]);
    second.end('b');
    third.end('c');
    expect(await Promise.all(results)).toEqual(['a', 'b', 'c']);
    expect(queue.busy).toBe(false);
  });

  it('goes on after a job that failed', async () => {
    const queue = new JobQueue();
    const failed = queue.run(() => Promise.reject(new Error('no')));
    const next = queue.run(async () => 'yes');
    await expect(failed).rejects.toThrow('no');
    expect(await next).toBe('yes');
  });

  it('drops a waiting job when its signal aborts, and not the others', async () => {
    const queue = new JobQueue();
    const running = controlled();
    const result = queue.run(running.job);
    const controller = new AbortController();
    const dropped = queue.run(async () => 'never', controller.signal);
    const kept = queue.run(async () => 'kept');
    controller.abort();
    await expect(dropped).rejects.toBeInstanceOf(JobCancelledError);
    running.end('done');
    expect(await Promise.all([result, kept])).toEqual(['done', 'kept']);
    await expect(queue.run(async () => '', AbortSignal.abort())).rejects.toBeInstanceOf(JobCancelledError);
  });
});
