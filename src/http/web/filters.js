// The filters of a search: fields to add them, chips that show and remove them.

import { get, getAll } from './api.js';
import { choosePerson } from './choose.js';
import { button, complain, debounce, element, plural } from './dom.js';
import { persons } from './persons.js';
import { pictureOf } from './picture.js';

// What the address calls them.
export const names = ['q', 'like', 'picture', 'person', 'from', 'to', 'area', 'folder', 'category'];

// As the interface wants them.
export const wireFilters = (state) => ({ personId: state.person, dateFrom: state.from, dateTo: state.to, area: state.area,
  folder: state.folder, categoryId: state.category });

const isoDate = (text) => (/^\d{4}-\d\d-\d\d$/.test(text) ? new Date(`${text}T12:00`).toLocaleDateString() : text);

function middle(area) {
  const [west, south, east, north] = area.split(',').map(Number);
  const lng = west <= east ? (west + east) / 2 : ((west + east + 360) / 2 + 180) % 360 - 180;
  return { lat: (south + north) / 2, lng };
}

export const coordinates = ({ lat, lng }) =>
  `${Math.abs(lat).toFixed(2)}° ${lat < 0 ? 'S' : 'N'}, ${Math.abs(lng).toFixed(2)}° ${lng < 0 ? 'W' : 'E'}`;

// The area within about km of a point, as the interface writes it.
export function areaAround({ lat, lng }, km) {
  const high = km / 111.2;
  const wide = Math.min(179, high / Math.max(0.01, Math.cos((lat * Math.PI) / 180)));
  const turn = (x) => ((x + 540) % 360) - 180;
  return [turn(lng - wide), Math.max(-90, lat - high), turn(lng + wide), Math.min(90, lat + high)].map((x) => x.toFixed(4)).join(',');
}

let categories = null;
export const allCategories = () => (categories ||= getAll('/api/v1/categories', 100).catch((error) => {
  categories = null;
  throw error;
}));
export const categoriesChanged = () => { categories = null; };

function personChips(state) {
  return (state.person || '').split(',').filter(Boolean).map((id) => ({
    name: 'person', text: 'a person',
    later: persons().then((all) => all.find((one) => one.id === id)?.name || 'somebody unknown'),
    without: state.person.split(',').filter((one) => one !== id).join(','),
  }));
}

function chipsOf(state) {
  const chips = [];
  const picture = pictureOf(state.picture);
  if (state.picture) chips.push({ name: 'picture', text: picture ? `like ${picture.file.name}` : 'like a picture that is gone', image: picture?.url });
  if (state.like) chips.push({ name: 'like', text: `like photo ${state.like}`, image: `/api/v1/images/${state.like}/thumbnail` });
  chips.push(...personChips(state));
  if (state.from) chips.push({ name: 'from', text: `since ${isoDate(state.from)}` });
  if (state.to) chips.push({ name: 'to', text: `until ${isoDate(state.to)}` });
  if (state.area) chips.push({ name: 'area', text: `near ${coordinates(middle(state.area))}` });
  if (state.folder) chips.push({ name: 'folder', text: `in ${state.folder}` });
  if (state.category) {
    chips.push({ name: 'category', text: `category ${state.category}`,
      later: allCategories().then((all) => all.find((one) => String(one.id) === state.category)?.name || `category ${state.category}`) });
  }
  return chips;
}

// A list of what narrows the search; change({ name: value or '' }) removes one.
export function chipList(state, change) {
  return element('ul', { class: 'chips', 'aria-label': 'What narrows the search' }, chipsOf(state).map((chip) => {
    const text = element('span', { title: chip.text }, chip.text);
    const removal = button('×', () => change({ [chip.name]: chip.without || '' }), { 'aria-label': `Remove: ${chip.text}` });
    chip.later?.then((better) => {
      text.textContent = text.title = better;
      removal.setAttribute('aria-label', `Remove: ${better}`);
    }).catch(() => {});
    return element('li', { class: 'chip', 'data-name': chip.name },
      chip.image ? element('img', { src: chip.image, alt: '', onerror: (event) => event.target.remove() }) : null, text, removal);
  }));
}

function placeField(change) {
  const select = element('select', { name: 'area' }, element('option', { value: '' }, 'anywhere'));
  get('/api/v1/places?limit=200').then(({ places }) => {
    select.append(...places.map((place) => element('option', { value: place.area },
      `${place.folder || 'a place'} · ${coordinates(place)} · ${plural(place.count, 'photo')}`)));
  }).catch(complain);
  select.addEventListener('change', () => change({ area: select.value }));
  return select;
}

function folderField(change) {
  const list = element('datalist', { id: 'folders' });
  const input = element('input', { name: 'folder', list: 'folders', placeholder: '/photos/2024', autocomplete: 'off' });
  get('/api/v1/vectors/directories/stats').then(({ directories }) => {
    list.append(...directories.map((one) => element('option', { value: one.pathPrefix })));
  }).catch(() => {}); // a folder can still be typed
  input.addEventListener('input', debounce(() => change({ folder: input.value.trim() }), 300));
  return [input, list];
}

function categoryField(change) {
  const select = element('select', { name: 'category' }, element('option', { value: '' }, 'any'));
  allCategories().then((all) => {
    select.append(...all.map((one) => element('option', { value: one.id }, one.name)));
  }).catch(complain);
  select.addEventListener('change', () => change({ category: select.value }));
  return select;
}

// The fields; change({ name: value }) is called for each choice, addPerson(id) for a person.
export function filterFields(change, addPerson) {
  const date = (name) => element('input', { name, type: 'date', oninput: (event) => change({ [name]: event.target.value }) });
  const fields = element('div', { class: 'fields' },
    element('div', { class: 'field' }, element('span', { 'aria-hidden': 'true' }, 'Person'),
      choosePerson({ label: 'Person', placeholder: 'anybody', use: (who) => addPerson(who.id) })),
    element('label', {}, 'Taken from', date('from')),
    element('label', {}, 'Taken until', date('to')),
    element('label', {}, 'Place', placeField(change)),
    element('label', {}, 'Folder', folderField(change)),
    element('label', {}, 'Category', categoryField(change)));
  return element('details', { class: 'filters' }, element('summary', {}, 'Filters'), fields);
}

// Brings the fields to what the address says.
export function fillFields(details, state) {
  for (const name of ['from', 'to', 'folder', 'area', 'category']) {
    const field = details.querySelector(`[name=${name}]`);
    if (field !== document.activeElement) field.value = state[name] || '';
  }
}
