// The sessions of WASenderApi: how each is, and the code that links its phone.

import { post, segment } from './api.js';
import { ago, chip, el, time } from './dom.js';

const tones = { connected: 'good', connecting: 'wait', unknown: 'wait' };

// problems are what was refused lately, by channel: the page is drawn again meanwhile.
const problems = new Map();
const problemFor = 30000;

function problemOf(channel) {
  const found = problems.get(channel);
  return found && Date.now() - found.at < problemFor ? found.text : '';
}

export const cards = (sessions, again) => el('div', { class: 'cards' }, sessions.map((s) => card(s, again)));

function card(s, again) {
  const problem = el('p', { class: 'problem', role: 'alert' }, problemOf(s.channel));
  return el('section', { class: 'card session', 'data-channel': s.channel, 'data-state': s.state },
    el('h3', {}, s.channel, ' ', chip(s.state.replaceAll('_', ' '), tones[s.state] || 'bad')),
    el('dl', { class: 'facts' },
      fact('Since', s.since && time(s.since)),
      fact('Last heard', s.heard_at ? ago(s.heard_at) : 'never'),
      fact('Next try', s.next_try && ago(s.next_try)),
      fact('Tries', s.tries > 0 && s.tries),
      fact('Not heard', s.missed_to && [time(s.missed_from), ' – ', time(s.missed_to), el('small', {}, ' Receipts are caught up; what people wrote then may not have come.')])),
    s.advice && el('p', { class: 'advice' }, s.advice[0].toUpperCase() + s.advice.slice(1), '.'),
    s.state === 'need_scan' && el('img', { class: 'qr', alt: 'QR code: scan it with WhatsApp, Settings, Linked devices', width: 240, height: 240, src: `/api/v1/wasender/sessions/${segment(s.channel)}/qr?format=svg&at=${Math.floor(Date.now() / 5000)}` }),
    problem,
    el('p', { class: 'actions' }, actions(s.state).map((action) => el('button', { id: `${action}-${s.channel}`, type: 'button', on: { click: (event) => order(s.channel, action, event.target, problem, again) } }, words[action]))));
}

const words = { connect: 'Connect', restart: 'Restart', disconnect: 'Disconnect' };

const actions = (state) => (state === 'connected' ? ['restart', 'disconnect'] : state === 'need_scan' ? ['connect', 'disconnect'] : ['connect']);

const fact = (name, value) => value && [el('dt', {}, name), el('dd', {}, value)];

async function order(channel, action, button, problem, again) {
  if (action === 'disconnect' && !confirm(`Disconnect ${channel}? What is queued for it waits until it is connected again.`)) return;
  button.disabled = true;
  problems.delete(channel);
  try {
    await post(`wasender/sessions/${segment(channel)}/${action}`);
    await again();
  } catch (error) {
    problems.set(channel, { text: error.message, at: Date.now() });
    problem.textContent = error.message;
    button.disabled = false;
  }
}
