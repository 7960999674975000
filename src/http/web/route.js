// The address: "#/page/argument?name=value". Every state of a page that is worth keeping is in it.

export function read() {
  const [path, rest] = location.hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  const [page, ...args] = path.split('/').map(decodeURIComponent);
  return { page: page || 'search', args, params: new URLSearchParams(rest || '') };
}

export function href(page, args = [], values = {}) {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && value !== undefined && value !== '') params.set(name, value);
  }
  const text = params.toString();
  return `#/${[page, ...args.map(encodeURIComponent)].join('/')}${text ? `?${text}` : ''}`;
}

let listener = () => {};

export function listen(f) {
  listener = f;
  window.addEventListener('hashchange', () => f(read()));
  f(read());
}

// Goes to an address of this page; replace: without a step that the back button would take.
export function go(address, { replace = false } = {}) {
  if (address === location.hash) return;
  if (replace) history.replaceState(history.state, '', address);
  else history.pushState(null, '', address);
  listener(read());
}
