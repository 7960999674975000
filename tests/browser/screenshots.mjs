// The pictures of the README.
// SPDX-License-Identifier: Apache-2.0
import { launch, open, summaryTells, told } from './harness.mjs';

export async function shoot(url, folder) {
  const { browser, page } = await launch();
  const api = async (path) => (await page.request.get(`${url}/api/v1${path}`)).json();
  const save = (name) => page.screenshot({ path: `${folder}/${name}.jpg`, type: 'jpeg', quality: 60 });
  const loaded = () => page.waitForFunction(() => [...document.images].every((image) => image.complete));

  await open(page, url, '#/people');
  for (const name of ['Ana', 'Ben', 'Cleo', 'Dora']) {
    const card = page.locator('.card[data-cluster]').first();
    await card.getByRole('combobox').fill(name);
    await card.getByRole('option', { name: `New person: ${name}` }).click();
    await told(page, new RegExp(`faces of ${name}`));
  }
  await page.reload();
  await page.locator('.card[data-cluster]').first().waitFor();
  await page.waitForLoadState('networkidle');
  await save('people');

  const { items } = await api('/faces/persons?page_size=10');
  const ana = items.find((one) => one.name === 'Ana');
  await open(page, url, '#/search?q=a+red+car&from=2021-01-01&to=2024-12-31');
  await summaryTells(page, /a red car/);
  await page.waitForSelector('.grid a.there');
  await page.waitForLoadState('networkidle');
  await loaded();
  await save('search');

  const photos = (await api(`/faces/persons/${ana.id}/photos?page_size=100`)).items;
  const named = (photo) => photo.faces.filter((face) => face.personId).length;
  const group = photos.sort((a, b) => b.faces.length - a.faces.length || named(b) - named(a))[0];
  await page.emulateMedia({ colorScheme: 'dark' });
  await open(page, url, `#/search?person=${ana.id}&photo=${group.photoId}`);
  await page.locator('.box').first().waitFor();
  await page.waitForLoadState('networkidle');
  await loaded();
  await save('photo');
  await browser.close();
}
