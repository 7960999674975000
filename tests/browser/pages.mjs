// The web page in headless Chromium against a running service; prints TAP.
// Usage: node pages.mjs URL            the tests
//        node pages.mjs URL FOLDER     writes the pictures of the README instead
// From the environment: NODE_PATH with playwright-core and axe-core, IMS_CHROMIUM, DEMO (the demo library),
// PICTURE (one of its files), LOCKED_URL and LOCKED_TOKEN of a second service, EMPTY_URL of one without photos.
// SPDX-License-Identifier: Apache-2.0
import { runTests } from './harness.mjs';

const [url, folder] = process.argv.slice(2);

if (folder) {
  await (await import('./screenshots.mjs')).shoot(url, folder);
} else {
  await import('./search.mjs');
  await import('./grid.mjs');
  await import('./people.mjs');
  await import('./states.mjs');
  await import('./work.mjs');
  await import('./looks.mjs');
  await runTests(url);
}
