import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { expect, test, untilReady } from './studio';

const PROMPTS = ['a dog barks and then a bell rings', 'rain falls'];
/** 1.1 makes two clips of each prompt, 1.2 three, one of them the same. */
const CLIPS = 8;
const PAIRS = 2 * (1 + 2);

const side = (page: Page, letter: 'A' | 'B') => page.getByRole('button', { name: letter, exact: true });

/** The votes that the engine keeps. */
const votes = (page: Page) =>
  page.evaluate(async () => {
    const { preferences } = window.studio;
    const [dataset] = await preferences.datasets();
    return preferences.votes(dataset!.id);
  });

async function hearBoth(page: Page): Promise<void> {
  await page.keyboard.press('a');
  await expect(side(page, 'A')).toHaveAttribute('aria-pressed', 'true');
  await page.waitForTimeout(1200); // seconds of listening are what the gate counts
  await page.keyboard.press('b');
  await expect(side(page, 'B')).toHaveAttribute('aria-pressed', 'true');
  await expect(side(page, 'A')).toHaveAttribute('aria-pressed', 'false');
  await expect(page.getByText('Both sounds were heard.')).toBeVisible();
}

test('prompts become pairs that are looked through, heard, voted on by keys, taken away and opened again', async ({
  studio: page,
}, testInfo) => {
  await untilReady(page);
  await page.getByRole('navigation', { name: 'Panels' }).getByRole('link', { name: 'Preferences' }).click();

  // Two prompts, few steps, short clips.
  await page.getByRole('textbox', { name: 'Prompts, one a line' }).fill(PROMPTS.join('\n'));
  for (const strategy of [/^2 · /, /^3 · /]) await page.getByRole('checkbox', { name: strategy }).uncheck();
  for (const [label, value] of [
    ['Name', 'two'],
    ['Steps of 1.1', '2, 4'],
    ['Clips of 1.2', '3'],
    ['Steps of 1.2, 2, 3', '4'],
    ['Seconds', '1.28'],
  ] as const) {
    await page.getByRole('textbox', { name: label, exact: true }).fill(value);
  }
  await page.getByRole('combobox', { name: 'Scheduler' }).selectOption('dpm-solver++');
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await page.getByRole('button', { name: 'Make the clips' }).click();
  await expect(page.getByRole('button', { name: /^two/ })).toContainText(`${CLIPS} of ${CLIPS} clips · done`);

  // The table: by keys to the second row, and into it.
  await page.getByRole('button', { name: 'Pairs', exact: true }).click();
  const grid = page.getByRole('grid', { name: 'Pairs' });
  await expect(page.getByText(`${PAIRS} of ${PAIRS} pairs`)).toBeVisible();
  await page.getByRole('searchbox', { name: 'Find prompts' }).fill('nothing of the kind');
  await page.getByRole('button', { name: `Show all ${PAIRS} pairs` }).click();
  await page.getByRole('combobox', { name: 'Sound event' }).selectOption('bell');
  await expect(page.getByText(`${PAIRS / 2} of ${PAIRS} pairs`)).toBeVisible();
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')).toEqual([]);
  await grid.getByRole('button', { name: PROMPTS[0]! }).first().focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');

  // The gate: no key votes before both sounds were heard.
  await expect(page.getByRole('heading', { name: PROMPTS[0]! })).toBeVisible();
  await expect(side(page, 'A')).toHaveAttribute('aria-pressed', 'false');
  for (const key of ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown']) await page.keyboard.press(key);
  await expect(page.getByRole('button', { name: /^A is better/ })).toBeDisabled();
  expect(await votes(page)).toEqual([]);

  await hearBoth(page);
  await page.keyboard.press('ArrowLeft');
  await expect(page.getByText(/^1 vote /)).toBeVisible();
  const [first] = await votes(page);
  expect(first!.choice).toBe(first!.left);
  expect(Math.min(first!.heardSeconds.a, first!.heardSeconds.b)).toBeGreaterThanOrEqual(1);

  // Taken back, the pair is there again, to be heard afresh.
  await page.keyboard.press('Control+z');
  await expect.poll(() => votes(page)).toEqual([]);
  await expect(page.getByRole('heading', { name: PROMPTS[0]! })).toBeVisible();
  await expect(page.getByRole('button', { name: /^A is better/ })).toBeDisabled();
  await hearBoth(page);
  await page.keyboard.press('ArrowRight');
  await expect.poll(async () => (await votes(page)).map(({ pairId }) => pairId)).toEqual([first!.pairId]);

  await page.getByRole('button', { name: 'Health', exact: true }).click();
  await expect(page.getByText('Splits by prompt')).toBeVisible();

  // Out: what was voted on, split by prompt.
  await page.getByRole('button', { name: 'Take the chosen pairs away…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Take the chosen pairs away' });
  await dialog.getByRole('combobox', { name: 'Pairs' }).selectOption('Voted on only');
  await dialog.getByRole('textbox', { name: 'For validation, %' }).fill('100');
  await expect(dialog.getByRole('row', { name: 'Validation' })).toHaveText('Validation11');
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    dialog.getByRole('button', { name: 'Save 1 pair' }).click(),
  ]);
  expect(download.suggestedFilename()).toBe('two.parquet');
  const path = testInfo.outputPath('two.parquet');
  await download.saveAs(path);

  // And in again: the same sounds, winner first.
  await page.getByLabel('Files of pairs').setInputFiles(path);
  await expect(page.getByText('1 pair from a file')).toBeVisible();
  const [made, read] = await page.evaluate(async () => {
    const { preferences } = window.studio;
    const datasets = await preferences.datasets();
    const read = datasets.find(({ source }) => source === 'imported')!;
    const made = datasets.find(({ source }) => source === 'generated')!;
    const [group] = await preferences.groups(read.id);
    const sounds = await Promise.all(
      group!.candidates.map(async ({ clipId }) => [...(await preferences.clip(read.id, clipId)).audio]),
    );
    const [pair] = await preferences.pairs(made.id, { votes: 'only' });
    return [
      {
        prompt: pair!.prompt,
        split: 'validation',
        sounds: [[...pair!.winner.audio], [...pair!.loser.audio]],
      },
      { prompt: group!.prompt, split: group!.split, sounds },
    ];
  });
  expect(read!.sounds[0]!.length).toBeGreaterThan(16_000);
  expect(read).toEqual(made);
});
