// The token is asked for once; the server then knows this browser by a cookie.

import { element } from './dom.js';

let waiting = null;

function form(done) {
  const problem = element('p', { class: 'bad', role: 'alert' });
  const token = element('input', { name: 'token', type: 'password', required: true, autocomplete: 'current-password' });
  const submit = async (event) => {
    event.preventDefault();
    const response = await fetch('/api/v1/login', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ token: token.value }),
    });
    if (response.ok) done();
    else problem.textContent = 'This is not the token. It stands where the server was started (IMS_TOKEN).';
  };
  return element('form', { class: 'login', onsubmit: submit },
    element('h1', { id: 'login-title' }, 'This library is locked'),
    element('label', {}, 'Token', token), problem,
    element('button', { class: 'main' }, 'Open'));
}

// Resolves once the server has taken a token. Pictures that were refused before are fetched by loading the page anew.
export function logIn() {
  waiting ||= new Promise(() => {
    const dialog = document.getElementById('login');
    dialog.addEventListener('cancel', (event) => event.preventDefault());
    dialog.replaceChildren(form(() => location.reload()));
    dialog.showModal();
  });
  return waiting;
}
