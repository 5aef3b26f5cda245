// Funnels: how many sessions reached each step, and where they left.

import { get, query, segment } from './api.js';
import { el, field, form, link, list, note, number, title as heading } from './dom.js';

export const title = 'Funnels';

export async function show({ values, signal, go }) {
  const flows = list(await get('flows', signal)).map((f) => f.name);
  if (!flows.length) return [heading('Funnels'), note('No flow is published. Publish one: parley flow publish deploy/flows/lead.yaml')];
  const flow = values.flow || flows[0];
  const { flow: _, ...filter } = { ...values };
  const funnel = await get(`funnels/${segment(flow)}${query(filter)}`, signal);
  return [heading('Funnels'), choose(flows, flow, values, go), ...drawn(funnel)];
}

function choose(flows, flow, values, go) {
  const input = (name, label, more) => field(label, el('input', { id: `f-${name}`, name, value: values[name] || '', ...more }));
  return form({ class: 'filter' }, (given) => go('funnels', given),
    field('Flow', el('select', { id: 'f-flow', name: 'flow' }, flows.map((name) => el('option', { value: name, selected: name === flow }, name)))),
    input('from', 'Started from (UTC)', { type: 'date' }), input('to', 'Until (UTC)', { type: 'date' }),
    input('version', 'Version', { inputmode: 'numeric', size: 4 }), input('channel', 'Channel', {}), input('language', 'Language', { size: 4 }), el('button', { class: 'main' }, 'Show'));
}

const share = (part, whole) => (whole > 0 ? Math.round((100 * part) / whole) : 0);

function drawn({ totals, steps }) {
  if (!totals.started) return [note('No session of this flow fits. Widen the days, or ', link('/sandbox/', 'talk to it'), '.')];
  const most = Math.max(totals.started, ...list(steps).map((s) => s.entered));
  return [
    el('dl', { class: 'tiles' }, tile('Started', totals.started, totals.started), tile('Completed', totals.completed, totals.started), tile('Cancelled', totals.cancelled, totals.started), tile('Expired', totals.expired, totals.started)),
    el('ol', { class: 'funnel' }, list(steps).map((s) => bar(s, most))),
    el('p', { class: 'legend' }, el('i', { class: 'answered' }), ' answered ', el('i', { class: 'waiting' }), ' waiting ', el('i', { class: 'left' }), ' left'),
  ];
}

const tile = (name, n, whole) => el('div', { class: 'tile' }, el('dt', {}, name), el('dd', {}, el('b', {}, number(n)), el('small', {}, `${share(n, whole)} % of those started`)));

function bar(s, most) {
  const part = (name, n) => {
    const piece = el('i', { class: name, title: `${name}: ${number(n)}` });
    piece.style.width = `${(100 * n) / most}%`;
    return piece;
  };
  return el('li', {},
    el('span', { class: 'step' }, s.step),
    el('span', { class: 'bar', role: 'img', 'aria-label': `${s.step}: ${s.entered} entered, ${s.answered} answered, ${s.waiting} waiting, ${s.left} left` }, part('answered', s.answered), part('waiting', s.waiting), part('left', s.left)),
    el('span', { class: 'counts' }, `${number(s.entered)} entered · ${number(s.left)} left (${share(s.left, s.entered)} %)${s.rejections ? ` · ${number(s.rejections)} answers refused` : ''}${received(s.messages)}`),
    s.reminders ? el('small', { class: 'reminders' }, reminded(s.reminders), s.reminders.reason ? ` (${s.reminders.reason})` : '') : null);
}

// What reminders do that choose their time: who was reminded against who was not, by a draw.
function reminded({ reminded: n, returned, withheld, withheld_returned: alone, uplift, uplift_low: low, uplift_high: high, after_ms: after }) {
  const points = (part) => Math.round(100 * part);
  const when = after ? `Reminded after about ${Math.round(after / 60000)} min` : 'Reminded';
  if (uplift === null) return `${when}: ${number(n)} people, nobody to compare with yet`;
  return `${when}: ${share(returned, n)} % of ${number(n)} came back, of ${number(withheld)} who were not reminded ${share(alone, withheld)} %: ${points(uplift)} points more (${points(low)} to ${points(high)})`;
}

// What became of the messages of a step.
function received({ sent, delivered, read, failed }) {
  if (!sent && !failed) return '';
  return ` · ${number(sent)} messages: ${share(delivered, sent)} % delivered, ${share(read, sent)} % read${failed ? `, ${number(failed)} failed` : ''}`;
}
