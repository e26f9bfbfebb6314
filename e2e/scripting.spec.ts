import { readFileSync } from 'node:fs';
import { expect, test, untilReady } from './studio';

const guide = readFileSync(new URL('../docs/scripting.md', import.meta.url), 'utf8');
/** The guide's examples for the page's console; the one that starts a browser is this file's own way. */
const examples = [...guide.matchAll(/```js\n([\s\S]*?)```/g)]
  .map(([, code]) => code!)
  .filter((code) => !code.includes("from 'playwright'"));

test('the examples of the scripting guide run as they are written', async ({ studio: page }) => {
  test.setTimeout(400_000);
  await untilReady(page);
  expect(examples.length).toBeGreaterThan(6);
  // As they are written, but for the length: a second of sound, two steps and one epoch show whether a call is right.
  await page.evaluate(() => {
    const { studio } = window;
    const { generate, preferences, train } = studio;
    const short: Pick<typeof studio, 'generate' | 'preferences' | 'train'> = {
      generate: (request, options) =>
        generate({ ...request, steps: Math.min(request.steps ?? 2, 2), durationSeconds: 1 }, options),
      preferences: {
        ...preferences,
        create: (request) =>
          preferences.create({ ...request, steps: 2, stepsOfStrategy11: [1, 2], durationSeconds: 1 }),
      },
      train: {
        ...train,
        start: (request, options) => train.start({ ...request, sftEpochs: 1, dpoEpochs: 1 }, options),
      },
    };
    Object.defineProperty(window, 'studio', { value: { ...studio, ...short } });
  });
  for (const code of examples) {
    const ended = page.evaluate(`(async () => { ${code}\nreturn 'ended'; })()`);
    expect(await ended, code).toBe('ended');
  }
});

test('a file picked for import reaches the engine, which says what is wrong with it', async ({
  studio: page,
}) => {
  await untilReady(page);
  const error = await page.evaluate(async () => {
    const file = new File(['<!doctype html>'], 'model_index.json');
    return window.studio.models.importFiles([file]).catch((thrown: { code: string; message: string }) => ({
      code: thrown.code,
      message: thrown.message,
    }));
  });
  expect(error).toMatchObject({ code: 'invalid-config', message: expect.stringMatching(/model_index.json/) });
});
