// Search by words as they are typed, by a picture, by a photo of the library; without any, everything by date. What is
// searched for stands in the address, so the back button and links work.

import { get, post, query } from './api.js';
import { blank, debounce, element, failure, notice, number, plural, shortened } from './dom.js';
import { chipList, filterFields, fillFields, names, wireFilters } from './filters.js';
import { Grid } from './grid.js';
import { PhotoView } from './photo.js';
import { fetchPicture, keepPicture, pictureOf } from './picture.js';
import { go, href } from './route.js';

const CHUNK = 200;
const PATIENCE_MS = 250; // before it is said that a search takes its time
const MAX_FUSED = 10000; // as far as words and a picture together can be paged

const stateOf = (params) => Object.fromEntries(names.map((name) => [name, params.get(name) || '']));
const keyOf = (state) => names.map((name) => state[name]).join('\n');

// ---- ways to search: (offset, limit, signal) -> { total, results: [{ asset, score }] } ----

function everything(state) {
  const { categoryId, ...filters } = wireFilters(state);
  return async (offset, limit, signal) => {
    const page = await get(`/api/v1/assets${query({ sort: 'taken', indexed: true, page: offset / limit + 1, page_size: limit, category_id: categoryId,
      ...filters })}`, signal);
    return { total: page.total, results: page.items.map((asset) => ({ asset, score: null })) };
  };
}

function byWords(state) {
  const filters = Object.fromEntries(Object.entries(wireFilters(state)).filter(([, value]) => value));
  return (offset, limit, signal) => post('/api/v1/search', { query: state.q, limit, offset, filters }, signal);
}

function bySimilar(state) {
  const { categoryId, ...filters } = wireFilters(state);
  return (offset, limit, signal) =>
    get(`/api/v1/search/similar/${state.like}${query({ limit, offset, category_id: categoryId, ...filters })}`, signal);
}

function byPicture(state, file) {
  return async (offset, limit, signal) => {
    const form = new FormData();
    const fields = { ...wireFilters(state), limit, offset, ...(state.q ? { textQuery: state.q } : {}) };
    form.append('file', file);
    for (const [name, value] of Object.entries(fields)) if (value !== '') form.append(name, value);
    if (!state.q) return post('/api/v1/search/image', form, signal);
    const found = await post('/api/v1/search/hybrid', form, signal);
    return { total: Math.min(found.total, MAX_FUSED), results: found.results.map((one) => ({ asset: one.asset, score: one.imageScore })) };
  };
}

async function searchOf(state, signal) {
  if (state.picture) {
    const picture = pictureOf(state.picture);
    if (!picture) throw new Error('The picture to search by is not here any more; drop it again.');
    return byPicture(state, picture.file);
  }
  if (state.like && state.q) return byPicture(state, await fetchPicture(state.like, signal));
  if (state.like) return bySimilar(state);
  return state.q ? byWords(state) : everything(state);
}

function describe(state) {
  const parts = [];
  if (state.q) parts.push(`"${shortened(state.q, 80)}"`);
  if (state.picture) parts.push(shortened(pictureOf(state.picture)?.file.name || 'a picture', 80));
  if (state.like) parts.push(`photo ${state.like}`);
  return parts.length ? ` ranked by ${parts.join(' and ')}` : ', newest first';
}

// What the ranking cannot know.
const caveats = (found) => [found.queryIsCut ? 'The text is longer than the model reads, and its end was left out' : '',
  found.model === 'demo' ? 'The demo model knows only drawn scenes' : ''].filter(Boolean);

const toItem = ({ asset, score }) => ({
  id: asset.id,
  name: asset.filename,
  taken: asset.takenAt,
  thumbnail: asset.indexedAt ? asset.thumbnailUrl : null, // one that was never read has none
  label: score === null ? asset.filename : `${asset.filename}, score ${score.toFixed(3)}`,
});

// ---- the page ----

class SearchPage {
  constructor(main, route) {
    this.out = element('div', { class: 'results' });
    this.chips = element('div');
    this.month = element('p', { class: 'month', 'aria-hidden': 'true' });
    this.fields = filterFields((change) => this.change(change), (id) => this.addPerson(id));
    this.form = this.makeForm();
    this.photo = new PhotoView({ leave: () => this.leavePhoto() });
    this.at = null; // the open photo in the grid
    main.replaceChildren(element('h1', { class: 'skip' }, 'Search'), this.form, this.chips, this.out, this.month);
    this.update(route);
    if (!route.params.has('photo')) this.words.focus({ preventScroll: true });
  }

  makeForm() {
    this.words = element('input', { name: 'words', type: 'search', autocomplete: 'off', 'aria-label': 'What to search for',
      placeholder: 'a dog on the beach', maxlength: 2000, enterkeyhint: 'search' });
    const file = element('input', { name: 'file', type: 'file', accept: 'image/*', class: 'hidden-file', 'aria-label': 'A picture to search by' });
    const typed = debounce(() => this.type(), 150);
    this.words.addEventListener('input', typed);
    file.addEventListener('change', () => {
      if (file.files[0]) this.change({ picture: keepPicture(file.files[0]).number, like: '' });
      file.value = '';
    });
    const submit = (event) => {
      event.preventDefault();
      typed.cancel();
      this.type();
      this.typing = false;
    };
    return element('form', { class: 'search', role: 'search', onsubmit: submit },
      element('div', { class: 'bar' }, this.words,
        element('label', { class: 'file', title: 'Or drop or paste a picture anywhere' }, 'By picture', file)),
      this.fields);
  }

  // The words of one burst of typing are one step of the back button.
  type() {
    const q = this.words.value.trim();
    if (q === this.state.q) return;
    this.isTyping = true; // the field has these words already, perhaps with a blank after them
    this.change({ q }, { replace: this.typing });
    this.isTyping = false;
    this.typing = true;
    clearTimeout(this.burst);
    this.burst = setTimeout(() => { this.typing = false; }, 2000);
  }

  change(change, options) {
    go(href('search', [], { ...this.state, ...change }), options);
  }

  addPerson(id) {
    this.change({ person: [...new Set([...this.state.person.split(',').filter(Boolean), id])].join(',') });
  }

  update(route) {
    const state = stateOf(route.params);
    const isNew = !this.state || keyOf(state) !== keyOf(this.state);
    this.state = state;
    if (isNew) {
      if (!this.isTyping) this.words.value = state.q;
      fillFields(this.fields, state);
      this.chips.replaceChildren(chipList(state, (change) => this.change(change)));
      this.running = this.run();
    }
    this.showPhoto(route.params.get('photo'));
  }

  async run() {
    this.aborting?.abort();
    const controller = this.aborting = new AbortController();
    const { signal } = controller;
    const started = performance.now();
    const slow = setTimeout(() => this.wait(), PATIENCE_MS);
    notice('');
    try {
      const search = await searchOf(this.state, signal);
      const first = await search(0, CHUNK, signal);
      if (signal.aborted) return;
      this.show(search, first, performance.now() - started);
    } catch (error) {
      if (signal.aborted) return;
      this.grid?.close();
      this.grid = null;
      this.out.replaceChildren(failure(error, () => this.run()));
    } finally {
      clearTimeout(slow);
      if (!signal.aborted) this.out.removeAttribute('aria-busy');
    }
  }

  // The results of before fade while others are sought; where there are none yet, empty cells stand for them.
  wait() {
    this.out.setAttribute('aria-busy', 'true');
    if (this.grid) return;
    this.out.replaceChildren(element('p', { class: 'summary', role: 'status' }, 'Searching...'),
      element('div', { class: 'cells', 'aria-hidden': 'true' }, Array.from({ length: 24 }, () => element('span'))));
  }

  show(search, first, ms) {
    const load = async (offset, limit, signal) => (await search(offset, limit, signal)).results.map(toItem);
    const isByDate = !(this.state.q || this.state.picture || this.state.like);
    this.grid?.close();
    this.at = null;
    this.grid = new Grid({ total: first.total, load, chunk: CHUNK,
      open: (index) => this.openPhoto(index),
      link: (item) => href('search', [], { ...this.state, photo: item.id }),
      onTop: isByDate ? (item) => this.showMonth(item) : null });
    this.grid.chunks.set(0, first.results.map(toItem));
    this.out.replaceChildren(
      element('p', { class: 'summary', role: 'status' },
        [`${plural(first.total, 'photo')}${describe(this.state)} in ${Math.round(ms)} ms`, ...(first.total ? caveats(first) : [])].join('. ')),
      this.grid.node,
      ...(first.total === 0 ? [this.nothing()] : []));
    this.grid.draw();
    this.findPhoto();
  }

  // A photo that the address opened gets its place among the results, where it is among the first.
  findPhoto() {
    const at = this.grid.chunks.get(0).findIndex((item) => String(item.id) === this.photo.id);
    if (at < 0) return;
    this.at = at;
    this.showPhoto(this.photo.id);
  }

  nothing() {
    if (names.some((name) => name !== 'q' && this.state[name])) {
      return blank('No photo passes these filters', 'Remove one of them above, or all:',
        element('a', { class: 'button', href: href('search', [], { q: this.state.q }) }, 'Remove all filters'));
    }
    return blank('No photo is indexed yet', 'Name a folder with photos; they can be searched while the rest of it is still being read. Nothing leaves this machine.',
      element('a', { class: 'button main', href: '#/indexing' }, 'Index a folder'));
  }

  // While one scrolls: when the photos in sight were taken.
  showMonth(item) {
    const text = item.taken ? new Date(item.taken).toLocaleDateString(undefined, { month: 'long', year: 'numeric' }) : '';
    if (window.scrollY < 200 || !text) {
      this.month.classList.remove('shown');
      return;
    }
    this.month.textContent = text;
    this.month.classList.add('shown');
    clearTimeout(this.monthTimer);
    this.monthTimer = setTimeout(() => this.month.classList.remove('shown'), 1200);
  }

  // ---- the photo ----

  openPhoto(index, options) {
    const item = this.grid.item(index);
    if (!item) return;
    this.at = index;
    this.cameFromHere = this.cameFromHere || !options?.replace;
    go(href('search', [], { ...this.state, photo: item.id }), options);
  }

  async showPhoto(id) {
    if (!id) {
      const wasOpen = this.photo.isOpen;
      this.cameFromHere = false;
      this.photo.close();
      if (wasOpen && this.at !== null && this.grid) this.grid.focus(this.at);
      return;
    }
    if (this.at !== null && String(this.grid?.item(this.at)?.id) !== id) this.at = null;
    const step = (by) => (this.at !== null && this.grid?.item(this.at + by) ? () => this.openPhoto(this.at + by, { replace: true }) : null);
    const neighbour = (by) => {
      const item = this.at === null ? null : this.grid?.item(this.at + by);
      return item?.thumbnail ? item.id : null;
    };
    if (this.at !== null) this.grid.fetchNear(Math.max(0, this.at - 1), Math.min(this.grid.total, this.at + 2));
    await this.photo.show(id, {
      next: step(1), previous: step(-1), near: [neighbour(1), neighbour(-1)],
      where: this.at === null ? '' : `${number(this.at + 1)} of ${number(this.grid.total)}`,
    });
  }

  // Back to the results: the step that opened the photo is taken back when there was one.
  leavePhoto() {
    if (this.cameFromHere) history.back();
    else go(href('search', [], this.state), { replace: true });
  }

  close() {
    this.aborting?.abort();
    this.grid?.close();
    this.photo.dispose();
    clearTimeout(this.burst);
    clearTimeout(this.monthTimer);
  }
}

export const searchPage = (main, route) => {
  const page = new SearchPage(main, route);
  return { update: (next) => page.update(next), close: () => page.close() };
};
