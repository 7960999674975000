// One photo in full, with what is known about it.

import { get } from './api.js';
import { element, notice } from './dom.js';

const dialog = () => document.getElementById('photo');

function fact(name, value) {
  return value ? [element('dt', {}, name), element('dd', {}, value)] : [];
}

function facts(asset) {
  const camera = asset.camera ? [asset.camera.make, asset.camera.model].filter(Boolean).join(' ') : '';
  const place = asset.location ? `${asset.location.lat.toFixed(5)}, ${asset.location.lng.toFixed(5)}` : '';
  return element('dl', {},
    ...fact('File', asset.path),
    ...fact('Taken', asset.takenAt ? new Date(asset.takenAt).toLocaleString() : ''),
    ...fact('Size', asset.width ? `${asset.width} x ${asset.height}` : ''),
    ...fact('Camera', camera),
    ...fact('Place', place));
}

// actions: { next, previous, similar(id) }; next and previous may be missing
export async function showPhoto(id, actions) {
  let asset;
  try {
    asset = await get(`/api/v1/assets/${id}`);
  } catch (error) {
    notice(error.message, true);
    return;
  }
  const button = (label, f) => (f ? element('button', { type: 'button', onclick: f }, label) : null);
  dialog().replaceChildren(element('div', { class: 'photo' },
    element('figure', {}, element('img', { src: asset.url, alt: asset.filename })),
    element('aside', {},
      element('div', { class: 'bar' },
        button('Close', () => dialog().close()),
        button('Previous', actions.previous),
        button('Next', actions.next),
        button('More like this', () => {
          dialog().close();
          actions.similar(id);
        })),
      facts(asset))));
  dialog().onkeydown = (event) => {
    if (event.key === 'ArrowRight' && actions.next) actions.next();
    if (event.key === 'ArrowLeft' && actions.previous) actions.previous();
  };
  if (!dialog().open) dialog().showModal();
}
