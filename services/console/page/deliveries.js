// What became of sends: those whose outcome is unknown wait for a word, those that
// failed say why, and everything to one contact can be seen.

import { get, post, query, segment } from './api.js';
import { chip, el, field, form, link, list, note, said, table, time, title as heading } from './dom.js';

export const title = 'Deliveries';

const kinds = { ambiguous: 'outcome unknown', failed: 'failed', '': 'all to the contact', was: 'were unclear once' };
const tones = { accepted: 'good', failed: 'bad', ambiguous: 'wait' };

export async function show({ values, signal, go, again }) {
  const state = values.state ?? (values.contact ? '' : 'ambiguous');
  const head = [heading('Deliveries'), filter({ ...values, state }, go)];
  if (state === 'was') return [...head, ...settled(list(await get('ambiguous?limit=200', signal)))];
  if (!state && !values.contact) return [...head, note('Give a contact to see everything that was sent to them, or choose a state.')];
  const page = await get(`deliveries${query({ ...values, state, limit: 100 })}`, signal);
  const found = list(page.deliveries);
  const problem = el('p', { class: 'problem', role: 'alert' });
  return [
    ...head, problem,
    found.length ? table(['Queued', 'Contact', 'Channel', 'Kind', 'State', 'Why', '#Attempts', ''], found.map((d) => row(d, problem, again)), 'Deliveries') : note(empty(state)),
    page.next && el('p', { class: 'more' }, link(`#/deliveries${query({ ...values, state, after: page.next })}`, 'Earlier ones')),
  ].filter(Boolean);
}

function empty(state) {
  if (state === 'ambiguous') return 'No send waits for a word: every one has a clear outcome.';
  if (state === 'failed') return 'No send failed.';
  return 'Nothing was sent to this contact. Check the digits, with the country code.';
}

function filter(values, go) {
  const input = (name, label, more) => field(label, el('input', { id: `f-${name}`, name, value: values[name] || '', ...more }));
  return form({ class: 'filter' }, (given) => go('deliveries', given),
    field('State', el('select', { id: 'f-state', name: 'state' }, Object.entries(kinds).map(([state, text]) => el('option', { value: state, selected: state === values.state }, text)))),
    input('contact', 'Contact', { placeholder: 'phone or user id', autocomplete: 'off' }), input('channel', 'Channel', { autocomplete: 'off' }),
    el('button', { class: 'main' }, 'Show'));
}

const row = (d, problem, again) => [
  time(d.queued_at), link(`#/messages${query({ contact: d.phone || d.bsuid || d.contact_id })}`, said(d.phone ? `+${d.phone}` : d.bsuid || d.contact_id.slice(0, 8))),
  d.channel, d.kind, [chip(d.state, tones[d.state]), d.receipt && [' ', chip(d.receipt, d.receipt === 'failed' ? 'bad' : '')]], why(d), d.attempts, d.state === 'ambiguous' && orders(d, problem, again),
];

const why = (d) => (d.state === 'ambiguous' ? d.cause : [d.error_class && d.error_class.replaceAll('_', ' '), d.error_code].filter(Boolean).join(' ')) || '–';

// orders are what an operator can say of a send whose outcome is unknown.
const orders = (d, problem, again) => (d.ordered ? chip(`${d.ordered} ordered`, 'wait') : el('span', { class: 'actions' },
  el('button', { id: `resend-${d.delivery_id}`, type: 'button', on: { click: (event) => decide(d, 'resend', 'Send it again? If WhatsApp has it already, the person gets it twice.', event.target, problem, again) } }, 'Send again'),
  el('button', { id: `drop-${d.delivery_id}`, type: 'button', on: { click: (event) => decide(d, 'drop', 'Give it up? If WhatsApp does not have it, the person never gets it.', event.target, problem, again) } }, 'Give up')));

async function decide(d, order, question, button, problem, again) {
  if (!confirm(question)) return;
  button.disabled = true;
  try {
    await post(`deliveries/${segment(d.delivery_id)}/${order}`);
    await again();
  } catch (error) {
    problem.textContent = error.message;
    button.disabled = false;
  }
}

function settled(found) {
  if (!found.length) return [note('No send was ever without a clear answer.')];
  return [table(['Queued', 'Contact', 'State', 'Cause', 'Settled by', '#Attempts', '#Times unclear'], found.map((d) => [
    time(d.queued_at), link(`#/messages${query({ contact: d.contact_id })}`, said(d.contact_id.slice(0, 8))), chip(d.state, tones[d.state]), d.cause, d.settled_by || '–', d.attempts, d.times_ambiguous,
  ]), 'Sends whose outcome was unknown once')];
}
