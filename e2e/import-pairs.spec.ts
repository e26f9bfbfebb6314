import { expect, test, untilReady } from './studio';

const PAIRS = new URL('../src/preferences/fixtures/pairs.parquet', import.meta.url).pathname;

/** The decoders come as WebAssembly inside of scripts: the content security policy has to let the worker start them. */
test('pairs of FLAC, MP3, Vorbis and Opus are opened from the panel; a broken one is named', async ({
  studio: page,
}) => {
  await untilReady(page);
  await page.getByRole('navigation', { name: 'Panels' }).getByRole('link', { name: 'Preferences' }).click();
  await page.getByLabel('Files of pairs').setInputFiles(PAIRS);
  await expect(page.getByRole('button', { name: /^pairs/ })).toContainText('2 pairs from a file');
  await expect(page.getByText('1 pair was left out')).toBeVisible();
  await expect(page.getByText(/row 2: the rejected sound does not decode/)).toBeVisible();
  const rates = await page.evaluate(async () => {
    const { preferences } = window.studio;
    const [dataset] = await preferences.datasets();
    const clips = (await preferences.groups(dataset!.id)).flatMap(({ candidates }) => candidates);
    return Promise.all(
      clips.map(async ({ clipId }) => (await preferences.clip(dataset!.id, clipId)).sampleRateHz),
    );
  });
  expect(rates).toEqual([22_050, 44_100, 16_000, 16_000]);
});
