// What the library holds and what it runs on, with figures that move.

import { get } from './api.js';
import { element, every, notice, number } from './dom.js';

const HISTORY = 120;

async function figures() {
  const text = await (await fetch('/metrics')).text();
  const found = {};
  for (const line of text.split('\n')) {
    const match = /^imgsearch_(\w+)(?:\{class="(\dxx)"\})? ([-+.\deE]+)$/.exec(line);
    if (match) found[match[2] ? `${match[1]}_${match[2]}` : match[1]] = Number(match[3]);
  }
  return found;
}

function plot(values, label) {
  const top = Math.max(...values, 1e-9);
  const points = values.map((v, i) => `${(i / (HISTORY - 1)) * 100},${38 - (v / top) * 36}`).join(' ');
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 100 40');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('class', 'plot');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', `${label}, now ${values.at(-1).toFixed(1)}`);
  const line = document.createElementNS('http://www.w3.org/2000/svg', 'polyline');
  line.setAttribute('points', points);
  svg.append(line);
  return element('div', {}, element('p', {}, `${label}: ${values.at(-1).toFixed(1)}`), svg);
}

const tile = (value, name) => element('div', { class: 'tile' }, element('b', {}, value), element('span', {}, name));

export function healthPage(main) {
  const tiles = element('div', { class: 'tiles' });
  const facts = element('table');
  const plots = element('div', { class: 'tiles' });
  const cpu = [];
  const requests = [];
  let before = null;
  const row = (name, value) => element('tr', {}, element('th', { scope: 'row' }, name), element('td', {}, value));
  const draw = async () => {
    try {
      const [health, now] = await Promise.all([get('/health'), figures()]);
      const library = health.library;
      const replies = now.http_replies_total_2xx + now.http_replies_total_4xx + now.http_replies_total_5xx;
      if (before) {
        const seconds = Math.max(0.1, now.uptime_seconds - before.uptime);
        cpu.push(((now.process_cpu_seconds_total - before.cpu) / seconds) * 100);
        requests.push((replies - before.replies) / seconds);
        if (cpu.length > HISTORY) cpu.shift();
        if (requests.length > HISTORY) requests.shift();
      }
      before = { uptime: now.uptime_seconds, cpu: now.process_cpu_seconds_total, replies };
      tiles.replaceChildren(tile(number(library.assets), 'photos'), tile(number(library.done), 'indexed'),
        tile(number(library.failed), 'failed'), tile(number(library.vectors), 'vectors'),
        tile(number(library.faces), 'faces'), tile(number(library.persons), 'people'));
      facts.replaceChildren(element('tbody', {},
        row('Model', library.model || library.modelProblem || ''),
        row('Device', health.device.device ? `${health.device.device} (${health.device.provider})` : 'not used yet'),
        row('Why', health.device.reason || ''),
        row('Runtime', health.device.runtime || ''),
        row('Database', library.database),
        row('Version', health.version),
        row('Running for', `${Math.round(health.uptimeSeconds)} s`)));
      if (cpu.length) plots.replaceChildren(plot(cpu, 'CPU, percent of one core'), plot(requests, 'Requests a second'));
    } catch (error) {
      notice(error.message, true);
    }
  };
  main.replaceChildren(element('h1', {}, 'Health'), tiles, plots, facts,
    element('p', {}, element('a', { href: '/docs' }, 'The HTTP interface')));
  return every(1000, draw);
}
