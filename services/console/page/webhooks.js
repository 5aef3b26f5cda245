// Webhooks: what another system is still to be told, and a second try for what was given up.

import { get, post, query } from './api.js';
import { chip, el, field, form, link, list, note, number, said, table, time, title as heading } from './dom.js';

export const title = 'Webhooks';

const kinds = { dead: 'given up', queued: 'still to be told' };

export async function show({ values, signal, go, again }) {
  const state = values.state || 'dead';
  const page = await get(`webhooks${query({ state, limit: 200 })}`, signal);
  const found = list(page.webhooks);
  const counts = `${number(page.counts.queued)} still to be told, ${number(page.counts.dead)} given up.`;
  const problem = el('p', { class: 'problem', role: 'alert' });
  return [
    heading('Webhooks'),
    form({ class: 'filter' }, (given) => go('webhooks', given),
      field('State', el('select', { id: 'f-state', name: 'state' }, Object.entries(kinds).map(([kind, text]) => el('option', { value: kind, selected: kind === state }, text)))), el('button', { class: 'main' }, 'Show')),
    found.length ? el('p', {}, counts) : note(counts),
    problem,
    found.length > 0 && table(['Since', 'Contact', 'Event', 'Webhook', '#Tries', 'Why', state === 'dead' ? '' : 'Next try'], found.map((w) => row(w, problem, again)), 'Webhooks'),
  ];
}

const row = (w, problem, again) => [
  time(w.since), link(`#/messages${query({ contact: w.contact_id })}`, said(w.contact_id.slice(0, 8))), w.type, w.id, number(w.attempts), w.error || '–',
  w.state === 'dead' ? el('button', { id: `redrive-${w.id}`, type: 'button', on: { click: (event) => redrive(w.id, event.target, problem, again) } }, 'Tell again') : time(w.next_at),
];

async function redrive(id, button, problem, again) {
  button.disabled = true;
  try {
    await post(`webhooks/${id}/redrive`);
    button.replaceWith(chip('ordered', 'wait'));
    setTimeout(again, 2000);
  } catch (error) {
    problem.textContent = error.message;
    button.disabled = false;
  }
}
