// Themes, a phone, the token.
// SPDX-License-Identifier: Apache-2.0
import { check, checkAccessible, open, summaryTells, test } from './harness.mjs';

const ground = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

test('the theme follows the system until it is chosen, and the choice is kept', async (page, url) => {
  await open(page, url, '#/settings');
  await page.waitForSelector('input[name=theme]');
  const light = await ground(page);
  await page.emulateMedia({ colorScheme: 'dark' });
  const dark = await ground(page);
  check(light !== dark, `${light} in both`);
  await page.getByRole('radio', { name: 'light' }).check();
  check(await ground(page) === light, 'the choice does not hold');
  await page.reload();
  await page.waitForSelector('input[name=theme]');
  check(await ground(page) === light, 'the choice was not kept');
  await page.getByRole('radio', { name: 'system' }).check();
  check(await ground(page) === dark, 'system is not followed');
  await page.emulateMedia({ colorScheme: 'light' });
});

test('every page fits a phone of 360 pixels', async (page, url) => {
  await page.setViewportSize({ width: 360, height: 700 });
  const pages = { '': '.grid a.there', '#/people': '.card img', '#/people/suggestions': '.quiet', '#/indexing': '.session progress',
    '#/health': 'svg.plot', '#/settings': 'button.main:enabled', '#/search?photo=141': '.box' };
  for (const [address, there] of Object.entries(pages)) {
    await open(page, url, address);
    await page.waitForSelector(there);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    check(wide <= 360, `${address} is ${wide} px wide`);
    await checkAccessible(page);
  }
  await page.setViewportSize({ width: 1200, height: 800 });
});

test('every page can be reached and used from the keyboard', async (page, url) => {
  await open(page, url);
  await page.waitForSelector('.grid a.there');
  check(await page.evaluate(() => document.querySelector('a, button, input, select').className) === 'skip', 'the first stop is not the skip link');
  await page.locator('a.skip').focus();
  await page.keyboard.press('Enter');
  check(await page.evaluate(() => document.activeElement.id) === 'main', 'the skip link does not lead to the content');
  await page.keyboard.press('/');
  await page.keyboard.type('snow');
  await summaryTells(page, /snow/);
  for (let i = 0; i < 12 && await page.evaluate(() => !document.activeElement.closest('.grid')); i++) await page.keyboard.press('Tab');
  check(await page.evaluate(() => document.activeElement.dataset.index) === '0', 'Tab does not reach the first photo');
  await page.keyboard.press('Tab');
  check(await page.evaluate(() => !document.activeElement.closest('.grid')), 'Tab does not leave the grid');
});

test('a locked library asks for its token, refuses another, and opens with it', async (page) => {
  const locked = process.env.LOCKED_URL;
  const other = await page.context().newPage();
  await other.goto(locked);
  await other.getByLabel('Token').fill('not the token at all');
  await other.getByRole('button', { name: 'Open' }).click();
  await other.getByText('This is not the token').waitFor();
  await checkAccessible(other);
  await other.getByLabel('Token').fill(process.env.LOCKED_TOKEN);
  await other.getByRole('button', { name: 'Open' }).click();
  await other.waitForSelector('.grid a.there');
  await other.getByRole('link', { name: 'Settings' }).click();
  await other.getByRole('button', { name: 'Lock it again' }).click();
  await other.getByLabel('Token').waitFor();
  await other.close();
});
