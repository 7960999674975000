// The web page in headless Chromium: search, filters, keyboard, photo view, more like this, dropping a picture,
// indexing, health; no console errors; axe finds nothing. Prints TAP.
// Usage: node pages.mjs URL PICTURE [SCREENSHOT_DIR]; playwright-core and axe-core from NODE_PATH.
// SPDX-License-Identifier: Apache-2.0
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const require = createRequire(`${process.env.NODE_PATH}/`);
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const [url, picture, shots] = process.argv.slice(2);

const tests = [];
const test = (sentence, run) => tests.push({ sentence, run });

function check(value, what) {
  if (!value) throw new Error(what);
}

// No accessibility issue on the page as it stands.
async function checkAccessible(page) {
  const found = await page.evaluate(async (source) => {
    const script = new Function(source);
    script();
    return (await window.axe.run()).violations.map((v) => `${v.id}: ${v.nodes.length} times, ${v.nodes[0].html}`);
  }, axe);
  check(found.length === 0, found.join('\n# '));
}

async function shoot(page, name) {
  if (shots) await page.screenshot({ path: `${shots}/${name}.png` });
}

const summary = (page) => page.locator('.summary').textContent();

test('the first page shows every photo, newest first', async (page) => {
  await page.goto(url);
  await page.waitForSelector('.grid a');
  check(/newest first/.test(await summary(page)), await summary(page));
  await checkAccessible(page);
});

test('typing words ranks the photos by them, without a button', async (page) => {
  await page.fill('input[name=words]', 'a red car');
  await page.waitForFunction(() => document.querySelector('.summary')?.textContent.includes('a red car'));
  await page.waitForSelector('.grid a[data-index="0"] img');
  const first = await page.locator('.grid a[data-index="0"] img').getAttribute('alt');
  check(/score/.test(first), first);
  await shoot(page, 'search');
  await checkAccessible(page);
});

test('a filter narrows the photos', async (page) => {
  const before = parseInt(await summary(page), 10);
  await page.fill('input[name=dateFrom]', '2024-01-01');
  await page.waitForFunction((n) => parseInt(document.querySelector('.summary').textContent, 10) < n, before);
  await page.fill('input[name=dateFrom]', '');
  await page.waitForFunction((n) => parseInt(document.querySelector('.summary').textContent, 10) === n, before);
});

test('arrow keys move through the grid and Enter opens a photo', async (page) => {
  await page.locator('.grid a[data-index="0"]').focus();
  await page.keyboard.press('ArrowRight');
  check(await page.evaluate(() => document.activeElement.dataset.index) === '1', 'the focus did not move');
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog[open] dt');
  await page.waitForFunction(() => document.querySelector('dialog figure img').naturalWidth > 0);
  await shoot(page, 'photo');
  await checkAccessible(page);
  await page.keyboard.press('Escape');
  check(await page.locator('dialog[open]').count() === 0, 'Escape did not close it');
});

test('more like this searches by the photo', async (page) => {
  await page.locator('.grid a[data-index="0"]').click();
  await page.getByRole('button', { name: 'More like this' }).click();
  await page.waitForFunction(() => document.querySelector('.summary')?.textContent.includes('like photo'));
});

test('a picture from the disk finds itself', async (page) => {
  await page.goto(url);
  await page.waitForSelector('.grid a');
  await page.setInputFiles('input[name=file]', picture);
  await page.waitForFunction(() => document.querySelector('.summary')?.textContent.includes('ranked by'));
  await page.waitForSelector('.grid a[data-index="0"] img');
  const first = await page.locator('.grid a[data-index="0"] img').getAttribute('alt');
  check(/score (1\.000|0\.99)/.test(first), first);
});

test('the indexing page shows the work', async (page) => {
  await page.getByRole('link', { name: 'Indexing' }).click();
  await page.waitForSelector('progress');
  await checkAccessible(page);
});

test('the health page shows model, device and figures that move', async (page) => {
  await page.getByRole('link', { name: 'Health' }).click();
  await page.waitForSelector('svg.plot');
  check((await page.locator('main').textContent()).includes('demo'), 'the model is not named');
  await shoot(page, 'health');
  await checkAccessible(page);
});

test('the page works on a phone', async (page) => {
  await page.setViewportSize({ width: 360, height: 700 });
  await page.goto(url);
  await page.waitForSelector('.grid a');
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  check(wide <= 360, `the page is ${wide} px wide`);
  await checkAccessible(page);
});

const browser = await chromium.launch({ executablePath: process.env.IMS_CHROMIUM || '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'] });
const page = await browser.newPage({ viewport: { width: 1200, height: 800 } });
const problems = [];
page.on('console', (message) => { if (message.type() === 'error') problems.push(message.text()); });
page.on('pageerror', (error) => problems.push(error.message));
page.setDefaultTimeout(20000);

test('nothing was written to the console as an error', async () => check(problems.length === 0, problems.join('\n# ')));

console.log(`1..${tests.length}`);
let failed = 0;
for (const [i, { sentence, run }] of tests.entries()) {
  try {
    await run(page);
    console.log(`ok ${i + 1} - ${sentence}`);
  } catch (error) {
    failed++;
    console.log(`# ${error.message.split('\n').join('\n# ')}\nnot ok ${i + 1} - ${sentence}`);
  }
}
await browser.close();
process.exit(failed ? 1 : 0);
