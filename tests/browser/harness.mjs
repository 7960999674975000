// What the tests of the web page share: the browser, axe, TAP.
// SPDX-License-Identifier: Apache-2.0
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const require = createRequire(`${process.env.NODE_PATH}/`);
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const tests = [];
export const test = (sentence, run) => tests.push({ sentence, run });

export function check(value, what) {
  if (!value) throw new Error(what);
}

// The browser writes every refused request to its console; a test that wants one says so.
// That the server was busy is told there too, though the page asks again: a machine that runs many tests may be.
const expected = [/status of 503 /];
export const expectRefusal = (pattern) => expected.push(pattern);

// No accessibility issue on the page as it stands, in light and (only colours differ) in dark.
export async function checkAccessible(page) {
  for (const colorScheme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme });
    const found = await page.evaluate(async ([source, options]) => {
      if (!window.axe) new Function(source)();
      const { violations } = await window.axe.run(document, options);
      return violations.map((v) => `${v.id}: ${v.nodes.length} times, ${v.nodes[0].html} ${v.nodes[0].failureSummary}`);
    }, [axe, colorScheme === 'dark' ? { runOnly: ['color-contrast'] } : {}]);
    check(found.length === 0, `${colorScheme}: ${found.join('\n')}`);
  }
}

export const summary = (page) => page.locator('.summary').textContent();
export const told = (page, pattern) => page.waitForFunction((source) =>
  new RegExp(source).test(document.getElementById('notice').textContent), pattern.source);
export const summaryTells = (page, pattern) => page.waitForFunction((source) =>
  new RegExp(source).test(document.querySelector('.summary')?.textContent), pattern.source);
// Waits until a locator has so many elements.
export async function becomes(locator, n) {
  if (n > 0) await locator.nth(n - 1).waitFor({ state: 'attached' });
  await locator.nth(n).waitFor({ state: 'detached' });
}
export const count = async (page) => parseInt((await summary(page)).replaceAll(',', ''), 10);

// Scrolls the whole page in so many frames, or as far as `most` of them go; how long frames took, how many elements
// the grid had at most.
export const scroll = (page, frames, most = frames) => page.evaluate(async ([all, n]) => {
  const times = [];
  let nodes = 0;
  const step = Math.ceil(document.documentElement.scrollHeight / all);
  let last = performance.now();
  for (let i = 0; i < n; i++) {
    window.scrollBy(0, step);
    await new Promise(requestAnimationFrame);
    times.push(performance.now() - last);
    last = performance.now();
    nodes = Math.max(nodes, document.querySelectorAll('.grid *').length);
  }
  times.sort((a, b) => a - b);
  return { nodes, p50: times[n >> 1], p95: times[Math.floor(n * 0.95)], longest: times[n - 1] };
}, [frames, most]);

// Loads an address of the page anew, also where only what follows # differs.
export async function open(page, url, address = '') {
  await page.goto('about:blank');
  await page.goto(`${url}/${address}`);
}

export async function launch() {
  const browser = await chromium.launch({ executablePath: process.env.IMS_CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'] });
  const context = await browser.newContext({ viewport: { width: 1200, height: 800 }, locale: 'en-GB', colorScheme: 'light',
    reducedMotion: 'reduce' });
  const page = await context.newPage();
  page.setDefaultTimeout(Number(process.env.TIMEOUT_MS) || 120000); // what takes longer hangs, on a busy machine too
  return { browser, page };
}

// Runs the tests one after the other in one page; the exit status is the process'.
export async function runTests(url) {
  const { browser, page } = await launch();
  const problems = [];
  page.on('console', (message) => { if (message.type() === 'error') problems.push(`${message.text()} ${message.location().url}`); });
  page.on('pageerror', (error) => problems.push(error.stack));
  test('nothing was written to the console as an error', async () => {
    const others = problems.filter((problem) => !expected.some((pattern) => pattern.test(problem)));
    check(others.length === 0, others.join('\n'));
  });

  const chosen = tests.filter(({ sentence }) => new RegExp(process.env.ONLY || '').test(sentence)); // while one works on one
  console.log(`1..${chosen.length}`);
  let failed = 0;
  for (const [i, { sentence, run }] of chosen.entries()) {
    const started = performance.now();
    try {
      await run(page, url);
      console.log(`ok ${i + 1} - ${sentence}`);
      if (process.env.TIMES) console.log(`# ${((performance.now() - started) / 1000).toFixed(1)} s`);
    } catch (error) {
      failed++;
      console.log(`# ${(error.stack || error.message).split('\n').join('\n# ')}\n# at ${page.url()}; told: ${await page.locator('#notice').textContent().catch(() => '')}`);
      console.log(`not ok ${i + 1} - ${sentence}`);
    }
  }
  await browser.close();
  process.exit(failed ? 1 : 0);
}
