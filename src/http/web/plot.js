// A curve of the last values of a figure, as inline SVG.

import { element } from './dom.js';

const KEPT = 180;
const LEAST = 60; // so many values fill the width; with more they come closer

export class Series {
  values = [];

  add(value) {
    this.values.push(value);
    if (this.values.length > KEPT) this.values.shift();
  }
}

const shown = (value) => (value >= 100 ? Math.round(value) : Number(value.toPrecision(3))).toLocaleString('en');

function draw(name, attributes, ...children) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// The newest value is at the right edge; the scale begins at 0.
export function plot({ values }, label) {
  const most = Math.max(...values);
  const top = Math.max(most, 1e-9);
  const now = values.at(-1);
  const wide = Math.max(LEAST, values.length);
  const x = (i) => (100 * (wide - values.length + i)) / (wide - 1);
  const points = values.map((v, i) => `${x(i).toFixed(2)},${(38 - (v / top) * 36).toFixed(2)}`);
  return element('div', { class: 'tile' },
    element('p', {}, label),
    element('b', {}, shown(now)),
    element('p', { class: 'most' }, most > 0 ? `at most ${shown(most)}` : 'nothing yet'),
    draw('svg', { class: 'plot', viewBox: '0 0 100 40', preserveAspectRatio: 'none', role: 'img', 'aria-label': `${label}, now ${shown(now)}` },
      draw('path', { d: `M${x(0)},38 L${points.join(' L')} L100,38 Z` }), draw('polyline', { points: points.join(' ') })));
}
