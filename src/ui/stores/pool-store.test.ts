import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../../common/errors';
import { createFakeEngineClient } from '../../testing/fake-engine-client';
import { memoryStorage } from '../../testing/memory-storage';
import { createPoolStore } from './pool-store';

const SEQUENCE = 'a dog barks and then a bell rings';
const SINGLE = 'rain falls';

function open(
  ask: Parameters<typeof createPoolStore>[2] = async (_endpoint, prompt, kind) => [`${kind} of ${prompt}`],
  storage = memoryStorage(),
) {
  return { storage, pool: createPoolStore(createFakeEngineClient(), storage, ask) };
}

describe('The draft of a pool', () => {
  it('gets wrong captions by the rules, for those that have none', async () => {
    const { pool } = open();
    pool.getState().edit(SINGLE, 'perturbed', ['snow falls']);
    await pool.getState().write([SEQUENCE, SINGLE], 'rules', 3);
    const { wrong } = pool.getState();
    expect(wrong[SINGLE]).toEqual({ perturbed: ['snow falls'], temporal: [] });
    expect(wrong[SEQUENCE]!.perturbed).toHaveLength(5);
    expect(wrong[SEQUENCE]!.temporal).toHaveLength(5);
  });

  it('keeps what a language model wrote before it failed, and goes on from there', async () => {
    const asked: string[] = [];
    let works = false;
    const { pool } = open(async ({ apiKey }, prompt, kind) => {
      asked.push(`${kind}: ${prompt}`);
      if (kind === 'temporal' && !works) throw new InvalidInputError('refused the key (401)');
      return [`${kind} with ${apiKey}`];
    });
    pool.getState().setEndpoint({ baseUrl: 'http://localhost/v1', model: 'm', apiKey: 'k' });
    await pool.getState().write([SEQUENCE, SINGLE], 'language-model', 0);
    expect(pool.getState()).toMatchObject({ work: null, failure: { message: 'refused the key (401)' } });
    expect(pool.getState().wrong).toEqual({ [SEQUENCE]: { perturbed: ['perturbed with k'], temporal: [] } });
    works = true;
    await pool.getState().write([SEQUENCE, SINGLE], 'language-model', 0);
    expect(asked).toEqual([
      `perturbed: ${SEQUENCE}`,
      `temporal: ${SEQUENCE}`,
      `temporal: ${SEQUENCE}`,
      `perturbed: ${SINGLE}`,
    ]);
    expect(pool.getState().failure).toBeNull();
  });

  it('is stopped', async () => {
    const { pool } = open(
      (_endpoint, _prompt, _kind, options) =>
        new Promise((_, reject) => {
          options?.signal?.addEventListener('abort', () => reject(options.signal!.reason));
        }),
    );
    const writing = pool.getState().write([SINGLE], 'language-model', 0);
    pool.getState().stop();
    await writing;
    expect(pool.getState()).toMatchObject({ work: null, failure: null, wrong: {} });
  });

  it('outlives the tab, without the key', async () => {
    const { pool, storage } = open();
    pool.getState().setText(SINGLE);
    pool.getState().setEndpoint({ baseUrl: 'https://example.org/v1', model: 'm', apiKey: 'secret' });
    await pool.getState().write([SINGLE], 'language-model', 0);
    const again = open(undefined, storage).pool.getState();
    expect(again.text).toBe(SINGLE);
    expect(again.endpoint).toEqual({ baseUrl: 'https://example.org/v1', model: 'm' });
    expect(again.wrong[SINGLE]!.perturbed).toEqual([`perturbed of ${SINGLE}`]);
    expect(again.apiKey).toBe('');
  });

  it('keeps the picked prompts and gives the others back', async () => {
    const { pool } = open();
    const prompts = Array.from({ length: 12 }, (_, i) => `sound number ${'x'.repeat(i + 1)}`);
    pool.getState().setText(prompts.join('\n'));
    await pool.getState().cluster(prompts, { clusters: 3, perCluster: 2, seed: 0 });
    const { picked } = pool.getState().clusters!;
    expect(picked.length).toBeGreaterThanOrEqual(3);
    pool.getState().keepPicked();
    expect(pool.getState().text.split('\n')).toEqual(picked.map((i) => prompts[i]));
    pool.getState().undoPicked();
    expect(pool.getState().text.split('\n')).toEqual(prompts);
  });

  it('says what clusters cannot be', async () => {
    const { pool } = open();
    await pool.getState().cluster(['a', 'b'], { clusters: 5, perCluster: 1, seed: 0 });
    expect(pool.getState().failure!.message).toContain('from 2 to the 2 prompts, but 5 came');
  });
});
