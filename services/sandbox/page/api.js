// The sandbox's JSON API, relative to the page.

async function call(path, body, method = body ? 'POST' : 'GET') {
  const sent = body && { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
  const response = await fetch(`api/${path}`, { method, ...sent });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error || `the sandbox answered ${response.status}`);
  return answer;
}

const path = (id) => `phones/${encodeURIComponent(id)}`;

export const createPhone = (kind) => call('phones', { kind });
export const readPhone = (id) => call(path(id));
export const sendMessage = (id, message) => call(`${path(id)}/messages`, message);

export const readSession = () => call('session');
export const changeSession = (what) => call('session', { do: what });

export const listFaults = () => call('faults');
export const addFault = (fault) => call('faults', fault);
export const resetFaults = () => call('faults', undefined, 'DELETE');

export function openEvents(ids) {
  return new EventSource(`api/events?${new URLSearchParams(ids.map((id) => ['phone', id]))}`);
}
