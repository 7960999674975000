// Which page the address names; what works on all pages.

import { complain, notice } from './dom.js';
import { healthPage } from './health.js';
import { indexingPage } from './indexing.js';
import { peoplePage } from './people.js';
import { go, href, listen } from './route.js';
import { searchPage } from './search.js';
import { applyLooks } from './looks.js';
import { settingsPage } from './settings.js';
import { catchPictures } from './picture.js';

const pages = { search: searchPage, people: peoplePage, indexing: indexingPage, health: healthPage, settings: settingsPage };
const titles = { search: 'Search', people: 'People', indexing: 'Indexing', health: 'Health', settings: 'Settings' };
const main = document.getElementById('main');
let shown = null; // { name, update(route), close() }

// A page is a function (main, route) -> { update(route), close() }; update is for another state of the same page.
function show(route) {
  const name = route.page in pages ? route.page : 'search';
  if (shown?.name === name) {
    shown.update(route);
    return;
  }
  shown?.close();
  notice('');
  document.title = `${titles[name]} - imgsearch`;
  for (const link of document.querySelectorAll('nav a')) {
    if (link.dataset.page === name) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  window.scrollTo(0, 0);
  shown = { name, ...pages[name](main, route) };
}

document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
window.addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.ctrlKey || event.metaKey || document.querySelector('dialog[open]')
      || /INPUT|SELECT|TEXTAREA/.test(document.activeElement.tagName)) return;
  event.preventDefault();
  if (shown.name !== 'search') go(href('search'));
  document.querySelector('input[name=words]').focus();
});
window.addEventListener('unhandledrejection', (event) => {
  event.preventDefault();
  complain(event.reason);
});
applyLooks();
catchPictures((picture) => go(href('search', [], { picture: picture.number })));
listen(show);
