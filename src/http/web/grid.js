// A grid that stays smooth with any number of results: only cells near the window are in the page, and results
// are fetched in chunks when they come near.

import { element } from './dom.js';

const GAP = 8;

export class Grid {
  // load(offset, limit) -> array of {id, label, thumbnail or null}; open(index) is called for a chosen cell
  constructor(total, load, open, chunk = 200) {
    this.total = total;
    this.load = load;
    this.open = open;
    this.chunk = chunk;
    this.items = new Map();
    this.wanted = new Set();
    this.cells = new Map();
    this.node = element('div', { class: 'grid' });
    this.onScroll = () => requestAnimationFrame(() => this.draw());
    window.addEventListener('scroll', this.onScroll, { passive: true });
    window.addEventListener('resize', this.onScroll);
    this.node.addEventListener('keydown', (event) => this.onKey(event));
  }

  close() {
    window.removeEventListener('scroll', this.onScroll);
    window.removeEventListener('resize', this.onScroll);
  }

  measure() {
    const size = parseInt(getComputedStyle(document.documentElement).getPropertyValue('--cell'), 10);
    const columns = Math.max(1, Math.floor((this.node.clientWidth + GAP) / (size + GAP)));
    return { size, columns, step: size + GAP };
  }

  // Items first .. last - 1, fetching the chunks that are not there yet.
  need(first, last) {
    for (let at = Math.floor(first / this.chunk) * this.chunk; at < last; at += this.chunk) {
      if (this.wanted.has(at)) continue;
      this.wanted.add(at);
      this.load(at, this.chunk).then((found) => {
        found.forEach((item, i) => this.items.set(at + i, item));
        this.draw();
      }).catch(() => this.wanted.delete(at));
    }
  }

  draw() {
    if (!this.node.isConnected) return;
    const { columns, step, size } = this.measure();
    const top = this.node.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor((-top - window.innerHeight) / step)) * columns;
    const last = Math.min(this.total, Math.ceil((-top + 2 * window.innerHeight) / step) * columns);
    this.columns = columns;
    this.node.style.height = `${Math.ceil(this.total / columns) * step}px`;
    for (const [index, cell] of this.cells) {
      if (index < first || index >= last) {
        cell.remove();
        this.cells.delete(index);
      }
    }
    for (let i = first; i < last; i++) this.place(i, columns, step, size);
    if (last > first) this.need(first, last);
  }

  place(index, columns, step) {
    const item = this.items.get(index);
    let cell = this.cells.get(index);
    if (!cell && item) {
      const picture = item.thumbnail
        ? element('img', { src: item.thumbnail, alt: item.label, loading: 'lazy', decoding: 'async' })
        : element('span', {}, item.label);
      cell = element('a', { href: `#/photo/${item.id}`, 'data-index': index, onclick: (event) => {
        event.preventDefault();
        this.open(index);
      } }, picture);
      this.cells.set(index, cell);
      this.node.append(cell);
    }
    if (cell) cell.style.transform = `translate(${(index % columns) * step}px, ${Math.floor(index / columns) * step}px)`;
  }

  focus(index) {
    const { columns, step } = this.measure();
    const y = Math.floor(index / columns) * step;
    const top = this.node.getBoundingClientRect().top;
    if (y + top < 60 || y + top + step > window.innerHeight) window.scrollBy(0, y + top - window.innerHeight / 3);
    this.draw();
    this.cells.get(index)?.focus();
  }

  onKey(event) {
    const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns };
    const index = Number(event.target.dataset.index);
    if (!(event.key in moves) || Number.isNaN(index)) return;
    event.preventDefault();
    this.focus(Math.min(this.total - 1, Math.max(0, index + moves[event.key])));
  }
}
