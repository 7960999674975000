// A text field that finds persons while one types (the combobox pattern of the ARIA authoring practices).

import { element } from './dom.js';
import { persons } from './persons.js';

const MAX_SHOWN = 8;
let last = 0;

// Those whose name, or a later word of it, begins with the text; then those that contain it.
function matching(all, text) {
  const wanted = text.toLocaleLowerCase();
  const begins = (name) => name.startsWith(wanted) || name.includes(` ${wanted}`);
  const names = all.map((person) => ({ person, name: person.name.toLocaleLowerCase() }));
  return [...names.filter(({ name }) => begins(name)), ...names.filter(({ name }) => !begins(name) && name.includes(wanted))]
    .slice(0, MAX_SHOWN).map(({ person }) => person);
}

// use({ id, name } or, where mayBeNew, { name }) is called for a choice. except: the id of a person not to offer.
export function choosePerson({ label, mayBeNew = false, except = null, use, placeholder = '' }) {
  const listId = `persons-${++last}`;
  const list = element('ul', { id: listId, role: 'listbox', 'aria-label': label, hidden: true });
  const input = element('input', { type: 'text', role: 'combobox', 'aria-label': label, 'aria-controls': listId,
    'aria-expanded': 'false', 'aria-autocomplete': 'list', autocomplete: 'off', placeholder, maxlength: 255 });
  let options = [];
  let active = -1;

  const close = () => {
    list.hidden = true;
    input.setAttribute('aria-expanded', 'false');
    input.removeAttribute('aria-activedescendant');
    active = -1;
  };
  const pick = (option) => {
    close();
    input.value = '';
    use(option.id ? { id: option.id, name: option.name } : { name: option.name });
  };
  const mark = (index) => {
    active = index;
    [...list.children].forEach((node, i) => node.setAttribute('aria-selected', String(i === index)));
    if (index >= 0) input.setAttribute('aria-activedescendant', list.children[index].id);
    else input.removeAttribute('aria-activedescendant');
  };
  const open = async () => {
    const text = input.value.trim();
    let all = [];
    try {
      all = (await persons()).filter((person) => person.id !== except);
    } catch { /* without the list a new name can still be given */ }
    if (text !== input.value.trim() || document.activeElement !== input) return;
    options = matching(all, text).map(({ id, name }) => ({ id, name, shown: name }));
    const isKnown = all.some((person) => person.name.toLocaleLowerCase() === text.toLocaleLowerCase());
    if (mayBeNew && text && !isKnown) options.push({ name: text, shown: `New person: ${text}` });
    list.replaceChildren(...options.map((option, i) => element('li', { role: 'option', id: `${listId}-${i}`,
      'aria-selected': 'false', onpointerdown: (event) => {
        event.preventDefault();
        pick(option);
      } }, option.shown)));
    list.hidden = options.length === 0;
    input.setAttribute('aria-expanded', String(options.length > 0));
    mark(text && options.length ? 0 : -1);
  };

  input.addEventListener('input', open);
  input.addEventListener('focus', open);
  input.addEventListener('blur', close);
  input.addEventListener('keydown', (event) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      const step = event.key === 'ArrowDown' ? 1 : -1;
      if (options.length) mark((active + step + options.length) % options.length);
    } else if (event.key === 'Enter') {
      event.preventDefault();
      if (active >= 0) pick(options[active]);
    } else if (event.key === 'Escape' && !list.hidden) {
      event.preventDefault();
      event.stopPropagation();
      close();
    }
    if (event.key.startsWith('Arrow')) event.stopPropagation(); // not a step to the next photo
  });
  return element('div', { class: 'choose' }, input, list);
}
