// What the library holds and what it runs on, with figures that move.

import { get } from './api.js';
import { duration, element, every, number, table } from './dom.js';
import { plot, Series } from './plot.js';

const EVERY_MS = 1000;

// Prometheus' text form -> [{ name, labels (as written), value }].
async function figures() {
  const response = await fetch('/metrics');
  if (!response.ok) throw new Error('The figures cannot be read.');
  return [...(await response.text()).matchAll(/^imgsearch_(\w+)(?:\{(.*)\})? (\S+)$/gm)]
    .map(([, name, labels, value]) => ({ name, labels: labels || '', value: Number(value) }));
}

const some = (found, name, label = '') => found.filter((one) => one.name === name && one.labels.includes(label));
const sum = (list) => list.reduce((all, one) => all + one.value, 0);
const labelOf = (one, name) => new RegExp(`${name}="([^"]*)"`).exec(one.labels)?.[1];

// What is plotted where the server tells it. isRate: by how much it grew in a second; per: its growth over that of another.
const plots = [
  { title: 'CPU, cores', name: 'process_cpu_seconds_total', isRate: true },
  { title: 'Memory, MB', name: 'process_resident_bytes', scale: 1e-6 },
  { title: 'Requests a second', name: 'http_requests_total', isRate: true },
  { title: 'A search, ms', name: 'query_seconds_sum', per: 'query_seconds_count', scale: 1e3 },
  { title: 'Photos indexed a second', name: 'ingest_pictures_total', isRate: true },
  { title: 'Pictures, texts and faces computed a second', name: 'device_rows_total', isRate: true },
  { title: 'Use of the devices, percent', name: 'device_busy_seconds_total', isRate: true, scale: 100 },
  { title: 'Use of the GPU, percent', name: 'gpu_utilisation_ratio', scale: 100 },
  { title: 'Memory of the GPU, MB', name: 'gpu_memory_used_bytes', scale: 1e-6 },
  { title: 'Photos waiting', name: 'assets_queued' },
  { title: 'Jobs waiting', name: 'jobs', label: 'state="queued"' },
];

class Curve {
  constructor(plan) {
    this.plan = plan;
    this.data = new Series();
  }

  // seconds: since the figures before
  take(found, seconds) {
    const { name, label, isRate, per, scale = 1 } = this.plan;
    const mine = some(found, name, label);
    if (!mine.length) return;
    const now = { value: sum(mine), per: per ? sum(some(found, per)) : 0 };
    const grown = this.before ? now.value - this.before.value : 0;
    if (per) this.data.add(now.per > (this.before?.per ?? now.per) ? (grown / (now.per - this.before.per)) * scale : this.data.values.at(-1) || 0);
    else if (!isRate) this.data.add(now.value * scale);
    else if (this.before) this.data.add(Math.max(0, grown / seconds) * scale);
    this.before = now;
  }
}

const tile = (value, name) => element('div', { class: 'tile' }, element('b', {}, number(value)), element('span', {}, name));
const row = (name, value) => (value === null || value === undefined || value === '' ? null
  : element('tr', {}, element('th', { scope: 'row' }, name), element('td', {}, String(value))));

function facts({ library, device, queue, index, version, uptimeSeconds }) {
  return element('tbody', {},
    row('Model', library.model || library.modelProblem), row('Device', device.device ? `${device.device} (${device.provider})` : 'nothing was computed yet'),
    row('Why', device.reason), row('Runtime', device.runtime),
    row('Index of vectors', [index.state, index.rebuilding ? `being made anew, ${number(index.done)} of ${number(index.total)}` : '',
      index.vectors === null ? '' : `${number(index.vectors)} vectors`, index.problem, index.note].filter(Boolean).join(', ')),
    row('Database', library.database), row('Background work', `${queue.queued} waiting, ${queue.started} at work, ${queue.failed} failed`),
    row('Version', version), row('Running for', duration(uptimeSeconds)));
}

const state = (one) => element('span', { class: one.state === 'ready' ? 'good' : 'bad' }, one.state);
const devicesTable = (devices) => table(['Part of the models', 'Device', 'State', 'Self-test', 'Faults', 'Last fault'],
  devices.map((one) => [one.part, `${one.device} (${one.provider || 'unknown'})${one.isReserve ? ', in reserve' : ''}`, state(one), one.selfTest,
    number(one.faults), one.lastFault || '']), 'No model is loaded yet; the first search or run loads it.');

// Where the time of indexing goes.
function stagesTable(found) {
  const seconds = some(found, 'ingest_stage_seconds_total');
  const all = sum(seconds);
  const rows = seconds.map((one) => {
    const stage = labelOf(one, 'stage');
    const items = sum(some(found, 'ingest_stage_items_total', `stage="${stage}"`));
    return [stage, number(items), one.value ? `${number(Math.round(items / one.value))} a second of one core` : '',
      all ? element('meter', { min: 0, max: 1, value: one.value / all, 'aria-label': `share of ${stage}` }) : ''];
  });
  return all ? table(['Stage of indexing', 'Photos', 'Rate', 'Share of the time'], rows, '') : '';
}

export function healthPage(main) {
  const tiles = element('div', { class: 'tiles' });
  const factsTable = element('table', {});
  const devices = element('div', {});
  const stages = element('section', { hidden: true }, element('h2', {}, 'Where the time of indexing goes'), element('div', {}));
  const drawn = element('div', { class: 'tiles plots' });
  const curves = plots.map((plan) => new Curve(plan));
  let at = performance.now();

  const stop = every(EVERY_MS, async () => {
    const [health, found] = await Promise.all([get('/health'), figures()]);
    const { library } = health;
    const now = performance.now();
    for (const curve of curves) curve.take(found, Math.max(0.1, (now - at) / 1000));
    at = now;
    tiles.replaceChildren(tile(library.assets, 'photos'), tile(library.done, 'indexed'), tile(library.failed, 'failed'),
      tile(library.queued, 'waiting'), tile(library.faces, 'faces'), tile(library.persons, 'people'));
    drawn.replaceChildren(...curves.filter((curve) => curve.data.values.length).map((curve) => plot(curve.data, curve.plan.title)));
    factsTable.replaceChildren(facts(health));
    devices.replaceChildren(devicesTable(health.devices));
    const table = stagesTable(found);
    stages.hidden = !table;
    stages.lastChild.replaceChildren(table);
  });
  main.replaceChildren(element('h1', {}, 'Health'), tiles, drawn,
    element('section', {}, element('h2', {}, 'Devices'), devices), stages,
    element('section', {}, element('h2', {}, 'Library and service'), factsTable),
    element('p', {}, element('a', { href: '/docs' }, 'The HTTP interface')));
  return { update: () => {}, close: stop };
}
