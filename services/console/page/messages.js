// The message log: everybody's newest, or a contact's as a conversation.

import { get, post, query, segment } from './api.js';
import { find, hint } from './people.js';
import { chip, clockOf, dayOf, el, field, form, link, list, note, said, time, title as heading } from './dom.js';

export const title = 'Messages';

export async function show({ values: wanted, signal, go, again }) {
  const { contact, nodes } = await find(wanted, 'messages');
  if (nodes) return [heading('Messages'), filter(wanted, go), ...nodes];
  const values = { ...wanted, contact };
  const asked = { contact: values.contact, channel: values.channel, from: values.from, to: dayAfter(values.to), raw: values.raw };
  const page = await get(`messages${query({ ...asked, order: 'latest', limit: 100, after: values.after })}`, signal);
  const found = list(page.messages);
  return [
    heading('Messages', el('span', { class: 'export' }, 'Export ', ['csv', 'jsonl'].map((format) => [el('a', { href: `/api/v1/messages${query({ ...asked, format })}`, download: `messages.${format}` }, format.toUpperCase()), ' ']))),
    filter(wanted, go),
    found.length ? (values.contact ? conversation(found) : log(found)) : empty(values),
    page.next && el('p', { class: 'more' }, link(`#/messages${query({ ...values, after: page.next })}`, 'Earlier messages')),
    values.after && el('p', { class: 'more' }, link(`#/messages${query({ ...values, after: '' })}`, 'Back to the newest')),
    values.contact && found.length && !values.after && reply(values, found, again),
  ].filter(Boolean);
}

// reply lets a person of the business write to the one whose conversation is shown, which
// makes the bot silent, and give the conversation back to it.
function reply(values, found, again) {
  const problem = el('p', { class: 'problem', role: 'alert' });
  const channel = values.channel || found[0].channel;
  let busy = false; // a second click is not a second message
  const act = async (given, path, body) => {
    if (busy) return;
    problem.textContent = '';
    if (!given.by) return void (problem.textContent = 'Say who you are: it is kept with what you do.');
    localStorage.setItem('by', given.by);
    busy = true;
    try {
      await post(`sessions/${segment(values.contact)}/${path}`, { by: given.by, channel, ...body });
      setTimeout(again, 700); // the lane decides on it, and then the log is written
    } catch (error) {
      problem.textContent = error.message;
      busy = false;
    }
  };
  const by = el('input', { id: 'r-by', name: 'by', value: localStorage.getItem('by') || '', autocomplete: 'name' });
  return form({ class: 'filter' }, (given) => (given.text ? act(given, 'messages', { text: given.text }) : void (problem.textContent = 'Write something.')),
    field('Write as', by), field('Text', el('input', { id: 'r-text', name: 'text', autocomplete: 'off' })), el('button', { class: 'main' }, 'Send'),
    el('button', { id: 'r-take', type: 'button', on: { click: () => act({ by: by.value }, 'actions', { action: 'take' }) } }, 'Take over'),
    el('button', { id: 'r-back', type: 'button', on: { click: () => act({ by: by.value }, 'actions', { action: 'give_back' }) } }, 'Give back to the bot'), problem);
}

// dayAfter makes "until this day" of a day, which the API excludes.
function dayAfter(day) {
  if (!day) return '';
  const at = new Date(`${day}T00:00:00Z`);
  at.setUTCDate(at.getUTCDate() + 1);
  return at.toISOString().slice(0, 10);
}

function filter(values, go) {
  const input = (name, label, more) => field(label, el('input', { id: `f-${name}`, name, value: values[name] || '', ...more }));
  return form({ class: 'filter' }, (given) => go('messages', given),
    input('contact', 'Contact', { placeholder: hint, autocomplete: 'off' }), input('channel', 'Channel', { autocomplete: 'off' }),
    input('from', 'From (UTC)', { type: 'date' }), input('to', 'Until (UTC)', { type: 'date' }),
    field('As it came', el('input', { id: 'f-raw', name: 'raw', type: 'checkbox', value: '1', checked: values.raw === '1' })), el('button', { class: 'main' }, 'Show'));
}

function empty(values) {
  if (values.contact) return note('Nobody of that phone number, user id or name has said anything here. Check the digits, with the country code, or widen the time.');
  if (values.channel || values.from || values.to) return note('No message fits. Widen the time, or leave the channel out.');
  return note('Nothing was said yet. Write to the business number, or open the sandbox, and look again.');
}

const who = (m) => (m.phone ? `+${m.phone}` : m.bsuid || m.contact_id);

const name = (m) => m.phone || m.bsuid || m.contact_id;

function log(found) {
  return el('ol', { class: 'log' }, found.map((m) => el('li', { class: m.direction },
    el('span', { class: 'soft' }, time(m.at)),
    el('span', { class: 'arrow', title: m.direction === 'in' ? 'from the person' : 'from us' }, m.direction === 'in' ? '←' : '→'),
    link(`#/messages${query({ contact: name(m) })}`, said(who(m))),
    el('span', { class: 'text' }, words(m), raw(m)),
    tick(m))));
}

const plain = ['text', 'buttons', 'list'];

// words is what there is to read of a message, or what it is.
const words = (m) => [writer(m) && [chip(writer(m)), ' '], !plain.includes(m.kind) && [chip(m.kind), ' '], said(m.body || ''), file(m)];

// writer is the person of the business who wrote it: with Parley, or with the phone's
// own app.
const writer = (m) => m.direction === 'out' && (m.content?.author || ((m.content?.message || m.content?.aside) && "phone's app"));

// raw is what the provider sent, if it was asked for.
const raw = (m) => m.raw !== undefined && el('details', {}, el('summary', {}, 'As it came'), el('pre', {}, JSON.stringify(m.raw, null, 2)));

// file is the file that a person, or the phone's own app, sent, for which the provider is
// asked when it is looked at, or one of the flow that was sent.
function file(m) {
  const { id, kind, sha256 } = m.content?.media || m.content?.message?.media || {};
  const theirs = m.direction === 'in' || m.content?.message; // what the provider has
  if (theirs ? !id : !sha256) return false;
  const href = theirs ? `/api/v1/media/${segment(m.channel)}/${segment(id)}` : `/api/v1/files/${segment(sha256)}`;
  const look = ['image', 'sticker'].includes(kind) ? el('img', { src: href, alt: kind, loading: 'lazy', class: 'thumb' }) : 'Open the file';
  return [' ', el('a', { href, target: '_blank', rel: 'noopener' }, look)];
}

function conversation(found) {
  const person = found[0];
  const bubbles = [];
  let day = '';
  for (const m of [...found].reverse()) {
    if (dayOf(m.at) !== day) {
      day = dayOf(m.at);
      bubbles.push(el('li', { class: 'day' }, day));
    }
    bubbles.push(el('li', { class: `bubble ${m.direction}` }, el('span', { class: 'text' }, words(m), raw(m)), options(m), el('span', { class: 'foot' }, clockOf(m.at), ' ', tick(m))));
  }
  return el('section', { class: 'card talk' },
    el('h2', {}, said(who(person)), ' ', el('span', { class: 'soft' }, person.channel), ' ', link(`#/contact${query({ contact: name(person) })}`, 'Sessions and events')),
    el('ol', { class: 'bubbles' }, bubbles));
}

// options are the buttons and rows of a message.
function options(m) {
  const offered = [...list(m.content?.buttons?.buttons), ...list(m.content?.list?.sections).flatMap((s) => list(s.rows)), ...list(m.content?.list?.rows)];
  return offered.length > 0 && el('span', { class: 'options' }, offered.map((o) => el('span', { class: 'option' }, said(o.title))));
}

const ticks = { read: '✓✓ read', played: '✓✓ played', delivered: '✓✓ delivered', sent: '✓ sent', accepted: '✓ accepted', failed: '✗ failed', ambiguous: '? unclear', queued: '… queued', sending: '… sending' };

const tick = (m) => m.direction === 'out' && el('span', { class: `tick ${m.status}` }, ticks[m.status] || m.status);
