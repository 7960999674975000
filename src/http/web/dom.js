// Small helpers for building pages without a framework.

// element('a', { href: '#', onclick: f }, 'text', child, ...)
export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export function notice(text, isBad = false) {
  const node = document.getElementById('notice');
  node.textContent = text;
  node.classList.toggle('bad', isBad);
}

// Runs f after the last call of a burst.
export function debounce(f, ms) {
  let timer;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => f(...args), ms);
  };
}

export const number = (n) => n.toLocaleString('en');

// Calls f now and every ms until the returned function is called.
export function every(ms, f) {
  let stopped = false;
  const run = async () => {
    if (stopped) return;
    await f();
    if (!stopped) setTimeout(run, ms);
  };
  run();
  return () => { stopped = true; };
}
