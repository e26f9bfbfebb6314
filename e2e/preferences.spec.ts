import { expect, test, untilReady } from './studio';

test('pairs are made from prompts, chosen, heard blind, voted on by keys, and taken away', async ({
  studio: page,
}) => {
  await untilReady(page);
  await page.getByRole('navigation', { name: 'Panels' }).getByRole('link', { name: 'Preferences' }).click();
  const prompts = page.getByRole('textbox', { name: 'Prompts, one a line' });
  await prompts.fill('a dog barks and then a bell rings\nrain falls\n\nrain falls');
  await page.getByText(/^Wrong captions of strategies 2 and 3/).click();
  await page.getByRole('button', { name: 'Write them' }).click();
  await expect(page.getByText(/2 of 2 written/)).toBeVisible();
  const wrong = page.getByRole('textbox', { name: 'Wrong captions (2)' });
  await wrong.first().fill('a cat meows');
  await wrong.last().fill('thunder rumbles');
  await page.getByRole('textbox', { name: 'Wrong orders (3)' }).fill('a bell rings and then a dog barks');

  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('two prompts');
  await page.getByRole('textbox', { name: 'Steps of 1.1' }).fill('2, 4');
  await page.getByRole('textbox', { name: 'Clips of 1.2' }).fill('2');
  await page.getByRole('textbox', { name: 'Steps of 1.2, 2, 3' }).fill('4');
  await page.getByRole('textbox', { name: 'Seconds' }).fill('2');
  await page.getByRole('combobox', { name: 'Scheduler' }).selectOption('dpm-solver++');
  await page.getByRole('button', { name: 'Create' }).click();
  await page.getByRole('button', { name: 'Make the clips' }).click();
  // Two clips a prompt in 1.1 and in 1.2, of which one is the same; a wrong caption a prompt, and a wrong order.
  await expect(page.getByText('9 of 9 clips · 2 prompts')).toBeVisible({ timeout: 120_000 });
  await expect(page.getByRole('button', { name: 'Score' })).toHaveCount(0);

  const views = page.getByRole('navigation', { name: 'Views of the dataset' });
  await views.getByRole('button', { name: 'Pairs' }).click();
  const table = page.getByRole('table', { name: 'Pairs' });
  await expect(table.getByRole('row')).not.toHaveCount(1);
  await page.getByRole('combobox', { name: 'Tags' }).selectOption('sequence');
  await expect(page.getByRole('status').filter({ hasText: /^\d of \d pairs$/ })).toBeVisible();
  await page.getByRole('textbox', { name: 'Winner ≥' }).fill('2');
  await expect(page.getByText('No pair is like that')).toBeVisible();
  await page.getByRole('button', { name: /^Show all \d/ }).click();

  await table.getByRole('button').filter({ hasText: 'rain falls' }).first().click();
  const gate = page.getByText(/^Hear \d+ s of each sound to vote/);
  await expect(gate).toBeVisible();
  // Keys obey the gate too.
  await page.keyboard.press('ArrowLeft');
  await expect(page.getByText(/\d votes/)).toHaveCount(0);
  await page.keyboard.press('a');
  await page.waitForTimeout(1500);
  await page.keyboard.press('b');
  await expect(page.getByText('Both sounds were heard.')).toBeVisible();
  await page.keyboard.press('ArrowLeft');
  await expect(page.getByText(/^1 votes/)).toBeVisible();
  await page.keyboard.press('ControlOrMeta+z');
  await expect(page.getByText(/^1 votes/)).toHaveCount(0);

  const saved = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Parquet' }).click();
  const file = await (await saved).path();
  const count = await page.evaluate(async () => {
    const { preferences } = window.studio;
    const [dataset] = await preferences.datasets();
    return (await preferences.pairs(dataset!.id)).length;
  });
  expect(count).toBeGreaterThan(0);
  await page.getByLabel('Files of pairs').setInputFiles({
    name: 'pairs.parquet',
    mimeType: 'application/octet-stream',
    buffer: (await import('node:fs')).readFileSync(file),
  });
  await expect(page.getByRole('button', { name: /^pairs/ })).toContainText(`${count} pairs from a file`);
});
