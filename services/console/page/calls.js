// Calls: which systems of the business did not answer, and whose turn it was.

import { get, query } from './api.js';
import { el, field, form, link, list, note, said, table, time, title as heading } from './dom.js';

export const title = 'Calls';

const kinds = { failed: 'failed', queued: 'still to be made' };

export async function show({ values, signal, go }) {
  const state = values.state || 'failed';
  const found = list((await get(`calls${query({ state, limit: 200 })}`, signal)).calls);
  return [
    heading('Calls'),
    form({ class: 'filter' }, (given) => go('calls', given),
      field('State', el('select', { id: 'f-state', name: 'state' }, Object.entries(kinds).map(([kind, text]) => el('option', { value: kind, selected: kind === state }, text)))), el('button', { class: 'main' }, 'Show')),
    found.length ? table(['Queued', 'Contact', 'Step', 'Request', '#Attempts', 'Why'], found.map(row), 'Calls')
      : note(state === 'failed' ? 'No call failed: every system that was asked has answered.' : 'No call waits to be made.'),
  ];
}

const row = (c) => [
  time(c.queued_at), link(`#/messages${query({ contact: c.contact_id })}`, said(c.contact_id.slice(0, 8))), `${c.flow} ${c.step}`, said(`${c.method} ${c.url}`), c.attempts, c.reason || '–',
];
