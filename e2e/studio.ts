import { test as base, expect, type Page, type Worker } from '@playwright/test';

/** What a person types first. */
export const PROMPT = 'a dog barks and then a telephone rings';

/**
 * A page on which nothing may go wrong unseen: script errors, violations of the content security policy and
 * requests to other origins than those in `hosts` (this machine's, whatever the port) fail the test that caused them.
 */
export const test = base.extend<{ hosts: readonly string[]; studio: Page }>({
  hosts: [[], { option: true }],
  studio: async ({ page, baseURL, hosts }, use) => {
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(`page error: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(`console: ${message.text()}`);
    });
    page.on('request', (request) => {
      const url = new URL(request.url());
      const own = url.origin === baseURL || hosts.includes(url.hostname);
      if (url.protocol.startsWith('http') && !own) problems.push(`request to ${url.href}`);
    });
    await page.goto('/');
    await use(page);
    expect(problems).toEqual([]);
  },
});

export { expect };

/** Waits until the engine runs and a model is loaded. */
export async function untilReady(page: Page): Promise<void> {
  await page.waitForFunction(async () => Boolean((await window.studio?.info())?.model), undefined, {
    timeout: 90_000,
  });
}

/** The engine's worker; wasm threads are workers of it and are told apart by their scripts. */
export async function engineWorker(page: Page): Promise<Worker> {
  const isEngine = (worker: Worker) => /engine\.worker/.test(worker.url());
  await expect.poll(() => page.workers().some(isEngine)).toBe(true);
  return page.workers().filter(isEngine).at(-1)!;
}

/** Settings that make a clip quickly, by the fields a person uses. */
export async function quickSettings(
  page: Page,
  options: { steps?: number; seconds?: number } = {},
): Promise<void> {
  await page.getByRole('textbox', { name: 'Steps', exact: true }).fill(String(options.steps ?? 4));
  await page.getByRole('textbox', { name: 'Duration', exact: true }).fill(String(options.seconds ?? 2));
}

/** Root mean square of a 16-bit mono WAV's samples, as a share of full scale. */
export function wavLevel(bytes: Buffer): number {
  const samples = new Int16Array(bytes.buffer, bytes.byteOffset + 44, (bytes.byteLength - 44) >> 1);
  return Math.sqrt(samples.reduce((sum, value) => sum + (value / 32768) ** 2, 0) / samples.length);
}
