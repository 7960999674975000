// The faces of a photo: boxes on it, names beside it, and a small panel to say who somebody is.

import { get } from './api.js';
import { choosePerson } from './choose.js';
import { button, complain, element, guarded, percent } from './dom.js';
import { faceThumbnail, nameFace, rejectFace, unnameFace } from './persons.js';
import { href } from './route.js';

export class FaceLayer {
  // stage: the element that has the photo's shape; list: where the names go
  constructor(asset, stage, list) {
    Object.assign(this, { asset, stage, list });
    this.layer = element('div', { class: 'boxes' });
    stage.append(this.layer);
  }

  async load() {
    try {
      const found = await get(`/api/v1/faces/assets/${this.asset.id}`);
      if (!this.stage.isConnected) return;
      this.draw(found.items.sort((a, b) => a.bbox.x - b.bbox.x));
    } catch (error) {
      complain(error);
    }
  }

  title(face, i) {
    return face.personName || `Unnamed face ${i + 1}`;
  }

  draw(faces) {
    this.faces = faces;
    this.closeNamer();
    this.boxes = faces.map((face, i) => this.box(face, i));
    this.layer.replaceChildren(...this.boxes);
    this.list.replaceChildren(...(faces.length ? [element('h2', {}, 'People'), element('ul', {}, faces.map((face, i) => this.row(face, i)))] : []));
  }

  box(face, i) {
    const { width, height } = this.asset;
    const node = element('button', { type: 'button', class: face.personId ? 'box' : 'box unnamed', 'aria-label': this.title(face, i),
      onclick: () => this.openNamer(i) }, element('span', {}, face.personName || '?'));
    node.style.left = `${(face.bbox.x / width) * 100}%`;
    node.style.top = `${(face.bbox.y / height) * 100}%`;
    node.style.width = `${(face.bbox.width / width) * 100}%`;
    node.style.height = `${(face.bbox.height / height) * 100}%`;
    return node;
  }

  row(face, i) {
    const mark = (isMarked) => () => this.boxes[i].classList.toggle('marked', isMarked);
    return element('li', { onpointerenter: mark(true), onpointerleave: mark(false) },
      element('img', { src: faceThumbnail(face.id), alt: '', loading: 'lazy' }),
      face.personId ? element('a', { href: href('people', ['person', face.personId]) }, face.personName) : element('span', {}, this.title(face, i)),
      button(face.personId ? 'Change' : 'Name', () => this.openNamer(i), { 'aria-label': `${face.personId ? 'Change' : 'Name'}: ${this.title(face, i)}` }));
  }

  // ---- who is it ----

  openNamer(i) {
    this.closeNamer();
    const face = this.faces[i];
    const reload = () => this.load();
    const name = guarded((who) => nameFace(face.id, who, reload));
    const ideas = element('div', { class: 'bar' });
    this.namer = element('div', { class: 'namer', role: 'dialog', 'aria-label': `Who is this? ${this.title(face, i)}` },
      element('p', {}, face.personName ? `${face.personName}?` : 'Who is this?'),
      choosePerson({ label: 'Name', mayBeNew: true, placeholder: 'a name', except: face.personId, use: name }),
      ideas,
      element('div', { class: 'bar' },
        face.personId ? button(`Not ${face.personName}`, guarded(() => rejectFace(face.id, face.personId, face.personName, reload)),
          { title: 'and never suggest it for this face again' }) : null,
        face.personId ? button('Take the name away', guarded(() => unnameFace(face.id, reload))) : null,
        button('Cancel', () => this.closeNamer())));
    this.namer.dataset.face = i;
    this.stage.append(this.namer);
    this.place(face);
    this.namer.querySelector('input').focus();
    if (!face.personId) this.suggest(face, ideas, name);
  }

  // Below the box, or above it where there is more room; sideways within the photo.
  place(face) {
    const { width, height } = this.asset;
    const below = (face.bbox.y + face.bbox.height) / height;
    const left = Math.min(face.bbox.x / width, 0.6);
    this.namer.style.left = `${left * 100}%`;
    if (below < 0.6) this.namer.style.top = `${below * 100}%`;
    else this.namer.style.bottom = `${(1 - face.bbox.y / height) * 100}%`;
  }

  async suggest(face, ideas, name) {
    try {
      const found = await get(`/api/v1/faces/faces/${face.id}/suggestions?min_confidence=0.5&limit=3`);
      ideas.replaceChildren(...found.suggestions.map((one) =>
        button(`${one.personName} ${percent(one.confidence)}`, () => name({ id: one.personId, name: one.personName }))));
    } catch { /* a face without a vector is like nobody */ }
  }

  // True when there was one to close; its box gets the focus.
  closeNamer() {
    if (!this.namer) return false;
    const i = Number(this.namer.dataset.face);
    const hadFocus = this.namer.contains(document.activeElement);
    this.namer.remove();
    this.namer = null;
    if (hadFocus) this.boxes[i]?.focus();
    return true;
  }
}
