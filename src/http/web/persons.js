// The persons of the library and what can be done to them, shared by the pages.

import { getAll, post, remove } from './api.js';
import { notice, plural } from './dom.js';

let loading = null;

// Active persons by name; asked for once until something changes.
export function persons() {
  loading ||= getAll('/api/v1/faces/persons?status=active', 1000)
    .then((items) => items.sort((a, b) => a.name.localeCompare(b.name)))
    .catch((error) => {
      loading = null;
      throw error;
    });
  return loading;
}

export const personsChanged = () => { loading = null; };

export const faceThumbnail = (id) => `/api/v1/faces/faces/${id}/thumbnail`;

// who: { id } of a person there is, or { name } of a new one. The person's id.
export async function findOrMake(who) {
  if (who.id) return who.id;
  const made = await post('/api/v1/faces/persons', { name: who.name });
  personsChanged();
  return made.id;
}

export async function undo(eventId) {
  const undone = await post(`/api/v1/faces/assignment-events/${eventId}/undo`);
  personsChanged();
  notice(undone.facesUnassigned ? `${plural(undone.facesUnassigned, 'face')}: as before.` : 'As before.');
}

// Says what was done, with a button that takes it back; after() draws what changed.
export function offerUndo(text, eventId, after) {
  const run = async () => {
    await undo(eventId);
    await after();
  };
  notice(text, eventId ? { action: { label: 'Undo', run } } : {});
}

export async function nameFace(faceId, who, after) {
  const id = await findOrMake(who);
  const done = await post(`/api/v1/faces/faces/${faceId}/assign`, { personId: id });
  personsChanged();
  await after();
  offerUndo(`This is ${done.personName}.`, done.eventId, after);
}

export async function unnameFace(faceId, after) {
  const done = await remove(`/api/v1/faces/faces/${faceId}/person`);
  personsChanged();
  await after();
  offerUndo(`${done.previousPersonName}: the name was taken away.`, done.eventId, after);
}

// "Not this person", for good: it is not suggested for this face again.
export async function rejectFace(faceId, personId, name, after) {
  const done = await post(`/api/v1/faces/faces/${faceId}/reject`, { personId });
  personsChanged();
  await after();
  offerUndo(`This is not ${name}.`, done.eventId, after);
}

export async function nameCluster(clusterId, who, after) {
  const done = await post(`/api/v1/faces/clusters/${encodeURIComponent(clusterId)}/label`,
    who.id ? { personId: who.id } : { name: who.name });
  personsChanged();
  await after();
  offerUndo(`${plural(done.facesLabeled, 'face')} of ${done.personName}.`, done.eventId, after);
}
