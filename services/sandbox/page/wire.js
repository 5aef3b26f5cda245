// The wire inspector: each HTTP request between Parley and the sandbox.

import { button, el } from './dom.js';

const kept = 100; // rows for a phone, as many as the server keeps
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });

export class Wire {
  constructor(document) {
    this.phones = []; // {name, exchanges: Map by id}
    this.selected = 0;
    this.pinned = null; // id of the exchange that was clicked; null follows the newest
    this.tabs = document.getElementById('wire-of');
    this.list = document.getElementById('wire-list');
    this.note = document.getElementById('wire-note');
    this.json = document.getElementById('wire-json');
  }

  // show replaces what is known about one of the phones.
  show(i, view) {
    this.phones[i] = { name: view.name, kind: view.kind, exchanges: new Map(view.exchanges.map((x) => [x.id, x])) };
    this.pinned = null;
    this.drawTabs();
    this.draw();
  }

  put(i, exchange) {
    const { exchanges } = this.phones[i];
    exchanges.set(exchange.id, exchange);
    if (exchanges.size > kept) exchanges.delete(exchanges.keys().next().value);
    if (i === this.selected) this.draw();
  }

  select(i) {
    if (i === this.selected) return;
    this.selected = i;
    this.pinned = null;
    this.drawTabs();
    this.draw();
  }

  drawTabs() {
    this.tabs.replaceChildren(...this.phones.map((phone, i) => {
      const tab = button('segment', phone.name, () => this.select(i));
      tab.dataset.kind = phone.kind;
      tab.setAttribute('aria-pressed', String(i === this.selected));
      return tab;
    }));
  }

  draw() {
    const exchanges = [...(this.phones[this.selected]?.exchanges.values() ?? [])].reverse();
    // A newest receipt says less than the newest message: follow the messages.
    const current = exchanges.find((x) => x.id === this.pinned)
      ?? exchanges.find((x) => !x.title.startsWith('receipt')) ?? exchanges[0];
    const focused = this.list.contains(document.activeElement) && document.activeElement.dataset.id;
    this.list.replaceChildren(...exchanges.map((x) => this.row(x, x === current)));
    if (focused) this.list.querySelector(`[data-id="${focused}"]`)?.focus();
    this.detail(current);
  }

  row(x, current) {
    const row = button('exchange', '', () => { this.pinned = x.id; this.draw(); });
    row.dataset.id = x.id;
    if (current) row.setAttribute('aria-current', 'true');
    row.append(
      el('span', `arrow ${x.kind}`, x.kind === 'webhook' ? '↑' : '↓'),
      el('span', 'title', x.title),
      el('span', 'time', clock.format(new Date(x.at))),
      el('span', 'millis', x.kind === 'webhook' && x.attempts ? duration(x) : ''),
      el('span', `status ${outcome(x)}`, x.attempts ? String(x.status || 'none') : '…'),
    );
    return el('li', '', row);
  }

  detail(x) {
    this.json.replaceChildren();
    this.note.textContent = x ? summary(x) : 'Nothing yet. Say hello on one of the phones.';
    if (x) this.json.append(...coloured(JSON.stringify(x.request, null, 2)));
  }
}

const outcome = (x) => (!x.attempts ? 'waiting' : x.status === 200 ? 'good' : 'bad');

const duration = (x) => (x.millis ? `${x.millis} ms` : '<1 ms');

function summary(x) {
  const meta = x.provider === 'meta';
  if (x.kind === 'call') return meta ? 'POST …/messages, received by the Graph API and accepted' : 'POST …/send-message, received by WASenderApi and accepted';
  const webhook = meta ? 'Signed webhook' : 'Webhook of WASenderApi';
  if (!x.attempts) return `${webhook}, not posted yet`;
  const tries = x.attempts > 1 ? `, attempt ${x.attempts}` : '';
  return x.problem ? `${x.problem}${tries}, posting again` : `${webhook}, 200 in ${duration(x)}${tries}`;
}

// coloured cuts JSON into keys, strings, other values, and what stands between.
function coloured(json) {
  const token = /("(?:\\.|[^"\\])*")(\s*:)?|\b(?:true|false|null)\b|-?\d[\d.eE+-]*/g;
  const parts = [];
  let end = 0;
  for (const match of json.matchAll(token)) {
    parts.push(json.slice(end, match.index));
    const name = match[2] ? 'key' : match[1] ? 'string' : 'value';
    parts.push(el('span', name, match[1] ?? match[0]), match[2] ?? '');
    end = match.index + match[0].length;
  }
  return [...parts, json.slice(end)];
}
