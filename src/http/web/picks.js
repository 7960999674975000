// A list of small pictures, some of which can be chosen, with what can be done to the chosen ones below it.

import { button, element, guarded, plural } from './dom.js';

// items: [{ id, src, label, link, text }]: link leads elsewhere and says text; actions(ids) -> nodes, shown while
// something is chosen
export function picks({ items, noun, actions }) {
  const chosen = new Set();
  const count = element('span', {});
  const bar = element('div', { class: 'bar sticky', hidden: true });
  const boxes = [];
  const changed = () => {
    bar.hidden = chosen.size === 0;
    count.textContent = `${plural(chosen.size, noun)} chosen`;
  };
  const all = (isChosen) => () => {
    for (const box of boxes) {
      if (box.checked !== isChosen) box.click();
    }
  };
  const list = element('ul', { class: 'picks' }, items.map((item) => {
    const box = element('input', { type: 'checkbox', 'aria-label': `Choose ${item.label}`, onchange: (event) => {
      if (event.target.checked) chosen.add(item.id);
      else chosen.delete(item.id);
      changed();
    } });
    boxes.push(box);
    return element('li', {}, element('label', {}, box, element('img', { class: 'crop', src: item.src, alt: '', loading: 'lazy' })),
      item.link ? element('a', { href: item.link, 'aria-label': `${item.text} of ${item.label}` }, item.text) : null);
  }));
  bar.append(count, button('All', all(true)), button('None', all(false)), ...actions(() => [...chosen]));
  return [list, bar];
}

export const act = (label, f, attributes) => button(label, guarded(f), attributes);
