// One contact: the sessions and everything that happened in them.

import { get, query, segment } from './api.js';
import { find, hint } from './people.js';
import { chip, el, field, form, link, list, note, said, string, table, time, title as heading } from './dom.js';

export const title = 'Contact';

export async function show({ values, signal, go }) {
  const head = [heading('Contact'), form({ class: 'filter' }, (given) => go('contact', given),
    field('Contact', el('input', { id: 'f-contact', name: 'contact', value: values.contact || '', placeholder: hint, autocomplete: 'off', required: true })), el('button', { class: 'main' }, 'Show'))];
  if (!values.contact) return [...head, note('Give a phone number (digits, with the country code), a user id, or the beginning of a name or user name.')];
  const { contact, nodes } = await find(values, 'contact');
  if (nodes) return [...head, ...nodes];
  const who = segment(contact);
  try {
    const [sessions, events] = await Promise.all([get(`sessions/${who}`, signal), get(`sessions/${who}/events`, signal)]);
    return [...head, ...list(sessions).map(session), el('h2', {}, 'Events'), history(list(events))];
  } catch (error) {
    if (error.status !== 404) throw error;
    return [...head, note('Nobody of that phone number, user id or name has a session. Check the digits, or look for what they said under ', link(`#/messages${query({ contact })}`, 'Messages'), '.')];
  }
}

const tones = { active: 'good', completed: 'good', expired: 'wait', cancelled: 'wait' };

function session(s) {
  const answers = Object.entries(s.flow_data || {});
  return el('section', { class: 'card' },
    el('h2', {}, said(s.phone ? `+${s.phone}` : s.bsuid), ' ', chip(s.status, tones[s.status]), s.parked && chip('parked', 'bad')),
    el('dl', { class: 'facts' },
      fact('Flow', `${s.flow} version ${s.flow_version}`), fact('Step', s.current_state), fact('Channel', s.channel), fact('Language', s.language),
      fact('Started', time(s.started_at)), fact('Last interaction', time(s.last_interaction)), fact('Failures', s.failure_count || '')),
    answers.length > 0 && table(['Answer', 'Value'], answers.map(([name, value]) => [name, said(string(value))]), 'Answers'),
    el('p', { class: 'actions' }, link(`#/messages${query({ contact: s.phone || s.bsuid || s.contact_id })}`, 'Conversation')));
}

const fact = (name, value) => value && [el('dt', {}, name), el('dd', {}, value)];

// history is every event, each with all that is stored of it.
function history(events) {
  if (!events.length) return note('No events are kept of the current sessions.');
  return el('ol', { class: 'events' }, events.map(({ type, event }) => el('li', {},
    el('details', {}, el('summary', {}, el('span', { class: 'soft' }, time(Number(event.atMs))), ' ', el('b', {}, type)), el('pre', { dir: 'ltr' }, JSON.stringify(event, null, 2))))));
}
