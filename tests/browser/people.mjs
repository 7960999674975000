// Naming: in a photo, of a group; merging, splitting, dismissing; suggestions; taking back.
// SPDX-License-Identifier: Apache-2.0
import { becomes, check, checkAccessible, count, open, summaryTells, test, told } from './harness.mjs';

const api = async (page, url, path) => (await page.request.get(`${url}/api/v1${path}`)).json();
const groups = async (page, url) => (await api(page, url, '/faces/clusters?page_size=100')).items;
const cards = (page) => page.locator('.card[data-cluster]');
const personId = async (page, url, name) => (await api(page, url, '/faces/persons?page_size=1000')).items.find((one) => one.name === name).id;

async function openPeople(page, url) {
  await open(page, url, '#/people');
  await cards(page).first().waitFor();
}

test('a face is named in the photo, and its person is found by name', async (page, url) => {
  const [group] = await groups(page, url);
  const { faces } = await api(page, url, `/faces/clusters/${group.clusterId}`);
  const photo = faces[0].assetId;
  await open(page, url, `#/search?photo=${photo}`);
  await page.locator('.box').first().click();
  await checkAccessible(page);
  await page.getByRole('combobox', { name: 'Name' }).fill('Ana');
  await page.getByRole('option', { name: 'New person: Ana' }).waitFor();
  await page.keyboard.press('Enter');
  await told(page, /This is Ana/);
  await page.locator('.box', { hasText: 'Ana' }).waitFor();
  await page.getByRole('link', { name: 'Ana' }).waitFor();
  await checkAccessible(page);
  await page.keyboard.press('Escape');
  await page.locator('summary', { hasText: 'Filters' }).click();
  await page.getByRole('combobox', { name: 'Person' }).fill('an');
  await page.getByRole('option', { name: 'Ana' }).waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Remove: Ana' }).waitFor();
  await page.waitForFunction(() => parseInt(document.querySelector('.summary').textContent, 10) === 1);
  await page.fill('input[name=words]', 'a house');
  await summaryTells(page, /^1 photo ranked by "a house"/);
});

test('a name is taken back at once, given again, and refused with "not this person"', async (page, url) => {
  const { items } = await api(page, url, `/assets?personId=${await personId(page, url, 'Ana')}`);
  await open(page, url, `#/search?photo=${items[0].id}`);
  const box = page.locator('.box').first();
  await box.click();
  await page.getByRole('button', { name: 'Not Ana' }).click();
  await told(page, /This is not Ana/);
  check((await api(page, url, `/assets?personId=${await personId(page, url, 'Ana')}`)).total === 0, 'it still is');
  await page.locator('.box', { hasText: '?' }).first().click();
  await page.getByRole('combobox', { name: 'Name' }).fill('Ana');
  await page.getByRole('option', { name: 'Ana', exact: true }).waitFor();
  await page.keyboard.press('Enter');
  await told(page, /This is Ana/);
  await page.getByRole('button', { name: 'Undo' }).click();
  await told(page, /as before/);
  await page.locator('.box', { hasText: '?' }).first().waitFor();
});

test('a group of faces is named on the people page, and found by that name', async (page, url) => {
  await openPeople(page, url);
  const before = await cards(page).count();
  const card = cards(page).first();
  const faces = parseInt(await card.textContent(), 10);
  await card.getByRole('combobox').fill('Ben');
  await card.getByRole('option', { name: 'New person: Ben' }).click();
  await told(page, /faces of Ben/);
  await page.waitForFunction((n) => document.querySelectorAll('.card[data-cluster]').length === n - 1, before);
  await checkAccessible(page);
  await page.getByRole('link', { name: /^Ben/ }).click();
  await page.getByRole('link', { name: 'Search these photos' }).click();
  await page.waitForSelector('.grid a.there');
  check(await count(page) >= faces - 3, `${await count(page)} photos of ${faces} faces`);
  await page.goBack();
  await page.locator('.picks li').first().waitFor();
  await checkAccessible(page);
});

test('some faces of a group get a name, more are found, one is accepted, one rejected, the rest accepted at once', async (page, url) => {
  const [group] = await groups(page, url);
  await open(page, url, `#/people/cluster/${group.clusterId}`);
  const boxes = page.getByRole('checkbox');
  await boxes.first().waitFor();
  for (let i = 0; i < 6; i++) await boxes.nth(i).check();
  await checkAccessible(page);
  await page.getByRole('combobox', { name: 'Name of the chosen faces' }).fill('Cleo');
  await page.getByRole('option', { name: 'New person: Cleo' }).click();
  await told(page, /6 faces of Cleo/);
  await becomes(boxes, group.faceCount - 6); // the others are still without a name
  await open(page, url, `#/people/person/${await personId(page, url, 'Cleo')}`);
  await page.getByRole('button', { name: 'Find more' }).click();
  await told(page, /[1-9]\d* suggestions? for Cleo/);
  await page.getByRole('button', { name: 'Review' }).click();
  const rows = page.locator('li[data-id]');
  await rows.first().waitFor();
  const n = await rows.count();
  check(n >= 3, `${n} suggestions`);
  await checkAccessible(page);
  await rows.first().getByRole('button', { name: /^Yes/ }).focus();
  await page.keyboard.press('a');
  await told(page, /this is Cleo/);
  await page.waitForFunction((left) => document.querySelectorAll('li[data-id]').length === left, n - 1);
  await rows.first().getByRole('button', { name: /^No/ }).click();
  await told(page, /not Cleo/);
  await page.waitForFunction((left) => document.querySelectorAll('li[data-id]').length === left, n - 2);
  await page.getByRole('button', { name: 'Accept all of Cleo' }).click();
  await page.getByText('Nothing to review').waitFor();
});

test('the history of a person shows every change, and one is taken back', async (page, url) => {
  const id = await personId(page, url, 'Cleo');
  const { faceCount } = await api(page, url, `/faces/persons/${id}`);
  await open(page, url, `#/people/person/${id}?tab=history`);
  await page.getByRole('button', { name: 'Undo' }).first().waitFor();
  await checkAccessible(page);
  await page.getByRole('button', { name: 'Undo' }).first().click();
  await told(page, /as before/);
  check((await api(page, url, `/faces/persons/${id}`)).faceCount < faceCount, 'as many faces as before');
});

test('a person has faces to be known by: pinned, given up, chosen again', async (page, url) => {
  await open(page, url, `#/people/person/${await personId(page, url, 'Ben')}?tab=prototypes`);
  await page.getByRole('button', { name: 'Pin', exact: true }).first().click();
  await page.getByRole('button', { name: 'Unpin' }).waitFor();
  await checkAccessible(page);
  await page.getByRole('button', { name: 'Choose again' }).click();
  await told(page, /chosen/);
});

test('photos of a person go to another, and two persons become one', async (page, url) => {
  await open(page, url, `#/people/person/${await personId(page, url, 'Ben')}`);
  await page.getByRole('checkbox').first().check();
  await page.getByRole('combobox', { name: 'They show' }).fill('Dora');
  await page.getByRole('option', { name: 'New person: Dora' }).click();
  await told(page, /1 face went to Dora/);
  await open(page, url, `#/people/person/${await personId(page, url, 'Dora')}`);
  await page.locator('summary', { hasText: 'Change' }).click();
  await page.getByRole('combobox', { name: 'This is the same person as' }).fill('Ben');
  await page.getByRole('option', { name: 'Ben' }).click();
  await told(page, /1 face of Dora went to Ben/);
  await page.getByRole('heading', { name: 'Ben' }).waitFor();
});

test('a person is forgotten, and remembered again', async (page, url) => {
  const id = await personId(page, url, 'Ben');
  const { faceCount } = await api(page, url, `/faces/persons/${id}`);
  await open(page, url, `#/people/person/${id}`);
  await page.locator('summary', { hasText: 'Change' }).click();
  await page.getByRole('button', { name: 'Forget this person' }).click();
  await told(page, /of Ben without a name/);
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByRole('heading', { name: 'Ben' }).waitFor();
  check((await api(page, url, `/faces/persons/${id}`)).faceCount === faceCount, 'not all faces came back');
});

test('two groups become one, one is split, one is not shown any more', async (page, url) => {
  await openPeople(page, url);
  const before = await cards(page).count();
  await cards(page).nth(0).getByRole('checkbox').check();
  await cards(page).nth(1).getByRole('checkbox').check();
  await page.getByRole('button', { name: 'Merge 2 groups' }).click();
  await told(page, /2 groups are one now/);
  await becomes(cards(page), before - 1);
  await cards(page).first().getByRole('link').click();
  await page.getByRole('button', { name: 'Split' }).click();
  await told(page, /Split into [2-9]/);
  await cards(page).first().waitFor();
  const n = await cards(page).count();
  await cards(page).last().getByRole('button', { name: /Not interesting/ }).click();
  await told(page, /not shown any more/);
  await becomes(cards(page), n - 1);
});

test('faces are grouped again while the page says how far it is', async (page, url) => {
  await openPeople(page, url);
  await page.getByRole('button', { name: 'Group faces again' }).click();
  await told(page, /Grouping faces: done/);
  await cards(page).first().waitFor();
});
