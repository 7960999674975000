// The token is asked for once; the server then knows this browser by a cookie.

import { element } from './dom.js';
import { rememberLogin } from './looks.js';

let waiting = null;

function form(done) {
  const problem = element('p', { class: 'bad', role: 'alert' });
  const token = element('input', { name: 'token', type: 'password', required: true, autocomplete: 'current-password' });
  const submit = async (event) => {
    event.preventDefault();
    problem.textContent = '';
    try {
      const response = await fetch('/api/v1/login', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ token: token.value }),
      });
      if (response.ok) done();
      else problem.textContent = response.status === 401 ? 'This is not the token.' : `The server answered ${response.status}; try again.`;
    } catch {
      problem.textContent = 'The server does not answer. Is imgsearch serve running?';
    }
  };
  return element('form', { class: 'login', onsubmit: submit },
    element('h1', { id: 'login-title' }, 'This library is locked'),
    element('p', { class: 'quiet' }, 'Its token is what IMS_TOKEN was set to where the server was started.'),
    element('label', {}, 'Token', token), problem,
    element('button', { class: 'main' }, 'Open'));
}

// Resolves once the server has taken a token. Pictures that were refused before are fetched by loading the page anew.
export function logIn() {
  waiting ||= new Promise(() => {
    const dialog = document.getElementById('login');
    dialog.addEventListener('cancel', (event) => event.preventDefault());
    dialog.replaceChildren(form(() => {
      rememberLogin(true);
      location.reload();
    }));
    dialog.showModal();
  });
  return waiting;
}
