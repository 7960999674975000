// One photo as large as the window, with the faces on it and what is known about it.

import { get } from './api.js';
import { button, complain, element, hostNotice, moment, quiet } from './dom.js';
import { FaceLayer } from './faces.js';
import { areaAround, coordinates } from './filters.js';
import { href } from './route.js';

const SWIPE_PX = 50;
const preview = (id) => `/api/v1/images/${id}/preview?size=1600`;

const fact = (name, ...value) => (value.some(Boolean) ? [element('dt', {}, name), element('dd', {}, ...value)] : []);
const link = (text, values) => element('a', { href: href('search', [], values) }, text);

function facts(asset) {
  const folder = asset.path.slice(0, asset.path.lastIndexOf('/'));
  const camera = [asset.camera?.make, asset.camera?.model].filter(Boolean).join(' ');
  const day = asset.takenAt?.slice(0, 10);
  return element('dl', {},
    fact('File', asset.filename),
    fact('Folder', link(folder, { folder })),
    fact('Taken', day ? link(moment(asset.takenAt), { from: day, to: day }) : ''),
    fact('Size', asset.width ? `${asset.width} × ${asset.height}` : ''),
    fact('Camera', camera),
    fact('Place', asset.location ? link(coordinates(asset.location), { area: areaAround(asset.location, 5) }) : ''));
}

export class PhotoView {
  // leave() is called when the user closes it
  constructor({ leave }) {
    this.dialog = document.getElementById('photo');
    this.leave = leave;
    this.onKey = (event) => this.takeKey(event);
    this.onCancel = (event) => {
      event.preventDefault();
      if (!this.faces?.closeNamer()) this.leave();
    };
    this.frame = element('div', { class: 'photo' });
    this.dialog.append(this.frame);
    this.dialog.addEventListener('keydown', this.onKey);
    this.dialog.addEventListener('cancel', this.onCancel);
  }

  get isOpen() {
    return this.dialog.open;
  }

  // around: { next, previous (functions or null), near (ids to fetch ahead), where (its place among the results) }
  async show(id, around) {
    this.around = around;
    if (this.id === id && this.isOpen) {
      this.drawBar();
      return;
    }
    this.id = id;
    try {
      const asset = await get(`/api/v1/assets/${id}`);
      if (this.id !== id) return;
      this.draw(asset);
      this.faces.load();
      for (const near of around.near) if (near) new Image().src = preview(near);
    } catch (error) {
      if (this.id !== id) return;
      this.id = null;
      complain(error.status === 404 ? new Error('This photo is not in the library, or not any more.') : error);
    }
  }

  draw(asset) {
    const hadFocus = this.dialog.contains(document.activeElement);
    const stage = element('div', { class: 'stage' });
    const list = element('div', { class: 'faces' });
    stage.style.setProperty('--ratio', asset.width && asset.height ? asset.width / asset.height : 1.5);
    stage.style.setProperty('--width', `${asset.width || 100000}px`);
    stage.append(asset.indexedAt ? this.picture(asset, stage) : quiet('This file was not indexed: it waits, or it is damaged.'));
    this.faces = new FaceLayer(asset, stage, list);
    this.bar = element('div', { class: 'bar' });
    const figure = element('figure', {}, stage);
    this.catchSwipes(figure);
    this.asset = asset;
    this.frame.replaceChildren(figure, element('aside', { 'aria-label': 'About this photo' }, this.bar, list, facts(asset),
      element('p', {}, element('a', { href: asset.url, target: '_blank', rel: 'noopener' }, 'The original file'))));
    this.drawBar();
    if (!this.dialog.open) {
      this.dialog.showModal();
      hostNotice();
    } else if (hadFocus && !this.dialog.contains(document.activeElement)) this.bar.firstChild.focus();
  }

  // The thumbnail until the preview is there.
  picture(asset, stage) {
    const picture = element('img', { src: preview(asset.id), alt: asset.filename, draggable: false });
    stage.style.backgroundImage = `url(${asset.thumbnailUrl})`;
    picture.addEventListener('load', () => { stage.style.backgroundImage = ''; });
    picture.addEventListener('error', () => picture.replaceWith(quiet('This file cannot be read; it may be gone.')));
    return picture;
  }

  drawBar() {
    const { next, previous, where } = this.around;
    const focused = document.activeElement?.dataset?.name;
    const make = (name, label, f) => button(label, f, { 'data-name': name, disabled: !f });
    this.bar.replaceChildren(
      make('close', 'Close', () => this.leave()),
      make('previous', '‹ Previous', previous),
      make('next', 'Next ›', next),
      element('span', { class: 'quiet' }, where),
      this.asset.indexedAt ? element('a', { class: 'button', href: href('search', [], { like: this.id }) }, 'More like this') : '');
    if (focused) this.bar.querySelector(`[data-name=${focused}]`)?.focus();
  }

  takeKey(event) {
    if (/INPUT|SELECT|TEXTAREA/.test(event.target.tagName) || event.altKey || event.ctrlKey || event.metaKey) return;
    const step = { ArrowRight: this.around.next, ArrowLeft: this.around.previous }[event.key];
    if (step) {
      event.preventDefault();
      step();
    }
    if (event.key === 'f') this.dialog.classList.toggle('bare'); // the photo without boxes
  }

  catchSwipes(figure) {
    let start = null;
    figure.addEventListener('touchstart', (event) => {
      start = event.touches.length === 1 ? event.touches[0] : null;
    }, { passive: true });
    figure.addEventListener('touchend', (event) => {
      if (!start) return;
      const dx = event.changedTouches[0].clientX - start.clientX;
      const dy = event.changedTouches[0].clientY - start.clientY;
      start = null;
      if (Math.abs(dx) > SWIPE_PX && Math.abs(dx) > 2 * Math.abs(dy)) (dx < 0 ? this.around.next : this.around.previous)?.();
      else if (dy > 2 * SWIPE_PX && dy > 2 * Math.abs(dx)) this.leave();
    }, { passive: true });
  }

  close() {
    this.id = null;
    if (this.dialog.open) this.dialog.close();
    hostNotice();
    this.frame.replaceChildren();
  }

  dispose() {
    this.close();
    this.frame.remove();
    this.dialog.removeEventListener('keydown', this.onKey);
    this.dialog.removeEventListener('cancel', this.onCancel);
  }
}
