// Campaigns: flows that are begun for many contacts, how far each is, and what came of it.

import { get, post, query, segment } from './api.js';
import { chip, el, link, list, note, number, said, table, time, title as heading } from './dom.js';

export const title = 'Campaigns';
export const every = 3000;

const tones = { running: 'good', done: 'good', scheduled: 'wait', paused: 'wait', cancelled: 'bad' };

// moves are what can be done to a campaign, by its state.
const moves = { ready: ['start', 'cancel'], scheduled: ['start', 'pause', 'cancel'], running: ['pause', 'cancel'], paused: ['resume', 'cancel'] };

const names = { start: 'Start', pause: 'Pause', resume: 'Resume', cancel: 'Cancel' };

const reasons = { busy: 'in a conversation', opted_out: 'opted out', blocked: 'blocked', no_marketing: 'want no marketing', twice: 'in the file twice', not_live: 'flow could not be started' };

export async function show({ values, signal, again }) {
  if (values.name) return one(await get(`campaigns/${segment(values.name)}`, signal), again);
  const found = list((await get('campaigns', signal)).campaigns);
  if (!found.length) return [heading('Campaigns'), note('There are no campaigns. Make one: parley campaign create --help')];
  return [heading('Campaigns'), table(['Created', 'Campaign', 'State', 'Flow', 'Channel', '#Contacts', 'Rate', 'Of'], found.map((c) => [
    time(c.created_at), link(`#/campaigns${query({ name: c.name })}`, c.name), chip(c.state, tones[c.state]), c.flow, c.channel, number(c.size), c.rate, said(c.source),
  ]), 'Campaigns')];
}

function one(c, again) {
  const p = c.progress;
  const refused = Object.values(p.refused).reduce((sum, n) => sum + n, 0);
  const problem = el('p', { class: 'problem', role: 'alert' });
  return [
    heading(c.name, ' ', chip(c.state, tones[c.state])), problem,
    el('p', {}, `Flow ${c.flow} on ${c.channel}, ${c.rate}${c.template ? `, template ${c.template}` : ''}; `, number(c.size), ' contacts of ', said(c.source), when(c)),
    el('p', { class: 'actions' }, list(moves[c.state]).map((verb) => el('button', { id: `do-${verb}`, type: 'button', on: { click: (event) => move(c, verb, event.target, problem, again) } }, names[verb])),
      ' ', el('a', { href: `/api/v1/campaigns/${segment(c.name)}/results`, download: `${c.name}.csv` }, 'Results as CSV')),
    progress(c.size, [['answered', 'started', p.started], ['left', 'refused or parked', refused + p.failed], ['waiting', 'under way', p.ordered]]),
    el('dl', { class: 'tiles' }, tile('Started', p.started, c.size), tile('Delivered', p.delivered, p.started), tile('Read', p.read, p.started), tile('Replied', p.replied, p.started), tile('Opted out', p.opted_out, p.started)),
    table(['What', '#Contacts'], [
      ['waiting for their turn', number(p.waiting)], ['under way', number(p.ordered)], ['started', number(p.started)], ['sent', number(p.sent)], ['not delivered', number(p.undelivered)],
      ...Object.entries(p.refused).map(([reason, n]) => [`refused: ${reasons[reason] || reason}`, number(n)]), ['parked: started when they are redriven', number(p.failed)],
    ], 'What became of the contacts'),
  ];
}

function when(c) {
  if (c.state === 'scheduled') return [', starts ', time(c.starts_at)];
  if (c.finished_at) return [', ended ', time(c.finished_at)];
  return c.started_at ? [', started ', time(c.started_at)] : '';
}

const share = (part, whole) => (whole > 0 ? Math.round((100 * part) / whole) : 0);

const tile = (name, n, whole) => el('div', { class: 'tile' }, el('dt', {}, name), el('dd', {}, el('b', {}, number(n)), el('small', {}, `${share(n, whole)} %`)));

function progress(size, parts) {
  const text = parts.map(([, name, n]) => `${n} ${name}`).join(', ');
  return el('p', {}, el('span', { class: 'bar', role: 'img', 'aria-label': `${text}, of ${size}` }, parts.map(([tone, name, n]) => {
    const piece = el('i', { class: tone, title: `${name}: ${number(n)}` });
    piece.style.width = `${size > 0 ? (100 * n) / size : 0}%`;
    return piece;
  })));
}

async function move(c, verb, button, problem, again) {
  if (verb === 'cancel' && !confirm('Cancel it? Nobody more is started, for good.')) return;
  button.disabled = true;
  try {
    await post(`campaigns/${segment(c.name)}/${verb}`);
    await again();
  } catch (error) {
    problem.textContent = error.message;
    button.disabled = false;
  }
}
