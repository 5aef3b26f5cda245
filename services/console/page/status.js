// How the installation is: what a person must do first, then services and sessions.

import { get } from './api.js';
import { ago, chip, el, link, list, note, number, table, title as heading } from './dom.js';
import { cards } from './gateway.js';

export const title = 'Status';
export const every = 5000;

export async function show({ signal, again }) {
  const [status, sessions] = await Promise.all([get('status', signal), get('wasender/sessions', signal)]);
  const services = byService(list(status.leases));
  return [
    heading('Status', el('span', { class: 'soft' }, `as of ${new Date().toLocaleTimeString('en', { hour12: false })}`)),
    alarms(status, services, list(sessions)),
    tiles(status),
    el('h2', {}, 'Services'),
    services.length ? table(['Service', 'Shards', '#Replicas', '#Events behind', ''], services.map(line), 'Services') : note('No service has started yet: start them, or everything with parley up.'),
    ...(list(sessions).length ? [el('h2', {}, 'Sessions of WASenderApi'), cards(list(sessions), again)] : []),
  ];
}

// byService sums the shards of each service.
function byService(leases) {
  const services = new Map();
  for (const lease of leases) {
    const s = services.get(lease.service) || { name: lease.service, shards: 0, held: 0, behind: 0, owners: new Set() };
    s.shards += 1;
    s.behind += lease.behind;
    if (lease.held) {
      s.held += 1;
      s.owners.add(lease.owner);
    }
    services.set(lease.service, s);
  }
  return [...services.values()];
}

const line = (s) => [
  s.name, shards(s), number(s.owners.size), number(s.behind),
  s.held === s.shards ? chip('owned', 'good') : chip(`${s.shards - s.held} without an owner`, 'bad'),
];

function shards(s) {
  const bar = el('meter', { min: 0, max: s.shards, value: s.held, 'aria-label': `${s.held} of ${s.shards} shards are owned` });
  return el('span', { class: 'shards' }, bar, ` ${s.held}/${s.shards}`);
}

const letters = (status) => status.dead_letters || {};

// alarms is what a person must look at, the worst first.
function alarms(status, services, sessions) {
  const found = [];
  for (const s of services.filter((each) => each.held < each.shards)) {
    found.push(['bad', `${s.name}: ${s.shards - s.held} of ${s.shards} shards have no owner. Start the service, or wait a few seconds after a restart.`]);
  }
  for (const s of list(status.send_stops)) {
    found.push(['bad', [el('strong', {}, [s.scope, s.name, s.subject].filter(Boolean).join(' ')), `: nothing is sent (${s.class.replaceAll('_', ' ')}${s.code ? ` ${s.code}` : ''}) since `, ago(s.since), `, until ${ago(s.until)} at least`]]);
  }
  for (const s of sessions.filter((each) => each.alarm)) {
    found.push([s.alarm === 'down' || s.alarm === 'stopped' ? 'wait' : 'bad', [el('strong', {}, s.channel), `: ${s.advice || s.alarm}`, s.alarm_since ? ` (${ago(s.alarm_since)})` : '']]);
  }
  if (letters(status).parked) found.push(['bad', [`${number(letters(status).parked)} parked: the contacts concerned wait. `, link('#/letters?kind=parked', 'Look at them')]]);
  const ambiguous = status.deliveries?.ambiguous;
  if (ambiguous) found.push(['wait', [`${number(ambiguous)} sends wait for a receipt. `, link('#/deliveries', 'Look at them')]]);
  if (!found.length) return el('p', { class: 'alarm good', role: 'status' }, 'All is well: every shard has its owner, and nobody need do anything.');
  return el('ul', { class: 'alarms', role: 'status' }, found.map(([tone, text]) => el('li', { class: `alarm ${tone}` }, text)));
}

function tiles(status) {
  const sent = Object.entries(status.deliveries || {});
  return el('dl', { class: 'tiles' },
    ...list(status.streams).map((s) => tile(s.name, number(s.messages), `${number(Math.round(s.bytes / 1024))} KiB kept`)),
    tile('Sends in 24 h', number(sent.reduce((sum, [, n]) => sum + n, 0)), sent.map(([state, n]) => `${state} ${number(n)}`).join(' · ') || 'none yet'),
    tile('Dead letters', number(Object.values(letters(status)).reduce((sum, n) => sum + n, 0)), Object.entries(letters(status)).map(([kind, n]) => `${kind} ${number(n)}`).join(' · ') || 'none'),
    tile('Orphan receipts', number(status.orphan_receipts), 'whose message is not known yet'));
}

const tile = (name, value, more) => el('div', { class: 'tile' }, el('dt', {}, name), el('dd', {}, el('b', {}, value), el('small', {}, more)));
