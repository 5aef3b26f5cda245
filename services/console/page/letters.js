// Dead letters: what could not be done, and a second try for what is parked.

import { get, post, query } from './api.js';
import { chip, el, field, form, link, list, note, number, said, table, time, title as heading } from './dom.js';

export const title = 'Dead letters';

const kinds = { '': 'all', parked: 'parked: waits in order for another try', unreadable: 'unreadable: not decodable', unhandled: 'unhandled: no flow reacts' };

export async function show({ values, signal, go, again }) {
  const found = list(await get(`dead-letters${query({ kind: values.kind, limit: 200 })}`, signal));
  const problem = el('p', { class: 'problem', role: 'alert' });
  return [
    heading('Dead letters'),
    form({ class: 'filter' }, (given) => go('letters', given),
      field('Kind', el('select', { id: 'f-kind', name: 'kind' }, Object.entries(kinds).map(([kind, text]) => el('option', { value: kind, selected: kind === (values.kind || '') }, text)))), el('button', { class: 'main' }, 'Show')),
    problem,
    found.length ? table(['When', 'Kind', 'Service', 'Contact', 'Reason', '#Bytes', ''], found.map((l) => row(l, problem, again)), 'Dead letters')
      : note(values.kind ? 'There is no dead letter of that kind.' : 'There are no dead letters: everything that came could be done.'),
  ];
}

const row = (l, problem, again) => [
  time(l.created_at), chip(l.kind, l.kind === 'parked' ? 'bad' : 'wait'), `${l.service} ${l.shard}/${l.position}`,
  l.contact_id ? link(`#/messages${query({ contact: l.contact_id })}`, said(l.contact_id.slice(0, 8))) : '–', said(l.reason), number(l.bytes),
  ['parked', 'unhandled'].includes(l.kind) && el('button', { id: `redrive-${l.id}`, type: 'button', on: { click: (event) => redrive(l.id, event.target, problem, again) } }, 'Try again'),
];

async function redrive(id, button, problem, again) {
  button.disabled = true;
  try {
    const { redriving } = await post(`dead-letters/${id}/redrive`);
    button.replaceWith(chip(`${number(redriving)} ordered`, 'wait'));
    setTimeout(again, 2000);
  } catch (error) {
    problem.textContent = error.message;
    button.disabled = false;
  }
}
