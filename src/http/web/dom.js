// Small helpers for building pages without a framework.

// element('a', { href: '#', onclick: f }, 'text', child, ...); children may be null, arrays, or nodes
export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

export const button = (label, onclick, attributes = {}) =>
  element('button', { type: 'button', onclick, ...attributes }, label);

const line = document.getElementById('notice');
let fading = null;

// What is outside an open dialog can neither be pressed nor is it read out.
export function hostNotice() {
  const host = document.querySelector('dialog[open]') || document.body;
  if (line.parentElement !== host) host.append(line);
}

// One line at the foot of the page, read out by screen readers. action: { label, run } is a button beside it.
export function notice(text, { isBad = false, action = null } = {}) {
  const hide = () => line.replaceChildren();
  clearTimeout(fading);
  hostNotice();
  line.classList.toggle('bad', isBad);
  line.replaceChildren(...(text ? [text] : []));
  if (action) {
    line.append(' ', button(action.label, async () => {
      hide();
      await action.run();
    }));
  }
  if (text && !isBad) fading = setTimeout(hide, 12000);
}

export const complain = (error) => {
  if (error.name !== 'AbortError') notice(error.message, { isBad: true });
};

// An event handler whose failure is told instead of lost.
export const guarded = (f) => async (...args) => {
  try {
    await f(...args);
  } catch (error) {
    complain(error);
  }
};

// Runs f after the last call of a burst.
export function debounce(f, ms) {
  let timer;
  const later = (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => f(...args), ms);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}

export const number = (n) => n.toLocaleString('en');
export const plural = (n, one, many = `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;
export const percent = (x) => `${Math.round(x * 100)} %`;
export const day = (text) => (text ? new Date(text).toLocaleDateString() : '');
export const moment = (text) => (text ? new Date(text).toLocaleString() : '');

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return '';
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

// Calls f now and every ms until the returned function is called. A failure is told once, until it is over.
export function every(ms, f) {
  let stopped = false;
  let failing = false;
  const run = async () => {
    try {
      if (!document.hidden) await f();
      if (failing) notice('');
      failing = false;
    } catch (error) {
      if (!failing && !stopped) complain(error);
      failing = true;
    }
    if (!stopped) setTimeout(run, ms);
  };
  run();
  return () => { stopped = true; };
}

// What stands on a page before its data is there, and when there is none.
export const quiet = (text) => element('p', { class: 'quiet' }, text);

// In the place of what is not there: what that means and what can be done about it.
export const blank = (title, text, ...actions) => element('div', { class: 'blank' },
  element('h2', {}, title), text ? element('p', {}, text) : null, actions.length ? element('div', { class: 'bar' }, actions) : null);

// In the place of what could not be fetched: why, and another try.
export function failure(error, again) {
  const node = blank(error.status === 0 ? 'No answer' : 'That did not work', error.message, button('Try again', again, { class: 'main' }));
  node.setAttribute('role', 'alert');
  return node;
}

// At most so much of a text that somebody wrote.
export const shortened = (text, most) => (text.length > most ? `${text.slice(0, most - 1).trimEnd()}…` : text);

export const table = (names, rows, empty) => element('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': names.join(', ') },
  element('table', {},
    element('thead', {}, element('tr', {}, names.map((name) => element('th', { scope: 'col' }, name)))),
    element('tbody', {}, rows.length
      ? rows.map((row) => element('tr', {}, row.map((cell) => element('td', {}, cell))))
      : element('tr', {}, element('td', { colspan: names.length }, empty)))));
