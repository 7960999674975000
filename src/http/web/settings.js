// What can be changed while the service runs, and how the page looks.

import { get, post, put } from './api.js';
import { button, complain, element, guarded, notice } from './dom.js';
import { look, setLook, sizes, themes } from './looks.js';

function looks() {
  const choice = (name, values, label) => element('fieldset', { class: 'choice' }, element('legend', {}, label),
    values.map((value) => element('label', {}, element('input', { type: 'radio', name, value, checked: look(name) === value,
      onchange: () => setLook(name, value) }), ` ${value}`)));
  return element('section', {}, element('h2', {}, 'Looks'), choice('theme', themes, 'Theme'), choice('size', sizes, 'Size of photos'));
}

// fields: { name: { label, type, min, max, step, options } }; shows and stores one resource.
function form(title, path, fields) {
  const inputs = {};
  const rows = Object.entries(fields).map(([name, field]) => {
    inputs[name] = field.options
      ? element('select', { name }, field.options.map(([value, text]) => element('option', { value }, text)))
      : element('input', { name, type: 'number', required: true, min: field.min, max: field.max, step: field.step || 1 });
    return element('label', {}, field.label, inputs[name]);
  });
  const save = guarded(async (event) => {
    event.preventDefault();
    const read = ([name, input]) => [name, input.type === 'number' ? Number(input.value) : input.value];
    fill(await put(path, Object.fromEntries(Object.entries(inputs).map(read))));
    notice(`${title}: kept.`);
  });
  const node = element('form', { class: 'fields', onsubmit: save }, rows, element('button', { class: 'main', disabled: true }, 'Keep'));
  const fill = (values) => {
    for (const [name, input] of Object.entries(inputs)) if (values[name] !== null) input.value = values[name];
    node.querySelector('button').disabled = false;
  };
  get(path).then(fill).catch(complain);
  return element('section', {}, element('h2', {}, title), node);
}

const matching = () => form('Recognising people', '/api/v1/config/face-matching', { // similarities: 1 is the same face
  auto_assign_threshold: { label: 'Name without asking from', min: 0.5, max: 1, step: 0.01 },
  suggestion_threshold: { label: 'Suggest a name from', min: 0.3, max: 0.95, step: 0.01 },
  max_suggestions: { label: 'Suggestions for a person', min: 1, max: 200 },
  suggestion_expiry_days: { label: 'Forget suggestions after days', min: 1, max: 365 },
  prototype_min_quality: { label: 'Quality of faces to learn from', min: 0, max: 1, step: 0.01 },
  prototype_max_exemplars: { label: 'Faces that stand for a person', min: 1, max: 20 },
  post_training_suggestions_mode: { label: 'After indexing, suggest for', options: [['all', 'everybody'], ['top_n', 'those with most faces']] },
  post_training_suggestions_top_n_count: { label: 'That many of them', min: 1, max: 100 },
});

const suggesting = () => form('Reviewing suggestions', '/api/v1/config/face-suggestions', {
  groupsPerPage: { label: 'Persons on a page', min: 1, max: 50 },
  itemsPerGroup: { label: 'Faces of a person', min: 1, max: 50 },
});

const clustering = () => form('Groups of unnamed faces', '/api/v1/config/face-clustering-unknown', {
  minConfidence: { label: 'Show from a confidence of', min: 0, max: 1, step: 0.01 },
  minClusterSize: { label: 'and this many faces', min: 1, max: 100 },
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
  const leave = guarded(async () => {
    await post('/api/v1/logout');
    location.reload();
  });
  return element('section', {}, element('h2', {}, 'This browser'),
    element('p', { class: 'quiet' }, 'Where the library needs a token, this browser is let in for a while once it was given.'),
    button('Lock it again', leave));
}

export function settingsPage(main) {
  main.replaceChildren(element('h1', {}, 'Settings'), looks(), matching(), suggesting(), clustering(), watching(), session());
  return { update: () => {}, close: () => {} };
}
