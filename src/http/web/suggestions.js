// Faces that may be somebody: to accept or reject, one by one or all of a person.

import { get, post, query } from './api.js';
import { blank, element, failure, guarded, notice, percent, plural, quiet } from './dom.js';
import { faceThumbnail, personsChanged } from './persons.js';
import { act } from './picks.js';
import { go, href } from './route.js';

const PERSONS = 10;
const FACES = 20;

class Suggestions {
  constructor(main, params) {
    this.person = params.get('person');
    this.page = Number(params.get('page')) || 1;
    this.out = element('div', {}, quiet('Looking...'));
    main.replaceChildren(element('p', {}, element('a', { href: '#/people' }, 'People')), element('h1', {}, 'Is this them?'), this.out);
    main.addEventListener('keydown', this.onKey = (event) => this.takeKey(event));
    this.close = () => main.removeEventListener('keydown', this.onKey);
  }

  async load() {
    const found = await get(`/api/v1/faces/suggestions${query({ status: 'pending', grouped: true, page: this.page, personId: this.person,
      groupsPerPage: PERSONS, suggestionsPerGroup: FACES })}`);
    if (!found.groups.length && this.page > 1) {
      go(this.address(1), { replace: true });
      return;
    }
    this.out.replaceChildren(
      found.groups.length ? quiet(`${plural(found.totalSuggestions, 'suggestion')} for ${plural(found.totalGroups, 'person', 'persons')}. Keys: a accepts, r rejects the face that has the focus.`)
        : blank('Nothing to review', 'New suggestions come with new photos, or with "Find more" on the page of a person.',
          element('a', { class: 'button', href: '#/people' }, 'All people')),
      ...found.groups.map((group) => this.group(group)), this.pages(found));
  }

  address(page) {
    return href('people', ['suggestions'], { person: this.person, page: page > 1 ? page : '' });
  }

  pages({ totalGroups }) {
    const last = Math.ceil(totalGroups / PERSONS);
    const link = (label, page) => element('a', { class: 'button', href: this.address(page) }, label);
    return last <= 1 ? '' : element('div', { class: 'bar' }, this.page > 1 ? link('‹ Back', this.page - 1) : null, `${this.page} of ${last}`,
      this.page < last ? link('Further ›', this.page + 1) : null);
  }

  group(group) {
    const ids = group.suggestions.map((one) => one.id);
    const all = (action) => () => this.decide(ids, action, group.personName);
    return element('section', { 'data-person': group.personId },
      element('div', { class: 'bar' },
        element('h2', {}, element('a', { href: href('people', ['person', group.personId]) }, group.personName || 'Somebody')),
        element('span', { class: 'quiet' }, plural(group.suggestionCount, 'face')),
        act(ids.length < group.suggestionCount ? `Accept these ${ids.length}` : 'Accept all', all('accept'), { class: 'main', 'aria-label': `Accept all of ${group.personName}` }),
        act('Reject all', all('reject'), { 'aria-label': `Reject all of ${group.personName}` })),
      element('ul', { class: 'picks' }, group.suggestions.map((one) => this.face(one, group))));
  }

  face(one, group) {
    const decide = (action) => () => this.decide([one.id], action, group.personName);
    const photo = /images\/(\d+)\//.exec(one.fullImageUrl || '')?.[1];
    const likeness = percent(one.confidence);
    return element('li', { 'data-id': one.id, 'data-name': group.personName },
      element('a', { href: photo ? href('search', [], { photo }) : null, 'aria-label': `The photo: ${one.path.split('/').at(-1)}` },
        element('img', { class: 'crop', src: faceThumbnail(one.faceInstanceId), alt: '', loading: 'lazy' })),
      element('span', { class: 'quiet' }, likeness),
      element('div', { class: 'bar' },
        act('✓', decide('accept'), { 'aria-label': `Yes, ${group.personName}, ${likeness} alike` }),
        act('✗', decide('reject'), { 'aria-label': `No, not ${group.personName}, ${likeness} alike` })));
  }

  takeKey(event) {
    const action = { a: 'accept', r: 'reject' }[event.key];
    const row = event.target.closest('li[data-id]');
    if (!action || !row || event.ctrlKey || event.metaKey || event.altKey) return;
    guarded(() => this.decide([Number(row.dataset.id)], action, row.dataset.name))();
  }

  // The next face gets the focus, so that one can go on with the keyboard.
  async decide(ids, action, name) {
    const row = document.activeElement?.closest('li[data-id]');
    const next = row?.nextElementSibling?.dataset.id || row?.previousElementSibling?.dataset.id;
    let failed = [];
    if (ids.length === 1) await post(`/api/v1/faces/suggestions/${ids[0]}/${action}`);
    else failed = (await post('/api/v1/faces/suggestions/bulk-action', { suggestionIds: ids, action })).errors;
    personsChanged();
    await this.load();
    (this.out.querySelector(`li[data-id="${next}"] button`) || this.out.querySelector('li[data-id] button'))?.focus();
    notice(failed.length ? failed[0] : `${plural(ids.length, 'face')}: ${action === 'accept' ? `this is ${name}` : `not ${name}`}.`, { isBad: failed.length > 0 });
  }
}

export function suggestionsPage(main, _, params) {
  const page = new Suggestions(main, params);
  const load = () => page.load().catch((error) => page.out.replaceChildren(failure(error, load)));
  load();
  return page.close;
}
