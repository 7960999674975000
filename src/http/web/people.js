// Who is in the photos: the named, the groups that nobody named yet, and the pages of one of either.

import { get, post, query } from './api.js';
import { blank, button, element, failure, guarded, notice, number, plural, quiet } from './dom.js';
import { choosePerson } from './choose.js';
import { clusterPage } from './cluster.js';
import { faceThumbnail, nameCluster, persons, personsChanged } from './persons.js';
import { personPage } from './person.js';
import { runJob } from './progress.js';
import { href } from './route.js';
import { suggestionsPage } from './suggestions.js';

const GROUPS = 24;

function personCard(person) {
  return element('li', { class: 'card' }, element('a', { href: href('people', ['person', person.id]) },
    element('img', { class: 'crop', src: person.faceThumbnailUrl || '/web/icon.svg', alt: '', loading: 'lazy' }),
    element('b', {}, person.name), element('span', { class: 'quiet' }, plural(person.faceCount, 'face'))));
}

function namedSection() {
  const list = element('ul', { class: 'cards' });
  const count = element('span', { class: 'quiet' });
  const find = element('input', { type: 'search', placeholder: 'a name', 'aria-label': 'Find a person', hidden: true });
  let all = [];
  const draw = () => {
    const wanted = find.value.trim().toLocaleLowerCase();
    const some = all.filter((one) => one.name.toLocaleLowerCase().includes(wanted));
    list.replaceChildren(...some.map(personCard));
    count.textContent = wanted ? `${number(some.length)} of ${number(all.length)}` : '';
    if (!all.length) list.replaceChildren(element('li', { class: 'quiet' }, 'Nobody is named yet. Say who a group below is, or name a face in its photo.'));
  };
  find.addEventListener('input', draw);
  const load = async () => {
    all = await persons();
    find.hidden = all.length < 2;
    draw();
  };
  const node = element('section', {}, element('div', { class: 'bar' }, element('h2', {}, 'Named'), find, count), list);
  return { node, load };
}

// ---- groups without a name ----

class Groups {
  // changed() is called when a group got a name
  constructor(changed) {
    this.changed = changed;
    this.list = element('ul', { class: 'cards wide' });
    this.more = button('Show more', guarded(() => this.loadMore()), { hidden: true });
    this.merge = button('Merge', guarded(() => this.mergeChosen()), { class: 'main' });
    this.count = element('span', { class: 'quiet' });
    this.chosen = new Set();
    const again = button('Group faces again', guarded(() => this.group(again)));
    this.node = element('section', {},
      element('div', { class: 'bar' }, element('h2', {}, 'Not named yet'), this.count, again), this.list, this.more,
      element('div', { class: 'bar sticky', hidden: true }, this.merge));
  }

  async load() {
    const pages = Math.max(1, this.page || 1);
    this.page = 0;
    this.chosen.clear();
    const cards = [];
    while (this.page < pages) cards.push(...await this.fetchPage());
    this.list.replaceChildren(...cards);
    this.drawChosen();
    if (!cards.length) this.list.replaceChildren(element('li', { class: 'quiet' }, 'There is no group of faces without a name.'));
  }

  async loadMore() {
    const cards = await this.fetchPage();
    this.list.append(...cards);
    cards[0]?.querySelector('input').focus();
  }

  async fetchPage() {
    this.page++;
    const found = await get(`/api/v1/faces/clusters${query({ page: this.page, page_size: GROUPS })}`);
    this.count.textContent = found.total ? plural(found.total, 'group') : '';
    this.more.hidden = this.page * GROUPS >= found.total;
    return found.items.map((one) => this.card(one));
  }

  card(one) {
    const id = one.clusterId;
    const path = `/api/v1/faces/clusters/${encodeURIComponent(id)}`;
    const name = `group of ${plural(one.faceCount, 'face')}`;
    const choose = element('input', { type: 'checkbox', 'aria-label': `Choose this ${name}`, onchange: (event) => {
      if (event.target.checked) this.chosen.add(id);
      else this.chosen.delete(id);
      event.target.closest('.card').classList.toggle('chosen', event.target.checked);
      this.drawChosen();
    } });
    const dismiss = guarded(async () => {
      await post(`${path}/dismiss`);
      await this.load();
      notice('This group is not shown any more.');
    });
    return element('li', { class: 'card', 'data-cluster': id },
      element('a', { href: href('people', ['cluster', id]), 'aria-label': `All faces of this ${name}` },
        element('span', { class: 'crops' }, one.sampleFaceIds.map((face) => element('img', { class: 'crop', src: faceThumbnail(face), alt: '', loading: 'lazy' })))),
      choosePerson({ label: `Who is this? A ${name}`, placeholder: 'Who is this?', mayBeNew: true,
        use: guarded((who) => nameCluster(id, who, () => this.changed())) }),
      element('div', { class: 'bar ends' }, element('label', { class: 'tick' }, choose, ` ${plural(one.faceCount, 'face')}`),
        button('Not interesting', dismiss, { class: 'plain', 'aria-label': `Not interesting: ${name}` })));
  }

  drawChosen() {
    this.merge.parentElement.hidden = this.chosen.size < 1;
    this.merge.disabled = this.chosen.size < 2;
    this.merge.textContent = this.merge.disabled ? 'Choose another group to merge' : `Merge ${this.chosen.size} groups`;
  }

  async mergeChosen() {
    const [first, ...others] = this.chosen;
    let into = first;
    for (const other of others) {
      const done = await post('/api/v1/faces/unknown-persons/candidates/merge', { groupAId: into, groupBId: other });
      into = done.mergedGroupId;
    }
    await this.load();
    notice(`${others.length + 1} groups are one now.`);
  }

  async group(by) {
    by.disabled = true;
    try {
      const job = await post('/api/v1/faces/cluster', { minClusterSize: 3 });
      if (job.progressKey) await runJob(job.progressKey, 'Grouping faces');
      await this.load();
      notice(`Grouping faces: done, ${this.count.textContent || 'no group'}.`);
    } finally {
      by.disabled = false;
    }
  }
}

// ---- the overview ----

function overview(main) {
  personsChanged();
  const named = namedSection();
  const reviews = element('p', {});
  const countReviews = async () => {
    const stats = await get('/api/v1/faces/suggestions/stats');
    reviews.replaceChildren(...(stats.pending ? [element('a', { class: 'button main', href: '#/people/suggestions' },
      `Review ${plural(stats.pending, 'suggestion')}`)] : []));
  };
  const changed = () => Promise.all([named.load(), groups.load(), countReviews()]);
  const groups = new Groups(changed);
  const nobody = async () => {
    const { library } = await get('/health');
    if (library.faces) return;
    main.replaceChildren(element('h1', {}, 'People'), blank('No faces yet', library.done
      ? 'No face was found in the photos so far.' : 'Faces are found while photos are indexed; similar ones are grouped here, and a name given once is remembered.',
    element('a', { class: 'button main', href: '#/indexing' }, library.done ? 'See what was indexed' : 'Index a folder')));
  };
  const start = () => {
    main.replaceChildren(element('h1', {}, 'People'), reviews, named.node, groups.node);
    groups.list.replaceChildren(element('li', { class: 'quiet' }, 'Looking...'));
    return changed().then(nobody).catch((error) => main.replaceChildren(element('h1', {}, 'People'), failure(error, start)));
  };
  start();
}

export function peoplePage(main, route) {
  let leave = null;
  const pages = { person: personPage, cluster: clusterPage, suggestions: suggestionsPage };
  const update = ({ args, params }) => {
    leave?.();
    window.scrollTo(0, 0);
    leave = (pages[args[0]] || overview)(main, args[1], params) || null;
  };
  update(route);
  return { update, close: () => leave?.() };
}
