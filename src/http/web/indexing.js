// Indexing: runs over folders with their stages, rates and failures; what else is at work.

import { call, follow, get, post, query, remove } from './api.js';
import { button, complain, duration, element, every, guarded, moment, notice, number, plural, quiet, shortened, table } from './dom.js';
import { allCategories, categoriesChanged } from './filters.js';

const EVERY_MS = 1000;
const FAILURES = 100; // of a run
const ALL_FAILURES = 500; // of the library
const FILES_OF_A_REASON = 20;
const isMoving = (status) => ['discovering', 'running', 'pending'].includes(status);
const phaseNames = { training: 'Photos', faceDetection: 'Faces', clustering: 'Groups of faces' };

// ---- a new run ----

function categoryField() {
  const select = element('select', { name: 'category' });
  const load = async (chosen) => {
    const all = await allCategories();
    const first = chosen || all.find((one) => one.isDefault)?.id;
    select.replaceChildren(...all.map((one) => element('option', { value: one.id, selected: one.id === first }, one.name)),
      element('option', { value: 'new' }, 'a new one...'));
  };
  select.addEventListener('change', guarded(async () => {
    if (select.value !== 'new') return;
    const name = window.prompt('The name of the category');
    const made = name ? await post('/api/v1/categories', { name }) : null;
    categoriesChanged();
    await load(made?.id);
  }));
  load().catch(complain);
  return select;
}

// A page may not say which folders the library has: whoever reaches it could read anything.
const howToAdmit = (folder) => `${folder} is in none of the folders of the library. Who starts the server says which it has: IMAGE_ROOT_DIR=${folder} `
  + `imgsearch serve, or once in the shell: imgsearch index ${folder}`;

function newRun(started) {
  const folders = element('datalist', { id: 'run-folders' });
  const folder = element('input', { name: 'folder', required: true, list: 'run-folders', placeholder: '/photos/2024', autocomplete: 'off' });
  const name = element('input', { name: 'name', maxlength: 200, placeholder: 'the name of the folder' });
  const category = categoryField();
  const offer = async () => {
    const [{ directories }, watcher] = await Promise.all([get('/api/v1/vectors/directories/stats'), get('/api/v1/system/watcher/status')]);
    const above = directories.map((one) => one.pathPrefix.slice(0, one.pathPrefix.lastIndexOf('/'))).filter(Boolean);
    const all = new Set([...watcher.watch_paths, ...above, ...directories.map((one) => one.pathPrefix)]);
    folders.append(...[...all].sort().map((one) => element('option', { value: one })));
    if (!directories.length && watcher.watch_paths.length === 1 && !folder.value) [folder.value] = watcher.watch_paths;
  };
  offer().catch(() => {}); // a folder can still be typed
  const submit = guarded(async (event) => {
    event.preventDefault();
    const rootPath = folder.value.trim().replace(/(.)\/+$/, '$1');
    const session = await post('/api/v1/training/sessions', { name: name.value.trim() || rootPath.split('/').at(-1) || rootPath, rootPath,
      categoryId: Number(category.value) }).catch((error) => {
      throw error.status === 403 ? new Error(howToAdmit(rootPath)) : error;
    });
    await post(`/api/v1/training/sessions/${session.id}/start`);
    folder.value = '';
    name.value = '';
    await started();
    notice(`${session.name} is being indexed.`);
  });
  return element('form', { class: 'fields', onsubmit: submit },
    element('label', {}, 'Folder', folder, folders), element('label', {}, 'Name of the run', name),
    element('label', {}, 'Category', category), element('button', { class: 'main' }, 'Index it'));
}

// ---- what failed, by reason ----

// files: [{ reason, path, detail (may be missing) }]
function byReason(files, total) {
  const reasons = new Map();
  for (const file of files) reasons.set(file.reason, [...(reasons.get(file.reason) || []), file]);
  return [...[...reasons].sort((a, b) => b[1].length - a[1].length).map(([reason, some]) => element('div', {},
    element('p', {}, element('b', {}, reason), ` · ${plural(some.length, 'file')}`),
    element('ul', { class: 'files' }, some.slice(0, FILES_OF_A_REASON).map((file) =>
      element('li', {}, file.path, file.detail ? element('span', { class: 'quiet' }, ` ${shortened(file.detail, 200)}`) : null)),
    some.length > FILES_OF_A_REASON ? element('li', { class: 'quiet' }, `and ${number(some.length - FILES_OF_A_REASON)} more`) : null))),
  total > files.length ? quiet(`The first ${number(files.length)} of ${number(total)}.`) : ''];
}

// Those of the whole library, whatever indexed it: a run, the watcher, the shell.
class Failures {
  constructor() {
    this.node = element('details', { hidden: true }, element('summary', { class: 'bad' }), element('div', {}));
    this.node.addEventListener('toggle', () => this.load().catch(complain));
  }

  async draw(n) {
    this.node.hidden = n === 0;
    this.node.firstChild.textContent = `${plural(n, 'photo')} failed`;
    if (n !== this.n) await this.load();
    this.n = n;
  }

  async load() {
    if (!this.node.open) return;
    const { items } = await get(`/api/v1/assets/failures${query({ limit: ALL_FAILURES })}`);
    const files = items.map((one) => ({ ...one, reason: one.task === 'faces' ? `faces: ${one.reason}` : one.reason }));
    this.node.lastChild.replaceChildren(...byReason(files, items.length < ALL_FAILURES ? 0 : this.n));
  }
}

// ---- a run ----

function bar(label, progress, status) {
  const { current, total, percentage, imagesPerMinute, etaSeconds } = progress;
  const told = [total ? `${number(current)} of ${number(total)}` : status,
    imagesPerMinute && isMoving(status) ? `${imagesPerMinute.toFixed(0)} a minute` : '', etaSeconds && isMoving(status) ? `${duration(etaSeconds)} left` : ''];
  return [element('span', {}, label),
    element('progress', { max: 100, value: status === 'completed' && !total ? 100 : Math.min(100, percentage), 'aria-label': `${label}: ${status}` }),
    element('span', { class: 'quiet' }, told.filter(Boolean).join(', '))];
}

class Run {
  constructor(session, changed) {
    this.id = session.id;
    this.changed = changed;
    this.path = `/api/v1/training/sessions/${session.id}`;
    this.title = element('h3', {});
    this.state = element('p', { class: 'quiet' });
    this.phases = element('div', { class: 'phases' });
    this.buttons = element('div', { class: 'bar' });
    this.failures = element('details', { hidden: true }, element('summary', { class: 'bad' }), element('div', {}));
    this.failures.addEventListener('toggle', () => { if (this.failures.open) this.loadFailures().catch(complain); });
    this.node = element('li', { class: 'session', 'data-session': session.id }, this.title, this.state, this.phases, this.buttons, this.failures);
  }

  async draw(session) {
    const key = JSON.stringify(session);
    if (key !== this.key) {
      this.key = key;
      this.drawFacts(session);
    }
    if (isMoving(session.status) || !this.unified || this.unified !== session.status) {
      const { phases, overallStatus } = await get(`${this.path}/progress-unified`);
      this.unified = overallStatus === 'running' ? null : session.status;
      this.phases.replaceChildren(...Object.entries(phaseNames).flatMap(([name, label]) =>
        (phases[name] ? bar(label, phases[name].progress, phases[name].status) : [])));
    }
  }

  drawFacts(session) {
    const { status, totalImages, processedImages, failedImages, skippedImages } = session;
    this.title.textContent = session.name;
    this.state.textContent = [status, session.rootPath, session.category?.name, totalImages ? `${number(processedImages)} of ${plural(totalImages, 'photo')}` : '',
      skippedImages ? `${number(skippedImages)} the same as another` : '', moment(session.startedAt || session.createdAt), session.error].filter(Boolean).join(' · ');
    this.failures.hidden = !failedImages;
    this.failures.firstChild.textContent = `${number(failedImages)} failed`;
    const focused = document.activeElement?.parentElement === this.buttons ? document.activeElement.textContent : null;
    this.buttons.replaceChildren(...this.actions(session));
    if (focused) ([...this.buttons.children].find((one) => one.textContent === focused) || this.buttons.firstChild)?.focus();
  }

  actions({ status, failedImages, name }) {
    const act = (label, method, path) => button(label, guarded(async () => {
      await call(method, `${this.path}${path}`, method === 'POST' ? {} : undefined);
      await this.changed();
    }), { 'aria-label': `${label}: ${name}` });
    const can = (...states) => states.includes(status);
    return [
      can('pending', 'paused', 'failed') ? act(status === 'paused' ? 'Go on' : 'Start', 'POST', '/start') : null,
      can('running') ? act('Pause', 'POST', '/pause') : null,
      can('discovering', 'running', 'paused') ? act('Cancel', 'POST', '/cancel') : null,
      can('completed', 'failed', 'cancelled') && failedImages ? act('Try the failed ones again', 'POST', '/restart-training?failed_only=true') : null,
      can('completed', 'cancelled') ? act('Index again', 'POST', '/restart-training?failed_only=false') : null,
      can('completed') ? act('Look for faces again', 'POST', '/restart-faces') : null,
      can('completed') ? act('Group faces again', 'POST', '/restart-clustering') : null,
      can('pending', 'completed', 'failed', 'cancelled') ? act('Remove from this list', 'DELETE', '') : null,
    ].filter(Boolean);
  }

  // Failed files by reason.
  async loadFailures() {
    const found = await get(`${this.path}/jobs${query({ status: 'failed', page_size: FAILURES })}`);
    const files = found.items.map((job) => ({ reason: job.errorMessage || 'unknown', path: job.imagePath || `photo ${job.assetId}` }));
    this.failures.lastChild.replaceChildren(...byReason(files, found.total));
  }
}

// Cards stay where they are while their contents move.
class Runs {
  constructor() {
    this.cards = new Map();
    this.node = element('ul', { class: 'plain-list' });
    this.none = quiet('Nothing was indexed from this page yet.');
    this.none.hidden = true;
    this.clear = clearRuns(this);
  }

  async load() {
    const { items } = await get('/api/v1/training/sessions?page_size=50');
    const changed = () => this.load();
    const known = new Set(items.map((one) => one.id));
    this.clear.hidden = items.length < 2;
    this.none.hidden = items.length > 0;
    for (const [id, card] of this.cards) {
      if (known.has(id)) continue;
      card.node.remove();
      this.cards.delete(id);
    }
    for (const [i, session] of items.entries()) {
      let card = this.cards.get(session.id);
      if (!card) {
        card = new Run(session, changed);
        this.cards.set(session.id, card);
      }
      if (this.node.children[i] !== card.node) this.node.insertBefore(card.node, this.node.children[i] || null);
      await card.draw(session);
    }
  }
}

// ---- looking for faces, as events tell it ----

class FaceRuns {
  constructor() {
    this.following = new Map(); // id -> what ends the stream
    this.node = element('div', { class: 'phases' });
    this.rows = new Map();
  }

  async load() {
    const { items } = await get('/api/v1/faces/sessions?page_size=20&status=processing');
    for (const one of items) {
      if (this.following.has(one.id)) continue;
      this.following.set(one.id, follow(`/api/v1/faces/sessions/${one.id}/events`, (event, data) => this.take(one.id, event, data)));
    }
  }

  take(id, event, data) {
    if (event === 'error' || event === 'complete') {
      this.rows.delete(id);
      this.following.delete(id);
    } else {
      this.rows.set(id, { current: data.processedImages, total: data.totalImages, percentage: data.progressPercent, status: data.status, faces: data.facesDetected });
    }
    this.node.replaceChildren(...[...this.rows.values()].flatMap((row) => bar(`Looking for faces, ${number(row.faces)} found`, row, row.status)));
  }

  close() {
    for (const end of this.following.values()) end();
  }
}

// ---- all background work ----

const workNames = { ingest: 'Index a folder', train: 'Index photos of a run', thumbnails: 'Make thumbnails', cluster_faces: 'Group faces',
  cluster_dual: 'Group faces', discover: 'Look for faces', train_faces: 'Learn from names', face_session: 'Look for faces',
  find_more: 'Find more of a person', find_more_centroid: 'Find more of a person', match: 'Suggest names', propagate: 'Suggest names' };

async function jobsTable() {
  const { queues } = await get('/api/v1/queues');
  const busy = queues.filter((one) => one.count || one.startedCount || one.failedCount);
  const details = await Promise.all(busy.map((one) => get(`/api/v1/queues/${one.name}?page_size=20`)));
  const jobs = details.flatMap((one) => [...one.startedJobs, ...one.jobs, ...one.failedJobs]);
  const rows = jobs.map((job) => [workNames[job.funcName] || job.funcName, element('span', { class: job.status === 'failed' ? 'bad' : null }, job.status),
    Object.values(job.kwargs).join(' '), moment(job.endedAt || job.startedAt || job.createdAt), job.errorMessage || job.result || '']);
  return table(['Work', 'State', 'Of', 'Since', 'Outcome'], rows, 'Nothing waits, nothing failed.');
}

function clearRuns(runs) {
  return button('Remove finished runs from this list', guarded(async () => {
    const { items } = await get('/api/v1/training/sessions?page_size=100');
    for (const one of items) if (['completed', 'cancelled'].includes(one.status)) await remove(`/api/v1/training/sessions/${one.id}`);
    await runs.load();
  }), { class: 'plain', hidden: true });
}

export function indexingPage(main) {
  const runs = new Runs();
  const faces = new FaceRuns();
  const failures = new Failures();
  const overall = element('p', {}, 'Looking...');
  const progress = element('progress', { max: 1, value: 0, 'aria-label': 'Indexed photos', hidden: true });
  const jobs = element('div', {});
  main.replaceChildren(element('h1', {}, 'Indexing'), overall, progress, failures.node,
    element('section', {}, element('h2', {}, 'Index a folder'), newRun(() => runs.load())),
    element('section', {}, element('h2', {}, 'Runs'), faces.node, runs.none, runs.node, runs.clear),
    element('section', {}, element('h2', {}, 'Background work'), jobs));
  const stops = [
    every(EVERY_MS, async () => {
      const { library } = await get('/health');
      overall.textContent = library.assets
        ? `${number(library.done)} of ${plural(library.assets, 'photo')} are indexed${library.queued ? `, ${number(library.queued)} wait` : ''}.`
        : 'The library is empty. Name a folder with photos; they are read where they are, and not changed.';
      progress.hidden = library.assets === 0;
      progress.max = library.assets || 1;
      progress.value = library.done + library.failed;
      await Promise.all([runs.load(), faces.load(), failures.draw(library.failed)]);
    }),
    every(3 * EVERY_MS, async () => jobs.replaceChildren(await jobsTable())),
  ];
  return { update: () => {}, close: () => {
    stops.forEach((stop) => stop());
    faces.close();
  } };
}
