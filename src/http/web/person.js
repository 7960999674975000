// One person: the photos, the faces that stand for them, what was changed.

import { get, patch, post, query, remove } from './api.js';
import { choosePerson } from './choose.js';
import { blank, element, failure, guarded, moment, notice, percent, plural, quiet, table } from './dom.js';
import { faceThumbnail, offerUndo, personsChanged, undo } from './persons.js';
import { act, picks } from './picks.js';
import { runJob } from './progress.js';
import { go, href } from './route.js';

const PAGE = 200;
const operations = { ASSIGN_TO_PERSON: 'Named', UNASSIGN_FROM_PERSON: 'Name taken away', REMOVE_FROM_PERSON: 'Removed', MOVE_TO_PERSON: 'Moved',
  MERGE_PERSONS: 'Merged', UNDO: 'Undone' };

class PersonPage {
  constructor(main, id, tab) {
    Object.assign(this, { main, id, tab, path: `/api/v1/faces/persons/${id}` });
    this.content = element('div', {}, quiet('Looking...'));
    this.head = element('div', {});
    main.replaceChildren(element('p', {}, element('a', { href: '#/people' }, 'People')), this.head, this.content);
  }

  async load() {
    this.person = await get(this.path);
    this.drawHead();
    const tabs = { photos: () => this.photos(), prototypes: () => this.prototypes(), history: () => this.history() };
    await (tabs[this.tab] || tabs.photos)();
  }

  changed() {
    personsChanged();
    return this.load();
  }

  // ---- the head ----

  drawHead() {
    const { person } = this;
    const tab = (name, label) => element('a', { href: href('people', ['person', this.id], name === 'photos' ? {} : { tab: name }),
      'aria-current': this.tab === name ? 'page' : null }, label);
    this.head.replaceChildren(
      element('div', { class: 'person' },
        person.faceThumbnailUrl ? element('img', { class: 'crop', src: person.faceThumbnailUrl, alt: '' }) : null,
        element('div', {}, element('h1', {}, person.name),
          element('p', { class: 'quiet' }, `${plural(person.faceCount, 'face')} in ${plural(person.photoCount, 'photo')}`))),
      element('div', { class: 'bar' },
        element('a', { class: 'button main', href: href('search', [], { person: this.id }) }, 'Search these photos'),
        act('Find more', () => this.findMore(), { title: 'Looks for more faces that may be this person' }),
        this.editor()),
      element('nav', { class: 'tabs', 'aria-label': 'About this person' }, tab('photos', 'Photos'), tab('prototypes', 'Faces to know them by'), tab('history', 'History')));
  }

  editor() {
    const { person } = this;
    const save = guarded(async (event) => {
      event.preventDefault();
      const { name, birthDate } = event.target.elements;
      await patch(this.path, { name: name.value.trim(), birthDate: birthDate.value || null });
      notice('Saved.');
      await this.changed();
    });
    const merge = guarded(async (who) => {
      const done = await post(`${this.path}/merge`, { intoPersonId: who.id });
      personsChanged();
      go(href('people', ['person', who.id]));
      offerUndo(`${plural(done.facesMoved, 'face')} of ${person.name} went to ${who.name}.`, done.eventId, async () => go(href('people', ['person', this.id])));
    });
    const forget = async () => {
      const done = await remove(this.path);
      personsChanged();
      go('#/people');
      offerUndo(`${plural(done.facesUnassigned, 'face')} of ${done.personName} without a name.`, done.eventId, async () => go(href('people', ['person', this.id])));
    };
    return element('details', {}, element('summary', {}, 'Change'),
      element('form', { class: 'fields', onsubmit: save },
        element('label', {}, 'Name', element('input', { name: 'name', required: true, maxlength: 255, value: person.name })),
        element('label', {}, 'Born', element('input', { name: 'birthDate', type: 'date', value: person.birthDate })),
        element('button', { class: 'main' }, 'Save')),
      element('div', { class: 'field' }, element('span', { 'aria-hidden': 'true' }, 'This is the same person as'),
        choosePerson({ label: 'This is the same person as', placeholder: 'a name', except: this.id, use: merge })),
      element('p', {}, act('Forget this person', forget, { title: 'Their faces have no name then' })));
  }

  async findMore() {
    const { faceCount } = this.person;
    const kind = faceCount >= 10 ? 'find-more' : 'find-more-centroid';
    const job = await post(`/api/v1/faces/suggestions/persons/${this.id}/${kind}`);
    await runJob(job.progressKey, `Looking for ${this.person.name}`);
    const found = await get(`/api/v1/faces/suggestions${query({ status: 'pending', grouped: true, personId: this.id })}`);
    notice(`${plural(found.totalSuggestions, 'suggestion')} for ${this.person.name}.`, found.totalSuggestions
      ? { action: { label: 'Review', run: () => go(href('people', ['suggestions'], { person: this.id })) } } : {});
  }

  // ---- photos ----

  async photos(page = 1) {
    const found = await get(`${this.path}/photos?page=${page}&page_size=${PAGE}`);
    const items = found.items.map((photo) => {
      const face = photo.faces.find((one) => one.personId === this.id);
      return { id: photo.photoId, src: face ? faceThumbnail(face.faceInstanceId) : photo.thumbnailUrl,
        label: photo.path.split('/').at(-1), text: 'Photo', link: href('search', [], { person: this.id, photo: photo.photoId }) };
    });
    const removeFrom = async (ids) => {
      const done = await post(`${this.path}/photos/bulk-remove`, { photoIds: ids });
      await this.changed();
      offerUndo(`Not ${this.person.name} on ${plural(done.updatedPhotos, 'photo')} any more.`, done.eventId, () => this.changed());
    };
    const moveTo = async (ids, who) => {
      const done = await post(`${this.path}/photos/bulk-move`, { photoIds: ids, ...(who.id ? { toPersonId: who.id } : { toPersonName: who.name }) });
      await this.changed();
      offerUndo(`${plural(done.updatedFaces, 'face')} went to ${done.toPersonName}.`, done.eventId, () => this.changed());
    };
    this.content.replaceChildren(
      ...picks({ items, noun: 'photo', actions: (ids) => [
        act(`Not ${this.person.name}`, () => removeFrom(ids())),
        choosePerson({ label: 'They show', placeholder: 'it is somebody else', mayBeNew: true, except: this.id, use: guarded((who) => moveTo(ids(), who)) }),
      ] }),
      this.pages(found, page));
  }

  pages({ total }, page) {
    const last = Math.ceil(total / PAGE);
    return last <= 1 ? '' : element('div', { class: 'bar' },
      act('‹ Earlier page', () => this.photos(page - 1), { disabled: page === 1 }), `${page} of ${last}`,
      act('Later page ›', () => this.photos(page + 1), { disabled: page === last }));
  }

  // ---- prototypes ----

  async prototypes() {
    const { items, coverage } = await get(`${this.path}/prototypes`);
    const again = async () => {
      const done = await post(`${this.path}/prototypes/recompute`, { preservePins: true });
      await this.load();
      notice(`${plural(done.prototypesCreated, 'face')} chosen, ${plural(done.prototypesRemoved, 'face')} given up.`);
    };
    const pin = (one) => async () => {
      if (one.isPinned) await remove(`${this.path}/prototypes/${one.id}/pin`);
      else await post(`${this.path}/prototypes/pin`, { faceInstanceId: one.faceInstanceId, role: 'primary' });
      await this.load();
    };
    const drop = (one) => async () => {
      await remove(`${this.path}/prototypes/${one.id}`);
      await this.load();
    };
    const card = (one) => element('li', {},
      element('img', { class: 'crop', src: one.faceInstanceId ? faceThumbnail(one.faceInstanceId) : '/web/icon.svg', alt: '', loading: 'lazy' }),
      element('span', {}, [one.isPinned ? 'pinned' : one.role, one.ageEraBucket, one.qualityScore === null ? null : percent(one.qualityScore)].filter(Boolean).join(', ')),
      element('div', { class: 'bar' },
        one.faceInstanceId ? act(one.isPinned ? 'Unpin' : 'Pin', pin(one)) : null, act('Remove', drop(one))));
    this.content.replaceChildren(
      quiet('New faces are compared with these.'
        + (coverage.coveredEras.length ? ` Ages covered: ${coverage.coveredEras.join(', ')}.` : '')),
      act('Choose again', again), element('ul', { class: 'picks' }, items.map(card)));
  }

  // ---- history ----

  async history() {
    const { events, total } = await get(`${this.path}/assignment-history?limit=100`);
    const takeBack = (event) => async () => {
      await undo(event.id);
      await this.load();
    };
    const rows = events.map((event) => [moment(event.createdAt), operations[event.operation] || event.operation.toLowerCase().replaceAll('_', ' '),
      `${plural(event.faceCount, 'face')} in ${plural(event.photoCount, 'photo')}`,
      [event.fromPersonName && `from ${event.fromPersonName}`, event.toPersonName && `to ${event.toPersonName}`, event.note].filter(Boolean).join(', '),
      act('Undo', takeBack(event))]);
    this.content.replaceChildren(table(['When', 'What', 'Of', 'Who', 'Take back'], rows, 'Nothing was changed yet.'),
      total > events.length ? quiet(`The last ${events.length} of ${total}.`) : '');
  }
}

export function personPage(main, id, params) {
  const page = new PersonPage(main, id, params.get('tab') || 'photos');
  const load = () => page.load().catch((error) => {
    const isUnknown = [404, 422].includes(error.status); // 422: what the address says is no name of a person
    page.head.replaceChildren(element('h1', {}, 'People'));
    page.content.replaceChildren(isUnknown
      ? blank('There is no such person', 'They may have been forgotten, or become one with another.', element('a', { class: 'button', href: '#/people' }, 'All people'))
      : failure(error, load));
  });
  load();
}
