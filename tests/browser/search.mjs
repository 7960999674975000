// Searching, filters, the grid, the photo view.
// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { check, checkAccessible, count, expectRefusal, open, summary, summaryTells, test } from './harness.mjs';

const focusedIndex = (page) => page.evaluate(() => document.activeElement.dataset.index);
const hash = (page) => page.evaluate(() => location.hash);

test('the first page shows every photo, newest first', async (page, url) => {
  await open(page, url);
  await page.waitForSelector('.grid a.there');
  check(/newest first/.test(await summary(page)), await summary(page));
  check(await count(page) > 150, 'photos are missing');
  await checkAccessible(page);
});

test('typing words ranks the photos by them, without a button, and one step back undoes it', async (page) => {
  await page.locator('input[name=words]').pressSequentially('a red car');
  await summaryTells(page, /a red car/);
  await page.waitForSelector('.grid a[data-index="0"].there');
  check(/score/.test(await page.locator('.grid a[data-index="0"]').getAttribute('aria-label')), 'no score');
  check(await hash(page) === '#/search?q=a+red+car', await hash(page));
  await page.goBack();
  await summaryTells(page, /newest first/);
  check(await page.inputValue('input[name=words]') === '', 'the words stayed');
  await page.goForward();
  await summaryTells(page, /a red car/);
});

test('filters narrow the photos, are shown as chips, and go when their chip is closed', async (page, url) => {
  await open(page, url, '#/search?q=a+red+car');
  await page.waitForSelector('.grid a.there');
  const before = await count(page);
  await page.locator('summary', { hasText: 'Filters' }).click();
  await page.fill('input[name=from]', '2023-01-01');
  await page.waitForSelector('.chip[data-name=from]');
  await page.selectOption('select[name=area]', { index: 1 });
  await page.waitForSelector('.chip[data-name=area]');
  await page.waitForFunction((n) => parseInt(document.querySelector('.summary').textContent, 10) < n / 4, before);
  await checkAccessible(page);
  await page.getByRole('button', { name: /^Remove: near/ }).click();
  await page.getByRole('button', { name: /^Remove: since/ }).click();
  await page.waitForFunction((n) => parseInt(document.querySelector('.summary').textContent, 10) === n, before);
  await page.goBack();
  await page.waitForSelector('.chip[data-name=from]');
  check(await page.inputValue('input[name=from]') === '2023-01-01', 'the field forgot what the address says');
});

test('an address with words, filters and a photo opens as it was left', async (page, url) => {
  const address = await hash(page);
  const expected = await count(page);
  await open(page, url, `${address}&photo=3`);
  await page.waitForSelector('dialog[open] dt');
  await page.keyboard.press('Escape');
  await page.waitForSelector('.grid a.there');
  check(await count(page) === expected, `${await summary(page)}, not ${expected}`);
  await page.waitForFunction((old) => location.hash === old, address);
});

test('a folder and a category are filters too, and what passes none is said', async (page, url) => {
  await open(page, url, '#/search?folder=/nowhere');
  await page.getByText('No photo passes these filters').waitFor();
  await page.getByRole('button', { name: 'Remove: in /nowhere' }).click();
  await page.waitForSelector('.grid a.there');
  await page.locator('summary', { hasText: 'Filters' }).click();
  await page.selectOption('select[name=category]', { label: 'General' });
  await page.waitForSelector('.chip[data-name=category]');
  await page.locator('.chip', { hasText: 'General' }).waitFor();
});

test('arrow keys move through the grid, Enter opens a photo, arrows and swipes go on, Escape closes it', async (page, url) => {
  await open(page, url);
  await page.waitForSelector('.grid a.there');
  await page.locator('.grid a[data-index="0"]').focus();
  await page.keyboard.press('ArrowRight');
  check(await focusedIndex(page) === '1', 'the focus did not move');
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog[open] dt');
  await page.waitForFunction(() => document.querySelector('.stage > img').naturalWidth > 0);
  const first = await hash(page);
  await page.keyboard.press('ArrowRight');
  await page.waitForFunction((old) => location.hash !== old, first);
  await page.getByText('3 of').waitFor();
  await page.evaluate(() => {
    const figure = document.querySelector('figure');
    const touch = (x) => new Touch({ identifier: 1, target: figure, clientX: x, clientY: 300 });
    figure.dispatchEvent(new TouchEvent('touchstart', { touches: [touch(100)] }));
    figure.dispatchEvent(new TouchEvent('touchend', { changedTouches: [touch(300)] }));
  });
  await page.getByText('2 of').waitFor();
  await checkAccessible(page);
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog[open]', { state: 'detached' });
  check(await focusedIndex(page) === '1', 'the focus did not come back to the photo');
});

test('what a browser cannot show is shown, and its place leads to what was taken near it', async (page, url) => {
  const { items } = await (await page.request.get(`${url}/api/v1/assets?page_size=1000`)).json();
  const heic = items.find((one) => /heic$/i.test(one.path));
  await open(page, url, `#/search?photo=${heic.id}`);
  await page.waitForFunction(() => document.querySelector('.stage > img')?.naturalWidth > 400);
  check((await page.locator('aside').textContent()).includes('Demo World'), 'the camera is not told');
  await page.getByRole('link', { name: /° N/ }).click();
  await page.waitForSelector('.chip[data-name=area]');
  await summaryTells(page, /^[1-9]/);
});

test('a file that is damaged is said to be', async (page, url) => {
  const { items } = await (await page.request.get(`${url}/api/v1/assets?page_size=1000`)).json();
  await open(page, url, `#/search?photo=${items.find((one) => !one.indexedAt).id}`);
  await page.getByText('it is damaged').waitFor();
  await checkAccessible(page);
});

test('more like this searches by the photo, and words besides narrow it', async (page, url) => {
  await open(page, url);
  await page.waitForSelector('.grid a.there[data-index="3"]');
  await page.locator('.grid a[data-index="3"]').click();
  await page.getByRole('link', { name: 'More like this' }).click();
  await summaryTells(page, /ranked by photo/);
  await page.fill('input[name=words]', 'a dog');
  await summaryTells(page, /"a dog" and photo/);
});

async function drop(page, bytes, name, type) {
  const transfer = await page.evaluateHandle(([data, fileName, mime]) => {
    const dropped = new DataTransfer();
    dropped.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], fileName, { type: mime }));
    return dropped;
  }, [bytes.toString('base64'), name, type]);
  await page.dispatchEvent('body', 'dragover', { dataTransfer: transfer });
  await page.dispatchEvent('body', 'drop', { dataTransfer: transfer });
}

const findsItself = async (page) => {
  await page.waitForSelector('.grid a[data-index="0"].there');
  const first = await page.locator('.grid a[data-index="0"]').getAttribute('aria-label');
  check(/score (1\.000|0\.99)/.test(first), first);
};

test('a picture dropped on any page finds itself, its chip takes it back, and one is pasted', async (page, url) => {
  const bytes = readFileSync(process.env.PICTURE);
  await open(page, url, '#/health');
  await page.waitForSelector('svg.plot');
  await drop(page, bytes, 'IMG_2000.webp', 'image/webp');
  await summaryTells(page, /ranked by IMG_2000.webp/);
  await findsItself(page);
  await page.getByRole('button', { name: 'Remove: like IMG_2000.webp' }).click();
  await summaryTells(page, /newest first/);
  await drop(page, Buffer.from('text'), 'a.txt', 'text/plain');
  await page.getByText('That is no picture.').waitFor();
  await page.evaluate(async () => {
    const file = new File([await (await fetch('/web/icon.svg')).blob()], 'pasted.svg', { type: 'image/svg+xml' });
    const clipboardData = new DataTransfer();
    clipboardData.items.add(file);
    document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }));
  });
  await page.getByRole('button', { name: 'Remove: like pasted.svg' }).waitFor();
  expectRefusal(/status of 400 .*search\/image$/); // nobody reads SVG here, and that is said
  await page.getByRole('alert').getByRole('heading', { name: 'That did not work' }).waitFor();
});

test('a picture chosen from the disk finds itself', async (page) => {
  await page.goBack();
  await page.setInputFiles('input[name=file]', process.env.PICTURE);
  await summaryTells(page, /ranked by IMG_2000.webp/);
  await findsItself(page);
});
