// Background work: what is queued, what runs, what failed; indexing a folder again.

import { get, post } from './api.js';
import { element, every, notice } from './dom.js';

function jobRow(job) {
  const at = job.endedAt || job.startedAt || job.createdAt;
  return element('tr', {},
    element('td', {}, job.id),
    element('td', {}, job.funcName),
    element('td', { class: job.status === 'failed' ? 'bad' : null }, job.status),
    element('td', {}, Object.values(job.kwargs).join(' ')),
    element('td', {}, at ? new Date(at).toLocaleTimeString() : ''),
    element('td', {}, job.errorMessage || job.result || ''));
}

async function draw(out) {
  try {
    const [health, queues] = await Promise.all([get('/health'), get('/api/v1/queues')]);
    const details = await Promise.all(queues.queues.map((queue) => get(`/api/v1/queues/${queue.name}?page_size=20`)));
    const jobs = details.flatMap((queue) => [...queue.startedJobs, ...queue.jobs, ...queue.failedJobs]);
    const { assets, done, failed } = health.library;
    out.replaceChildren(
      element('p', {}, `${done} of ${assets} photos are indexed` + (failed ? `, ${failed} failed.` : '.')),
      element('progress', { max: assets || 1, value: done + failed, 'aria-label': 'Indexed photos' }),
      element('table', {},
        element('thead', {}, element('tr', {}, ...['Job', 'Work', 'State', 'Of', 'Since', 'Outcome']
          .map((name) => element('th', { scope: 'col' }, name)))),
        element('tbody', {}, ...(jobs.length ? jobs.map(jobRow)
          : [element('tr', {}, element('td', { colspan: 6 }, 'Nothing to do.'))]))));
  } catch (error) {
    notice(error.message, true);
  }
}

export function indexingPage(main) {
  const out = element('div');
  const form = element('form', { class: 'search' }, element('div', {},
    element('label', { class: 'wide' }, 'A folder of the library', element('input', { name: 'folder', required: true,
      placeholder: '/photos' })),
    element('button', { class: 'main' }, 'Index it again')));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    try {
      const found = await post('/api/v1/assets/ingest', { rootPath: form.elements.folder.value });
      notice(`${found.discovered} photos found, ${found.enqueued} of them new.`);
    } catch (error) {
      notice(error.message, true);
    }
  });
  main.replaceChildren(element('h1', {}, 'Indexing'), form, out);
  return every(1500, () => draw(out));
}
