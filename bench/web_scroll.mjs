// Measures frames while the web page scrolls: slowly, fast, and through everything in three seconds.
// SPDX-License-Identifier: Apache-2.0
import { launch, open, scroll } from '../tests/browser/harness.mjs';

const { browser, page } = await launch();
const [url] = process.argv.slice(2);

for (const [name, address] of [['by date', ''], ['ranked by words', '#/search?q=a+red+car']]) {
  await open(page, url, address);
  await page.waitForSelector('.grid a.there');
  console.log(`${name}: ${await page.locator('.summary').textContent()}`);
  const rows = await page.evaluate(() => document.documentElement.scrollHeight / 190);
  for (const [speed, frames] of [['3 rows a frame', Math.round(rows / 3)], ['all in 180 frames', 180]]) {
    await page.evaluate(() => window.scrollTo(0, 0));
    const { nodes, p50, p95, longest } = await scroll(page, frames, 180);
    const started = performance.now();
    await page.waitForFunction(() => [...document.querySelectorAll('.grid a')].every((cell) => cell.classList.contains('there')
      || cell.classList.contains('failed')));
    console.log(`  ${speed}: frames half within ${p50.toFixed(1)} ms, 95 of 100 within ${p95.toFixed(1)} ms, longest ${longest.toFixed(0)} ms;`
      + ` ${nodes} elements; filled ${Math.round(performance.now() - started)} ms after it stopped`);
  }
}
await browser.close();
