// Talking to the server: JSON in and out, one place for errors and logging in.

import { logIn } from './login.js';

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function messageOf(response) {
  try {
    const body = await response.json();
    const issues = Array.isArray(body.detail) ? body.detail.map((one) => `${one.loc.at(-1)}: ${one.msg}`) : [];
    return issues.join('; ') || body.message || response.statusText;
  } catch {
    return response.statusText || `the server answered ${response.status}`;
  }
}

async function send(method, path, body, signal) {
  const isForm = body instanceof FormData;
  try {
    return await fetch(path, {
      method,
      signal,
      headers: body && !isForm ? { 'Content-Type': 'application/json' } : {},
      body: body && !isForm ? JSON.stringify(body) : body,
    });
  } catch (error) {
    throw error.name === 'AbortError' ? error : new ApiError(0, 'The server does not answer. Is imgsearch serve running?');
  }
}

const TRIES = 5;
const pause = (seconds) => new Promise((resolve) => { setTimeout(resolve, seconds * 1000); });

// A server that is busy did nothing of what was asked, and says when to ask again.
async function sendUntilTaken(method, path, body, signal) {
  for (let i = 1; ; i++) {
    const response = await send(method, path, body, signal);
    const wait = Number(response.headers.get('Retry-After'));
    if (response.status !== 503 || !wait || i === TRIES) return response;
    await pause(Math.min(wait, 10));
    signal?.throwIfAborted();
  }
}

export async function call(method, path, body, signal) {
  const response = await sendUntilTaken(method, path, body, signal);
  if (response.status === 401) {
    await logIn();
    return call(method, path, body, signal);
  }
  if (!response.ok) throw new ApiError(response.status, await messageOf(response));
  return response.status === 204 ? null : response.json();
}

export const get = (path, signal) => call('GET', path, undefined, signal);
export const post = (path, body = {}, signal = undefined) => call('POST', path, body, signal);
export const put = (path, body) => call('PUT', path, body);
export const patch = (path, body) => call('PATCH', path, body);
export const remove = (path, body) => call('DELETE', path, body);

// "?a=1&b=2" of the members that are set.
export function query(values) {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && value !== undefined && value !== '') params.set(name, value);
  }
  const text = params.toString();
  return text ? `?${text}` : '';
}

// All items of a paged list.
export async function getAll(path, pageSize) {
  const items = [];
  for (let page = 1; ; page++) {
    const found = await get(`${path}${path.includes('?') ? '&' : '?'}page=${page}&page_size=${pageSize}`);
    items.push(...found.items);
    if (items.length >= found.total || found.items.length === 0) return items;
  }
}

// Follows an event stream: on(event, data) for progress, complete and error; the returned function ends it.
export function follow(path, on) {
  const source = new EventSource(path);
  const take = (name) => (event) => {
    if (event.data === undefined) return; // the connection's own trouble: it is opened again
    on(name, JSON.parse(event.data));
    if (name !== 'progress') source.close();
  };
  for (const name of ['progress', 'complete', 'error']) source.addEventListener(name, take(name));
  return () => source.close();
}
