// Which page the address names.

import { healthPage } from './health.js';
import { indexingPage } from './indexing.js';
import { searchPage } from './search.js';

const main = document.getElementById('main');
let leave = null;

function show() {
  const [page, argument] = location.hash.replace(/^#\//, '').split('/');
  leave?.();
  document.getElementById('photo').close();
  const name = { similar: 'search', photo: 'search', indexing: 'indexing', health: 'health' }[page] || 'search';
  for (const link of document.querySelectorAll('nav a')) {
    if (link.dataset.page === name) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  if (name === 'indexing') leave = indexingPage(main);
  else if (name === 'health') leave = healthPage(main);
  else leave = searchPage(main, page === 'similar' ? argument : null);
}

window.addEventListener('hashchange', show);
window.addEventListener('keydown', (event) => {
  if (event.key === '/' && !/INPUT|SELECT|TEXTAREA/.test(document.activeElement.tagName)) {
    event.preventDefault();
    document.querySelector('input[name=words]')?.focus();
  }
});
show();
