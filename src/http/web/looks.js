// How the page looks, chosen by the user and kept by the browser: theme and size of the pictures.

const keep = (name, value) => {
  try {
    localStorage.setItem(`imgsearch.${name}`, value);
  } catch { /* a browser that keeps nothing: the choice lasts as long as the page */ }
};
const kept = (name) => {
  try {
    return localStorage.getItem(`imgsearch.${name}`);
  } catch {
    return null;
  }
};

export const themes = ['system', 'light', 'dark'];
export const sizes = ['small', 'medium', 'large'];
const chosen = { theme: kept('theme') || 'system', size: kept('size') || 'medium' };

// Whether this browser showed a token: only then can it be locked out again.
export const rememberLogin = (isIn) => keep('login', isIn ? 'yes' : '');
export const wasLoggedIn = () => kept('login') === 'yes';

export const look = (name) => chosen[name];

export function applyLooks() {
  document.documentElement.dataset.theme = chosen.theme;
  document.documentElement.dataset.size = chosen.size;
}

export function setLook(name, value) {
  chosen[name] = value;
  keep(name, value);
  applyLooks();
  window.dispatchEvent(new Event('resize')); // the grid measures its cells anew
}
