// Indexing, health, settings.
// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { check, checkAccessible, expectRefusal, open, test, told } from './harness.mjs';

const run = (page, name) => page.locator('.session', { has: page.getByRole('heading', { name, exact: true }) });

async function index(page, folder, name) {
  await page.getByLabel('Folder').fill(folder);
  await page.getByLabel('Name of the run').fill(name);
  await page.getByRole('button', { name: 'Index it' }).click();
  await told(page, /is being indexed/);
}

test('a folder is indexed with live progress of its stages', async (page, url) => {
  await open(page, url, '#/indexing');
  await page.waitForSelector('progress');
  await index(page, `${process.env.DEMO}/2021`, 'Twenty-one');
  await run(page, 'Twenty-one').getByRole('progressbar', { name: /^Photos/ }).waitFor();
  await run(page, 'Twenty-one').getByText(/^completed/).waitFor();
  await page.waitForFunction(() => document.querySelector('.session progress').value === 100);
  await checkAccessible(page);
});

test('what failed is shown by reason with its files, and tried again', async (page, url) => {
  await open(page, url, '#/indexing');
  await index(page, `${process.env.DEMO}/corrupt`, 'Corrupt');
  await run(page, 'Corrupt').locator('summary').click();
  await run(page, 'Corrupt').getByText('broken.jpg').waitFor();
  await checkAccessible(page);
  await run(page, 'Corrupt').getByRole('button', { name: /Try the failed ones again|Start/ }).click();
  await run(page, 'Corrupt').locator('summary').waitFor();
});

test('a run is paused, goes on, and is cancelled', async (page, url) => {
  const picture = readFileSync(`${process.env.DEMO}/2021/beach-trip/IMG_1004.jpg`);
  mkdirSync(`${process.env.DEMO}/many`);
  for (let i = 0; i < 1500; i++) writeFileSync(`${process.env.DEMO}/many/${i}.jpg`, Buffer.concat([picture, Buffer.from(String(i))]));
  await open(page, url, '#/indexing');
  await index(page, `${process.env.DEMO}/many`, 'Many');
  await run(page, 'Many').getByRole('button', { name: 'Pause: Many' }).click();
  await run(page, 'Many').getByText(/^paused/).waitFor();
  await run(page, 'Many').getByRole('button', { name: 'Go on: Many' }).click();
  await run(page, 'Many').getByRole('button', { name: 'Cancel: Many' }).click();
  await run(page, 'Many').getByText(/^cancelled/).waitFor();
});

test('a folder outside the library is refused with the reason', async (page, url) => {
  await open(page, url, '#/indexing');
  await page.getByLabel('Folder').fill('/etc');
  expectRefusal(/status of 403 .*training\/sessions$/);
  const refused = page.waitForResponse((response) => response.status() === 403);
  await page.getByRole('button', { name: 'Index it' }).click();
  await refused;
  await page.waitForSelector('#notice.bad');
});

test('what failed in the library is shown by reason, whatever indexed it', async (page, url) => {
  await open(page, url, '#/indexing');
  const all = page.locator('main > details');
  await all.locator('summary', { hasText: /photos? failed/ }).click();
  await all.getByText('broken.jpg').waitFor();
  await all.locator('b', { hasText: 'truncated' }).waitFor();
  await checkAccessible(page);
});

test('the health page shows model, device and figures that move', async (page, url) => {
  await open(page, url, '#/health');
  await page.waitForSelector('svg.plot');
  check((await page.locator('main').textContent()).includes('demo'), 'the model is not named');
  const curve = () => page.locator('svg.plot polyline').first().getAttribute('points');
  const before = await curve();
  await page.waitForFunction((old) => document.querySelector('svg.plot polyline').getAttribute('points') !== old, before);
  await checkAccessible(page);
});

test('settings are kept by the server, and refused where they contradict each other', async (page, url) => {
  await open(page, url, '#/settings');
  const keep = page.getByRole('button', { name: 'Save: Recognising people' });
  const field = page.getByLabel('Suggest a name from');
  await page.waitForFunction(() => document.querySelector('[name=suggestion_threshold]').value !== '');
  const before = await field.inputValue();
  await field.fill('0.41');
  await keep.click();
  await told(page, /saved/);
  await page.reload();
  await page.waitForFunction(() => document.querySelector('[name=suggestion_threshold]').value === '0.41');
  await checkAccessible(page);
  await field.fill('0.95');
  await page.getByLabel('Give a name without asking from').fill('0.6');
  expectRefusal(/status of 4\d\d .*face-matching$/);
  await keep.click();
  await page.locator('#notice.bad').waitFor();
  await page.reload();
  await page.waitForFunction(() => document.querySelector('[name=suggestion_threshold]').value === '0.41');
  await field.fill(before);
  await keep.click();
  await told(page, /saved/);
});

test('the folders are watched, and not any more', async (page, url) => {
  await open(page, url, '#/settings');
  await page.getByRole('button', { name: 'Watch the folders' }).click();
  await page.getByText(/New photos are indexed as they appear below .*photos/).waitFor();
  await page.getByRole('button', { name: 'Stop watching' }).click();
  await page.getByText('New photos are indexed when you say so').waitFor();
});
