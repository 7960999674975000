// What can be changed while the service runs, and how the page looks.

import { get, post, put } from './api.js';
import { button, complain, element, guarded, notice } from './dom.js';
import { look, rememberLogin, setLook, sizes, themes, wasLoggedIn } from './looks.js';

function looks() {
  const choice = (name, values, label) => element('fieldset', { class: 'choice' }, element('legend', {}, label),
    values.map((value) => element('label', {}, element('input', { type: 'radio', name, value, checked: look(name) === value,
      onchange: () => setLook(name, value) }), ` ${value}`)));
  return element('section', {}, element('h2', {}, 'Looks'), choice('theme', themes, 'Theme'), choice('size', sizes, 'Size of photos'));
}

// fields: { name: { label, hint, min, max, step, options } }; shows and stores one resource.
function form(title, about, path, fields) {
  const inputs = {};
  const rows = Object.entries(fields).map(([name, field]) => {
    inputs[name] = field.options
      ? element('select', { name }, field.options.map(([value, text]) => element('option', { value }, text)))
      : element('input', { name, type: 'number', required: true, min: field.min, max: field.max, step: field.step || 1 });
    if (!field.hint) return element('label', {}, field.label, inputs[name]);
    inputs[name].setAttribute('aria-describedby', `about-${name}`);
    return element('div', { class: 'explained' }, element('label', {}, field.label, inputs[name]),
      element('p', { id: `about-${name}`, class: 'quiet' }, field.hint));
  });
  const save = guarded(async (event) => {
    event.preventDefault();
    const read = ([name, input]) => [name, input.type === 'number' ? Number(input.value) : input.value];
    fill(await put(path, Object.fromEntries(Object.entries(inputs).map(read))));
    notice(`${title}: saved.`);
  });
  const node = element('form', { onsubmit: save }, element('div', { class: 'fields' }, rows),
    element('button', { class: 'main', disabled: true, 'aria-label': `Save: ${title}` }, 'Save'));
  const fill = (values) => {
    for (const [name, input] of Object.entries(inputs)) if (values[name] !== null) input.value = values[name];
    node.querySelector('button').disabled = false;
  };
  get(path).then(fill).catch(complain);
  return element('section', {}, element('h2', {}, title), element('p', { class: 'quiet' }, about), node);
}

const matching = () => form('Recognising people', 'How alike two faces must be: 0 is nothing in common, 1 the same picture.', '/api/v1/config/face-matching', {
  auto_assign_threshold: { label: 'Give a name without asking from', hint: 'Lower names more faces, and more of them wrongly.', min: 0.5, max: 1, step: 0.01 },
  suggestion_threshold: { label: 'Suggest a name from', hint: 'Below what is named without asking.', min: 0.3, max: 0.95, step: 0.01 },
  max_suggestions: { label: 'Suggestions for one person', hint: 'At most, in one go.', min: 1, max: 200 },
  suggestion_expiry_days: { label: 'Days to keep a suggestion', hint: 'That nobody answers.', min: 1, max: 365 },
  prototype_min_quality: { label: 'Least quality to learn from', hint: 'From 0 to 1: sharp, large, turned to the camera.', min: 0, max: 1, step: 0.01 },
  prototype_max_exemplars: { label: 'Faces to know a person by', hint: 'New faces are compared with these.', min: 1, max: 20 },
  post_training_suggestions_mode: { label: 'After indexing, suggest for', options: [['all', 'everybody'], ['top_n', 'those with most faces']] },
  post_training_suggestions_top_n_count: { label: 'How many of those', hint: 'Only for "those with most faces".', min: 1, max: 100 },
});

const suggesting = () => form('Reviewing suggestions', 'How much is shown at a time.', '/api/v1/config/face-suggestions', {
  groupsPerPage: { label: 'People on a page', min: 1, max: 50 },
  itemsPerGroup: { label: 'Faces of each', min: 1, max: 50 },
});

const clustering = () => form('Groups of unnamed faces', 'Which groups the page People shows.', '/api/v1/config/face-clustering-unknown', {
  minConfidence: { label: 'Least likeness within a group', hint: 'From 0 to 1; higher shows fewer, surer groups.', min: 0, max: 1, step: 0.01 },
  minClusterSize: { label: 'Fewest faces of a group', min: 1, max: 100 },
});

function watching() {
  const out = element('div', {});
  const draw = (status) => {
    const act = (what) => guarded(async () => draw(await post(`/api/v1/system/watcher/${what}`)));
    out.replaceChildren(
      element('p', {}, status.running ? `New photos are indexed as they appear below ${status.watch_paths.join(', ') || 'the folders of the library'}.`
        : 'New photos are indexed when you say so.'),
      button(status.running ? 'Stop watching' : 'Watch the folders', act(status.running ? 'stop' : 'start')));
  };
  get('/api/v1/system/watcher/status').then(draw).catch(complain);
  return element('section', {}, element('h2', {}, 'New photos'), out);
}

function session() {
  if (!wasLoggedIn()) return null; // there is nothing to be locked
  const leave = guarded(async () => {
    await post('/api/v1/logout');
    rememberLogin(false);
    location.reload();
  });
  return element('section', {}, element('h2', {}, 'This browser'),
    element('p', { class: 'quiet' }, 'It was let in with the token of the library, for a while.'),
    button('Lock it again', leave));
}

export function settingsPage(main) {
  main.replaceChildren(element('h1', {}, 'Settings'),
    element('div', { class: 'panels' }, [looks(), watching(), matching(), suggesting(), clustering(), session()].filter(Boolean)));
  return { update: () => {}, close: () => {} };
}
