// Search by words as they are typed, by a picture that is dropped, or by a photo of the library.

import { get, post } from './api.js';
import { debounce, element, notice, number } from './dom.js';
import { Grid } from './grid.js';
import { showPhoto } from './photo.js';

const CHUNK = 200;
let grid = null;
let running = null; // aborts the search that a newer one replaces

const toItem = (result) => ({
  id: result.asset.id,
  thumbnail: result.asset.indexedAt ? result.asset.thumbnailUrl : null, // one that was never read has none
  label: `${result.asset.filename}, score ${result.score.toFixed(3)}`,
});

// A query as a function of offset and limit.
function wordsQuery(words, filters) {
  return (offset, limit, signal) => post('/api/v1/search', { query: words, limit, offset, filters }, signal);
}
function similarQuery(id) {
  return (offset, limit, signal) => get(`/api/v1/search/similar/${id}?limit=${limit}&offset=${offset}`, signal);
}
function pictureQuery(file) {
  return (offset, limit, signal) => {
    const form = new FormData();
    form.append('file', file);
    form.append('limit', limit);
    form.append('offset', offset);
    return post('/api/v1/search/image', form, signal);
  };
}
function everything() {
  return async (offset, limit, signal) => {
    const page = await get(`/api/v1/assets?page=${Math.floor(offset / limit) + 1}&page_size=${limit}`, signal);
    return { total: page.total, results: page.items.map((asset) => ({ asset, score: 0 })) };
  };
}

async function run(query, out, describe) {
  running?.abort();
  running = new AbortController();
  const started = performance.now();
  let first;
  try {
    first = await query(0, CHUNK, running.signal);
  } catch (error) {
    if (error.name !== 'AbortError') notice(error.message, true);
    return;
  }
  grid?.close();
  notice('');
  const open = (index) => {
    const item = grid.items.get(index);
    if (!item) return;
    showPhoto(item.id, {
      next: index + 1 < grid.total ? () => open(index + 1) : null,
      previous: index > 0 ? () => open(index - 1) : null,
      similar: (id) => { location.hash = `#/similar/${id}`; },
    });
  };
  const load = async (offset, limit) =>
    (offset === 0 ? first : await query(offset, limit)).results.map(toItem);
  grid = new Grid(first.total, load, open, CHUNK);
  out.replaceChildren(
    element('p', { class: 'summary', role: 'status' },
      `${number(first.total)} photos ${describe} in ${Math.round(performance.now() - started)} ms`
      + (first.queryIsCut ? '. The text is longer than the model reads; the rest was left out.' : '')
      + (first.model === 'demo' ? '. The demo model knows only drawn scenes.' : '')),
    grid.node);
  grid.draw();
}

function filtersOf(form) {
  const filters = {};
  for (const name of ['dateFrom', 'dateTo', 'categoryId', 'folder']) {
    if (form.elements[name].value) filters[name] = form.elements[name].value;
  }
  return filters;
}

async function fillCategories(select) {
  try {
    const page = await get('/api/v1/categories?page_size=100');
    for (const category of page.items) select.append(element('option', { value: category.id }, category.name));
  } catch (error) {
    notice(error.message, true);
  }
}

function makeForm(words) {
  const category = element('select', { name: 'categoryId' }, element('option', { value: '' }, 'any'));
  fillCategories(category);
  return element('form', { class: 'search', role: 'search' },
    element('div', {},
      element('label', { class: 'wide' }, 'Words', element('input', { name: 'words', type: 'search', autocomplete: 'off',
        value: words, placeholder: 'a dog on the beach', maxlength: 2000 })),
      element('label', {}, 'A picture', element('input', { name: 'file', type: 'file', accept: 'image/*' })),
      element('button', { class: 'main' }, 'Search')),
    element('div', {},
      element('label', {}, 'Taken from', element('input', { name: 'dateFrom', type: 'date' })),
      element('label', {}, 'Taken until', element('input', { name: 'dateTo', type: 'date' })),
      element('label', {}, 'Category', category),
      element('label', { class: 'wide' }, 'Folder', element('input', { name: 'folder', placeholder: '/photos/2024' }))));
}

export function searchPage(main, similarId) {
  const form = makeForm('');
  const out = element('div');
  const byPicture = (file) => run(pictureQuery(file), out, `ranked by ${file.name}`);
  const byWords = () => {
    const words = form.elements.words.value.trim();
    if (words) run(wordsQuery(words, filtersOf(form)), out, `ranked by "${words}"`);
    else run(everything(), out, 'newest first');
  };
  const soon = debounce(byWords, 200);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    byWords();
  });
  form.addEventListener('input', (event) => {
    if (event.target.name === 'file') {
      if (event.target.files[0]) byPicture(event.target.files[0]);
    } else soon();
  });
  const stop = catchDrops(byPicture);
  main.replaceChildren(element('h1', { class: 'skip' }, 'Search'), form, out);
  if (similarId) run(similarQuery(similarId), out, `like photo ${similarId}`);
  else byWords();
  form.elements.words.focus();
  return () => {
    stop();
    running?.abort();
    grid?.close();
  };
}

// A picture dropped anywhere on the page is a query.
function catchDrops(take) {
  const over = (event) => {
    event.preventDefault();
    document.body.classList.add('dropping');
  };
  const leave = () => document.body.classList.remove('dropping');
  const drop = (event) => {
    event.preventDefault();
    leave();
    const file = [...event.dataTransfer.files].find((one) => one.type.startsWith('image/'));
    if (file) take(file);
    else notice('That is no picture.', true);
  };
  document.addEventListener('dragover', over);
  document.addEventListener('dragleave', leave);
  document.addEventListener('drop', drop);
  return () => {
    document.removeEventListener('dragover', over);
    document.removeEventListener('dragleave', leave);
    document.removeEventListener('drop', drop);
  };
}
