// Pictures to search by: dropped or pasted anywhere, chosen from the disk, or taken from the library.

import { notice } from './dom.js';

const pictures = new Map(); // number in the address -> { number, file, url }
let last = 0;

export const pictureOf = (number) => pictures.get(Number(number));

export function keepPicture(file) {
  const picture = { number: ++last, file, url: URL.createObjectURL(file) };
  pictures.set(picture.number, picture);
  return picture;
}

// A photo of the library as a file to send along.
export async function fetchPicture(id, signal) {
  const response = await fetch(`/api/v1/images/${id}/preview?size=800`, { signal });
  if (!response.ok) throw new Error('This photo cannot be read.');
  return new File([await response.blob()], `photo-${id}.jpg`, { type: 'image/jpeg' });
}

function take(files, use) {
  const file = [...files].find((one) => one.type.startsWith('image/'));
  if (file) use(keepPicture(file));
  else notice('That is no picture.', { isBad: true });
}

// use(picture) is called for each picture that is dropped or pasted.
export function catchPictures(use) {
  const carriesFiles = (event) => [...event.dataTransfer.types].includes('Files');
  document.addEventListener('dragover', (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    document.body.classList.add('dropping');
  });
  document.addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) document.body.classList.remove('dropping');
  });
  document.addEventListener('drop', (event) => {
    document.body.classList.remove('dropping');
    if (!carriesFiles(event)) return;
    event.preventDefault();
    take(event.dataTransfer.files, use);
  });
  document.addEventListener('paste', (event) => {
    if (event.clipboardData.files.length) take(event.clipboardData.files, use);
  });
}
