import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { expect, PROMPT, quickSettings, test, untilReady } from './studio';

async function expectNoSeriousProblem(page: Page, state: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  const words = serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  expect(words, state).toEqual([]);
}

for (const colorScheme of ['dark', 'light'] as const) {
  for (const viewport of [
    { width: 1440, height: 900 },
    { width: 390, height: 844 },
  ]) {
    test(`axe finds nothing serious, ${colorScheme}, ${viewport.width} wide`, async ({ studio: page }) => {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize(viewport);
      await untilReady(page);
      await expectNoSeriousProblem(page, 'empty');
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect(overflow, 'nothing sticks out sideways').toBeLessThanOrEqual(0);

      await page.getByRole('textbox', { name: 'Prompt', exact: true }).fill(PROMPT);
      await quickSettings(page, { steps: 6, seconds: 2 });
      await page.getByRole('button', { name: /^Generate/ }).click();
      await expect(page.getByText(/Step \d+ of 6/).first()).toBeVisible();
      await expectNoSeriousProblem(page, 'generating');
      await expect(page.getByRole('region', { name: /^Take, seed/ })).toBeVisible({ timeout: 60_000 });
      await expectNoSeriousProblem(page, 'a take');

      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: /WebAssembly/ }).click();
      await expect(page.getByRole('dialog', { name: 'Engine', exact: true })).toBeVisible();
      await expectNoSeriousProblem(page, 'engine dialog');

      await page.keyboard.press('Escape');
      await page.getByRole('navigation', { name: 'Panels' }).getByRole('link', { name: 'Models' }).click();
      await expect(page.getByRole('heading', { name: 'Models', exact: true })).toBeVisible();
      await expectNoSeriousProblem(page, 'models');
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect(wider, 'nothing sticks out of the models sideways').toBeLessThanOrEqual(0);
    });
  }
}
