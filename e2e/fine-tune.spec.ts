import { readFileSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { expect, quickSettings, test, untilReady } from './studio';

const PROMPTS = ['a dog barks', 'a bell rings', 'rain falls', 'a cat meows', 'a man speaks', 'a siren wails'];

/** A preference dataset of short takes: the longer denoised one is liked better. */
async function makePairs(page: Page): Promise<void> {
  await page.evaluate(async (prompts) => {
    const { studio } = window;
    const pcm = (audio: Float32Array, sampleRateHz: number): Blob => {
      const header = new DataView(new ArrayBuffer(44));
      const bytes = audio.length * 2;
      [...'RIFF'].forEach((letter, i) => {
        header.setUint8(i, letter.charCodeAt(0));
      });
      [...'WAVEfmt '].forEach((letter, i) => {
        header.setUint8(8 + i, letter.charCodeAt(0));
      });
      [...'data'].forEach((letter, i) => {
        header.setUint8(36 + i, letter.charCodeAt(0));
      });
      const fields = [
        [4, 36 + bytes, 4],
        [16, 16, 4],
        [20, 1, 2],
        [22, 1, 2],
        [24, sampleRateHz, 4],
        [28, 2 * sampleRateHz, 4],
        [32, 2, 2],
        [34, 16, 2],
        [40, bytes, 4],
      ] as const;
      for (const [at, value, size] of fields) {
        if (size === 4) header.setUint32(at, value, true);
        else header.setUint16(at, value, true);
      }
      return new Blob([header, Int16Array.from(audio, (x) => 32_767 * Math.min(1, Math.max(-1, x)))]);
    };
    const take = async (prompt: string, seed: number, steps: number): Promise<Blob> => {
      const [sound] = await studio.generate({ prompt, seed, steps, durationSeconds: 1 });
      return pcm(sound!.audio, sound!.sampleRateHz);
    };
    const captions = prompts.map((prompt) => JSON.stringify({ captions: prompt })).join('\n');
    const files = [{ path: 'six/captions.jsonl', blob: new Blob([captions]) }];
    for (const [i, prompt] of prompts.entries()) {
      files.push({ path: `six/chosen_${i}.wav`, blob: await take(prompt, i, 4) });
      files.push({ path: `six/reject_${i}.wav`, blob: await take(prompt, 100 + i, 2) });
    }
    await studio.preferences.importFiles(files);
  }, PROMPTS);
}

test('a run is started from the panel, paused, gone on with after a reload, heard and taken away', async ({
  studio: page,
}) => {
  await untilReady(page);
  await makePairs(page);
  const openPanel = () =>
    page.getByRole('navigation', { name: 'Panels' }).getByRole('link', { name: 'Fine-tune' }).click();
  await openPanel();
  await expect(page.getByRole('combobox', { name: 'Preference pairs' })).toContainText('six');
  await expect(page.getByRole('radio', { name: /^Quick look/ })).toBeChecked();
  await expect(page.getByRole('region', { name: 'Memory' })).toBeVisible();
  await page.getByRole('textbox', { name: /^Prompts to listen to/ }).fill('a dog barks');
  await page.getByText('Advanced', { exact: true }).click();
  await page.getByRole('textbox', { name: 'DPO epochs' }).fill('6');
  await page.getByRole('button', { name: 'Start training' }).click();

  const loss = page.getByRole('region', { name: 'Loss', exact: true });
  await expect(loss).toBeVisible();
  // The base model is its own reference: the loss begins at ln 2.
  await expect(loss.getByRole('img')).toHaveAttribute('aria-label', /DPO 0\.69/);
  await page.getByRole('button', { name: 'Pause' }).click();
  await expect(page.getByText(/“six” stands at step \d+ of 12/)).toBeVisible();

  await page.reload();
  await openPanel();
  await page.getByRole('button', { name: 'Go on' }).click();
  await expect(page.getByText(/^done · step 12 of 12/)).toBeVisible();
  const samples = page.getByRole('region', { name: 'Samples of a dog barks' });
  await expect(samples.getByRole('button', { name: 'Base' })).toBeVisible();
  await expect(samples.getByRole('button', { name: 'Step 12' })).toBeVisible();

  await page.getByRole('button', { name: 'Measure all 6 pairs' }).click();
  const margins = page.getByRole('region', { name: 'Margins of the pairs' });
  await expect(margins.getByRole('row')).toHaveCount(7);

  const saved = page.waitForEvent('download');
  await page.getByRole('combobox', { name: 'Export' }).selectOption({ label: 'Adapter for diffusers' });
  const file = readFileSync(await (await saved).path());
  const header = JSON.parse(file.subarray(8, 8 + Number(file.readBigUInt64LE(0))).toString());
  expect(JSON.parse(header.__metadata__.tango_studio).run).toMatchObject({ name: 'six', step: 12 });

  await page.getByRole('button', { name: 'Use in Generate' }).click();
  const adapters = page.getByRole('group', { name: 'Adapters' });
  await expect(adapters.getByRole('checkbox', { name: 'six' })).toBeChecked();
  await page.getByRole('textbox', { name: 'Prompt', exact: true }).fill('a dog barks');
  await quickSettings(page);
  await page.getByRole('button', { name: /^Generate/ }).click();
  await expect(page.getByRole('region', { name: /^Take, seed/ })).toBeVisible();
});
