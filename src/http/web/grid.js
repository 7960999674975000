// A grid that stays smooth with any number of photos: only cells near the window are in the page, cells that leave it
// are used again, and photos are fetched in chunks when they come near.

import { element } from './dom.js';

const REST_MS = 90; // a scroll that pauses this long is worth fetching for
const FAST = 6; // pixels a millisecond, at which nobody can tell one photo from another: thumbnails wait for its end
const KEPT_CHUNKS = 60; // beyond which the farthest are forgotten

export class Grid {
  // load(offset, limit, signal) -> array of { id, label, thumbnail or null }; open(index) is called for a chosen cell;
  // link(item) -> its address; onTop(item), when given, is told the first photo in the window
  constructor({ total, load, open, link, onTop = null, chunk = 200 }) {
    Object.assign(this, { total, load, open, link, onTop, chunk });
    this.chunks = new Map(); // offset -> array of items
    this.fetching = new Map(); // offset -> AbortController
    this.cells = new Map(); // index -> cell
    this.pool = [];
    this.current = 0; // the cell that Tab reaches
    this.node = element('div', { class: 'grid', role: 'group', 'aria-label': 'Photos' });
    this.soon = () => {
      this.frame ||= requestAnimationFrame(() => {
        this.frame = 0;
        this.draw();
      });
    };
    window.addEventListener('scroll', this.soon, { passive: true });
    window.addEventListener('resize', this.soon);
    this.watcher = new ResizeObserver(this.soon);
    this.watcher.observe(this.node);
    this.node.addEventListener('keydown', (event) => this.onKey(event));
    this.node.addEventListener('click', (event) => this.onClick(event));
  }

  close() {
    window.removeEventListener('scroll', this.soon);
    window.removeEventListener('resize', this.soon);
    this.watcher.disconnect();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
    clearTimeout(this.rest);
    for (const controller of this.fetching.values()) controller.abort();
    this.isClosed = true;
  }

  item(index) {
    const at = Math.floor(index / this.chunk) * this.chunk;
    return this.chunks.get(at)?.[index - at];
  }

  // As many columns as fit, the cells a little wider than asked for so that they fill the row.
  measure() {
    const style = getComputedStyle(this.node);
    const least = parseInt(style.getPropertyValue('--cell'), 10);
    const gap = parseInt(style.getPropertyValue('--gap'), 10);
    const width = this.node.clientWidth;
    this.columns = Math.max(1, Math.floor((width + gap) / (least + gap)));
    const size = Math.floor((width - (this.columns - 1) * gap) / this.columns);
    this.step = size + gap;
    if (size === this.size) return;
    this.size = size;
    this.node.style.setProperty('--size', `${size}px`);
  }

  // Fetches the chunks of first .. last - 1 that are not there; those on the way that are far from it are given up.
  fetchNear(first, last) {
    for (const [at, controller] of this.fetching) {
      if (at + this.chunk <= first - this.chunk || at >= last + this.chunk) {
        controller.abort();
        this.fetching.delete(at);
      }
    }
    for (let at = Math.floor(first / this.chunk) * this.chunk; at < last; at += this.chunk) {
      if (!this.chunks.has(at) && !this.fetching.has(at)) this.fetchChunk(at);
    }
  }

  async fetchChunk(at) {
    const controller = new AbortController();
    this.fetching.set(at, controller);
    try {
      const items = await this.load(at, this.chunk, controller.signal);
      if (this.isClosed) return;
      this.chunks.set(at, items);
      this.forgetFar(at);
      this.soon();
    } catch { /* fetched again when it is near again */ }
    if (this.fetching.get(at) === controller) this.fetching.delete(at);
  }

  forgetFar(near) {
    while (this.chunks.size > KEPT_CHUNKS) {
      const far = [...this.chunks.keys()].reduce((a, b) => (Math.abs(a - near) > Math.abs(b - near) ? a : b));
      this.chunks.delete(far);
    }
  }

  // Chunks in sight are fetched at once when nothing is on the way, else after the scroll has come to rest.
  planFetch(first, last) {
    clearTimeout(this.timer);
    if (this.fetching.size === 0) this.fetchNear(first, last);
    else this.timer = setTimeout(() => this.fetchNear(first, last), REST_MS);
  }

  draw() {
    if (!this.node.isConnected || this.isClosed) return;
    this.measure();
    const top = -this.node.getBoundingClientRect().top;
    const { columns, step } = this;
    const margin = window.innerHeight / 2;
    const first = Math.max(0, Math.floor((top - margin) / step)) * columns;
    const last = Math.min(this.total, Math.ceil((top + window.innerHeight + margin) / step) * columns);
    this.node.style.height = `${Math.ceil(this.total / columns) * step}px`;
    for (const [index, cell] of this.cells) {
      if ((index < first || index >= last) && cell !== document.activeElement) this.release(index, cell);
    }
    const isFast = this.measureSpeed(top) > FAST;
    for (let i = first; i < last; i++) this.place(i, isFast);
    this.chooseTabStop(first, last, Math.min(this.total - 1, Math.max(0, Math.ceil(top / step)) * columns));
    if (last > first) this.planFetch(first, last);
  }

  measureSpeed(top) {
    const now = performance.now();
    const speed = this.drawnAt ? Math.abs(top - this.top) / Math.max(1, now - this.drawnAt) : 0;
    clearTimeout(this.rest);
    if (speed > FAST) this.rest = setTimeout(this.soon, REST_MS);
    this.top = top;
    this.drawnAt = now;
    return speed;
  }

  release(index, cell) {
    this.cells.delete(index);
    cell.remove();
    cell.firstChild.removeAttribute('src'); // stops what is still loading
    this.pool.push(cell);
  }

  make() {
    const picture = element('img', { alt: '', decoding: 'async', draggable: false });
    const cell = element('a', { tabindex: -1 }, picture, element('span'));
    picture.addEventListener('load', () => cell.classList.add('there'));
    picture.addEventListener('error', () => { if (picture.hasAttribute('src')) cell.classList.add('failed'); });
    return cell;
  }

  place(index, isFast) {
    let cell = this.cells.get(index);
    const item = this.item(index);
    if (!cell) {
      cell = this.pool.pop() || this.make();
      cell.className = '';
      cell.dataset.index = index;
      cell.shown = undefined;
      cell.isWaiting = false;
      this.cells.set(index, cell);
      this.node.append(cell);
    }
    const x = (index % this.columns) * this.step;
    const y = Math.floor(index / this.columns) * this.step;
    cell.style.transform = `translate(${x}px, ${y}px)`;
    if (cell.shown !== (item || null)) this.fill(cell, item);
    if (cell.isWaiting && !isFast) {
      cell.isWaiting = false;
      cell.firstChild.src = item.thumbnail;
    }
  }

  fill(cell, item) {
    const [picture, label] = cell.children;
    cell.shown = item || null;
    if (item) cell.href = this.link(item);
    else cell.removeAttribute('href');
    cell.setAttribute('aria-label', item ? item.label : 'loading');
    label.textContent = item ? item.name : '';
    cell.classList.toggle('failed', Boolean(item && !item.thumbnail));
    cell.isWaiting = Boolean(item?.thumbnail);
    picture.removeAttribute('src');
  }

  // One cell is in the order of Tab, arrow keys do the rest: the last one used, or the first in sight.
  chooseTabStop(first, last, top) {
    if (this.current < first || this.current >= last) this.current = top;
    for (const [index, cell] of this.cells) cell.tabIndex = index === this.current ? 0 : -1;
    const item = this.item(top);
    if (this.onTop && item) this.onTop(item);
  }

  focus(index) {
    this.current = index;
    const y = Math.floor(index / this.columns) * this.step;
    const top = this.node.getBoundingClientRect().top;
    if (y + top < 70 || y + top + this.step > window.innerHeight) window.scrollBy(0, y + top - window.innerHeight / 3);
    this.draw();
    this.cells.get(index)?.focus({ preventScroll: true });
  }

  onKey(event) {
    const page = this.columns * Math.max(1, Math.floor(window.innerHeight / this.step) - 1);
    const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns, PageDown: page, PageUp: -page,
      Home: -Infinity, End: Infinity };
    const index = Number(event.target.dataset.index);
    if (!(event.key in moves) || Number.isNaN(index) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.focus(Math.min(this.total - 1, Math.max(0, index + moves[event.key])));
  }

  onClick(event) {
    const cell = event.target.closest('a');
    if (!cell || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    this.current = Number(cell.dataset.index);
    if (cell.shown) this.open(this.current);
  }
}
