// What the library holds and what it runs on, with figures that move.

import { get } from './api.js';
import { duration, element, every, number } from './dom.js';
import { plot, Series } from './plot.js';

const EVERY_MS = 1000;

// Prometheus' text form: name{labels} value -> Map of "name" and "name{labels}".
async function figures() {
  const response = await fetch('/metrics');
  if (!response.ok) throw new Error('The figures cannot be read.');
  const found = new Map();
  for (const line of (await response.text()).split('\n')) {
    const match = /^imgsearch_(\w+(?:\{[^}]*\})?) (\S+)$/.exec(line);
    if (match) found.set(match[1], Number(match[2]));
  }
  return found;
}

const sum = (found, name) => [...found].filter(([key]) => key === name || key.startsWith(`${name}{`)).reduce((all, [, v]) => all + v, 0);
const has = (found, name) => [...found.keys()].some((key) => key === name || key.startsWith(`${name}{`));

// What is plotted where the server tells it: rates of counters, gauges as they are.
const plots = [
  { name: 'CPU, cores', of: 'process_cpu_seconds_total', isRate: true },
  { name: 'Memory, MB', of: 'process_resident_memory_bytes', scale: 1e-6 },
  { name: 'Requests a second', of: 'http_replies_total', isRate: true },
  { name: 'Photos indexed a second', of: 'assets_done', isRate: true },
  { name: 'Photos waiting', of: 'assets_queued' },
  { name: 'Jobs waiting and at work', of: ['jobs_queued', 'jobs_started'] },
  { name: 'Open connections', of: 'http_connections' },
  { name: 'Use of the device, percent', of: 'device_utilization_percent' },
  { name: 'Memory of the device, MB', of: 'device_memory_used_bytes', scale: 1e-6 },
];

const valueOf = (found, of) => [of].flat().reduce((all, name) => all + sum(found, name), 0);
const tile = (value, name) => element('div', { class: 'tile' }, element('b', {}, number(value)), element('span', {}, name));
const row = (name, value) => (value === null || value === undefined || value === '' ? null
  : element('tr', {}, element('th', { scope: 'row' }, name), element('td', {}, String(value))));

function facts({ library, device, queue, version, uptimeSeconds, ...more }) {
  const list = more.devices || [];
  return element('tbody', {},
    row('Model', library.model || library.modelProblem), row('Device', device.device ? `${device.device} (${device.provider})` : 'nothing was computed yet'),
    row('Why', device.reason), row('Runtime', device.runtime),
    list.map((one) => row(one.name || one.device, [one.state, one.driver, one.reason].filter(Boolean).join(', '))),
    row('Database', library.database), row('Background work', `${queue.queued} waiting, ${queue.started} at work, ${queue.failed} failed`),
    row('Version', version), row('Running for', duration(uptimeSeconds)));
}

export function healthPage(main) {
  const tiles = element('div', { class: 'tiles' });
  const table = element('table', {});
  const curves = element('div', { class: 'tiles plots' });
  const series = plots.map((one) => ({ ...one, data: new Series(), before: null }));
  let at = 0;

  const take = (found) => {
    const now = performance.now();
    for (const one of series) {
      if (![one.of].flat().some((name) => has(found, name))) continue;
      const value = valueOf(found, one.of) * (one.scale || 1);
      if (!one.isRate) one.data.add(value);
      else if (one.before !== null) one.data.add(Math.max(0, ((value - one.before) * 1000) / (now - at)));
      one.before = value;
    }
    at = now;
    curves.replaceChildren(...series.filter((one) => one.data.values.length).map((one) => plot(one.data, one.name)));
  };
  const stop = every(EVERY_MS, async () => {
    const [health, found] = await Promise.all([get('/health'), figures()]);
    const { library } = health;
    tiles.replaceChildren(tile(library.assets, 'photos'), tile(library.done, 'indexed'), tile(library.failed, 'failed'),
      tile(library.queued, 'waiting'), tile(library.faces, 'faces'), tile(library.persons, 'people'));
    table.replaceChildren(facts(health));
    take(found);
  });
  main.replaceChildren(element('h1', {}, 'Health'), tiles, curves, table,
    element('p', {}, element('a', { href: '/docs' }, 'The HTTP interface')));
  return { update: () => {}, close: stop };
}
