// Parley's JSON API. The login is a cookie that scripts cannot read.

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function call(path, options) {
  let response;
  try {
    response = await fetch(`/api/v1/${path}`, options);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Refused(0, 'Parley does not answer. It may be restarting; this page tries again.');
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, answer.error || `Parley answered ${response.status}.`);
  return answer;
}

export const get = (path, signal) => call(path, { signal });

export const post = (path, body) => call(path, {
  method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body || {}),
});

// query is a query string of the values that are not empty.
export function query(values) {
  const given = Object.entries(values).filter(([, value]) => value);
  return given.length ? `?${new URLSearchParams(given)}` : '';
}

export const segment = encodeURIComponent;
