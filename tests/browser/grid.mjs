// A hundred thousand results: real pages of the interface, repeated, so that every chunk is a request and every cell
// a real thumbnail.
// SPDX-License-Identifier: Apache-2.0
import { check, open, scroll, test } from './harness.mjs';

const TOTAL = 100000;
const MAX_NODES = 600;

async function repeatPages(page) {
  await page.route('**/api/v1/assets?*', async (route) => {
    const address = new URL(route.request().url());
    const size = Number(address.searchParams.get('page_size'));
    const offset = (Number(address.searchParams.get('page')) - 1) * size;
    address.searchParams.set('page', '1');
    const body = await (await route.fetch({ url: address.href })).json();
    const items = Array.from({ length: Math.min(size, TOTAL - offset) }, (_, i) => body.items[(offset + i) % body.items.length]);
    await route.fulfill({ json: { ...body, items, total: TOTAL } }).catch(() => {}); // the page may have given it up
  });
}

test('a hundred thousand results are scrolled through with few elements, and any place is filled when one stops', async (page, url) => {
  await repeatPages(page);
  await open(page, url);
  await page.waitForSelector('.grid a.there');
  check((await page.locator('.summary').textContent()).startsWith('100,000'), 'not as many');
  const { nodes, p50, p95, longest } = await scroll(page, 200);
  console.log(`# frames: half within ${p50.toFixed(1)} ms, 95 of 100 within ${p95.toFixed(1)} ms, the longest ${longest.toFixed(0)} ms; at most ${nodes} elements`);
  check(nodes < MAX_NODES, `${nodes} elements`);
  await page.waitForSelector(`.grid a.there[data-index="${TOTAL - 1}"]`);
  await page.locator(`.grid a[data-index="${TOTAL - 1}"]`).focus();
  await page.keyboard.press('Home');
  await page.waitForSelector('.grid a[data-index="0"]:focus');
  await page.keyboard.press('End');
  await page.waitForSelector(`.grid a.there[data-index="${TOTAL - 1}"]:focus`);
  await page.unroute('**/api/v1/assets?*');
});
