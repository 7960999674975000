// All faces of a group that nobody named yet.

import { get, post } from './api.js';
import { choosePerson } from './choose.js';
import { element, failure, guarded, notice, plural, quiet } from './dom.js';
import { faceThumbnail, findOrMake, nameCluster, personsChanged } from './persons.js';
import { act, picks } from './picks.js';
import { go, href } from './route.js';

export function clusterPage(main, id) {
  const path = `/api/v1/faces/clusters/${encodeURIComponent(id)}`;
  const back = () => go('#/people');
  const nameSome = async (ids, who) => {
    const personId = await findOrMake(who);
    for (const face of ids) await post(`/api/v1/faces/faces/${face}/assign`, { personId });
    personsChanged();
    await load();
    notice(`${plural(ids.length, 'face')} of ${who.name}.`);
  };
  const split = async () => {
    const done = await post(`${path}/split`, { minClusterSize: 2 });
    personsChanged();
    notice(done.newClusters.length > 1 ? `Split into ${plural(done.newClusters.length, 'group')}.` : 'All faces are alike; it was not split.');
    if (done.newClusters.length > 1) back();
    else await load();
  };
  const dismiss = async () => {
    await post(`${path}/dismiss`);
    back();
  };
  const draw = ({ faces }) => {
    const unnamed = faces.filter((face) => !face.personId);
    const named = [...new Set(faces.map((face) => face.personName).filter(Boolean))];
    const items = unnamed.map((face, i) => ({ id: face.id, src: faceThumbnail(face.id), label: `face ${i + 1}`, text: 'Photo',
      link: href('search', [], { photo: face.assetId }) }));
    main.replaceChildren(
      element('p', {}, element('a', { href: '#/people' }, 'People')),
      element('h1', {}, 'Who is this?'),
      quiet(`${plural(unnamed.length, 'face')} that look alike${named.length ? `, besides those of ${named.join(', ')}` : ''}.`),
      element('div', { class: 'fields' },
        choosePerson({ label: 'Name of all', placeholder: 'the name of all of them', mayBeNew: true, use: guarded((who) => nameCluster(id, who, async () => back())) }),
        element('div', { class: 'bar' }, act('Split', split, { title: 'Into groups that are more alike' }), act('Not interesting', dismiss))),
      ...picks({ items, noun: 'face', actions: (ids) => [
        choosePerson({ label: 'Name of the chosen faces', placeholder: 'name only these', mayBeNew: true, use: guarded((who) => nameSome(ids(), who)) }),
      ] }));
  };
  const load = async () => draw(await get(path));
  main.replaceChildren(element('h1', {}, 'Who is this?'), quiet('Looking...'));
  const start = () => load().catch((error) => {
    if (error.status !== 404) {
      main.replaceChildren(element('h1', {}, 'Who is this?'), failure(error, start));
      return;
    }
    back();
    notice('This group is not there any more: its faces have names, or were grouped anew.');
  });
  start();
}
