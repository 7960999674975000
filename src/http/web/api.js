// Talking to the server: JSON in and out, one place for errors and logging in.

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function messageOf(response) {
  try {
    const body = await response.json();
    return body.message || response.statusText;
  } catch {
    return response.statusText;
  }
}

export async function call(method, path, body, signal) {
  const isForm = body instanceof FormData;
  const response = await fetch(path, {
    method,
    signal,
    headers: body && !isForm ? { 'Content-Type': 'application/json' } : {},
    body: body && !isForm ? JSON.stringify(body) : body,
  });
  if (response.status === 401 && await logIn()) return call(method, path, body, signal);
  if (!response.ok) throw new ApiError(response.status, await messageOf(response));
  return response.status === 204 ? null : response.json();
}

export const get = (path, signal) => call('GET', path, undefined, signal);
export const post = (path, body, signal) => call('POST', path, body, signal);

// The token is asked for once; the server then knows this browser by a cookie.
async function logIn() {
  const token = window.prompt('This library needs its token (IMS_TOKEN):');
  if (!token) return false;
  const response = await fetch('/api/v1/login', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ token }),
  });
  return response.ok || logIn();
}
