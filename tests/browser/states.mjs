// What pages show where there is nothing, not yet, or no answer.
// SPDX-License-Identifier: Apache-2.0
import { check, checkAccessible, expectRefusal, open, summaryTells, test } from './harness.mjs';

const heading = (page, name) => page.getByRole('heading', { name, exact: true });

test('an empty library says on each page what to do', async (page) => {
  const empty = process.env.EMPTY_URL;
  for (const [address, title] of [['', 'No photo is indexed yet'], ['#/people', 'No faces yet'], ['#/people/suggestions', 'Nothing to review']]) {
    await open(page, empty, address);
    await heading(page, title).waitFor();
    await checkAccessible(page);
  }
  await open(page, empty, '#/search?q=snow');
  await page.getByRole('link', { name: 'Index a folder' }).click();
  await page.getByText('The library is empty').waitFor();
  await page.getByText('Nothing was indexed from this page yet').waitFor();
  await checkAccessible(page);
});

test('a folder that the library does not have is refused with what to do', async (page) => {
  await open(page, process.env.EMPTY_URL, '#/indexing');
  await page.waitForFunction(() => document.querySelector('select[name=category]').value !== '');
  await page.getByLabel('Folder').fill('/etc');
  expectRefusal(/status of 403 .*training\/sessions$/);
  await page.getByRole('button', { name: 'Index it' }).click();
  await page.locator('#notice.bad', { hasText: 'IMAGE_ROOT_DIR=/etc imgsearch serve' }).waitFor();
});

test('what an address names and nobody has is said', async (page, url) => {
  expectRefusal(/status of (404|422) .*(assets\/999999|persons\/[0-9a-z-]*|clusters\/none)$/);
  await open(page, url, '#/search?photo=999999');
  await page.locator('#notice.bad', { hasText: 'This photo is not in the library' }).waitFor();
  for (const id of ['77', '00000000-0000-8002-8000-0000000fffff']) {
    await open(page, url, `#/people/person/${id}`);
    await heading(page, 'There is no such person').waitFor();
  }
  await checkAccessible(page);
  await open(page, url, '#/people/cluster/none');
  await page.locator('#notice', { hasText: 'This group is not there any more' }).waitFor();
  await page.locator('.card[data-cluster]').first().waitFor();
  await open(page, url, '#/search?picture=9');
  await page.getByText('drop it again').waitFor();
});

test('without an answer of the server a page says so, and goes on when asked again', async (page, url) => {
  expectRefusal(/ERR_INTERNET_DISCONNECTED/);
  await open(page, url);
  await page.waitForSelector('.grid a.there');
  await page.context().setOffline(true);
  await page.fill('input[name=words]', 'snow');
  await heading(page, 'No answer').waitFor();
  await checkAccessible(page);
  await page.context().setOffline(false);
  await page.getByRole('button', { name: 'Try again' }).click();
  await summaryTells(page, /snow/);
  await page.context().setOffline(true);
  await page.getByRole('link', { name: 'People' }).click();
  await heading(page, 'No answer').waitFor();
  await page.context().setOffline(false);
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.locator('.card[data-cluster]').first().waitFor();
});

test('a search that takes its time shows empty cells, and the results of before fade while others are sought', async (page, url) => {
  let letGo;
  const hold = () => new Promise((resolve) => { letGo = resolve; });
  let held = hold();
  await page.route('**/api/v1/search', async (route) => {
    await held;
    await route.continue().catch(() => {}); // the page may have given it up
  });
  await open(page, url, '#/search?q=snow');
  await page.waitForSelector('.results[aria-busy=true] .cells');
  letGo();
  await summaryTells(page, /snow/);
  await page.waitForSelector('.results:not([aria-busy]) .grid a.there');
  held = hold();
  await page.fill('input[name=words]', 'a red car');
  await page.waitForSelector('.results[aria-busy=true] .grid a.there');
  check(Number(await page.evaluate(() => getComputedStyle(document.querySelector('.grid')).opacity)) < 1, 'they do not fade');
  letGo();
  await summaryTells(page, /a red car/);
  await page.waitForSelector('.results:not([aria-busy])');
  await page.unroute('**/api/v1/search');
});

test('a server that is busy is asked again when it says so', async (page, url) => {
  let n = 0;
  await page.route('**/api/v1/search', async (route) => {
    n++;
    if (n === 1) await route.fulfill({ status: 503, headers: { 'Retry-After': '1' }, json: { detail: 'busy', message: 'busy' } });
    else await route.continue();
  });
  await open(page, url, '#/search?q=snow');
  await summaryTells(page, /snow/);
  check(n === 2, `asked ${n} times`);
  await page.unroute('**/api/v1/search');
});
