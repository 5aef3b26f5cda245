// The switches: what goes wrong with the messages that Parley sends from now on.

import { addFault, listFaults, resetFaults } from './api.js';
import { el } from './dom.js';

// What can go wrong, as people say it, and as the API does.
const ways = [
  ['Refused by Meta: too many messages (429, code 130429)', { kind: 'refuse', status: 429, code: 130429, retry_after: 5 }],
  ['Refused: too many messages (429)', { kind: 'refuse', status: 429, retry_after: 5 }],
  ['Refused: server error (500)', { kind: 'refuse', status: 500 }],
  ['Refused by Meta: to this person too fast (code 131056)', { kind: 'refuse', status: 400, code: 131056 }],
  ['Refused by Meta: over 24 hours (code 131047)', { kind: 'refuse', status: 400, code: 131047 }],
  ['Cut before it is accepted', { kind: 'cut' }],
  ['Accepted, and no answer for 20 s', { kind: 'lost', delay_ms: 20_000 }],
  ['Accepted, answered after 5 s', { kind: 'slow', delay_ms: 5000 }],
  ['Accepted, the answer is unreadable', { kind: 'garbage' }],
  ['Receipts before the answer', { kind: 'receipts_first' }],
  ['Receipts 10 s late', { kind: 'receipts_late', delay_ms: 10_000 }],
  ['Receipts twice', { kind: 'receipts_twice' }],
  ['No receipts', { kind: 'receipts_never' }],
  ['The session of WASenderApi drops', { kind: 'drop' }],
];

export class Faults {
  constructor(document) {
    const find = (id) => document.getElementById(id);
    [this.badge, this.way, this.often, this.count, this.list, this.problem] = ['on', 'way', 'often', 'count', 'list', 'problem'].map((id) => find(`faults-${id}`));
    this.way.append(...ways.map(([title], i) => option(i, title)));
    find('faults-form').addEventListener('submit', (e) => { e.preventDefault(); this.turnOn(); });
    find('faults-reset').addEventListener('click', () => this.after(resetFaults()));
    this.after(Promise.resolve());
  }

  turnOn() {
    const [, fault] = ways[this.way.value];
    this.after(addFault({ ...fault, [this.often.value]: Number(this.count.value) }));
  }

  // after shows what is on once something was done, or why it could not be.
  async after(done) {
    try {
      await done;
      this.draw((await listFaults()).faults);
      this.problem.textContent = '';
    } catch (err) {
      this.problem.textContent = err.message;
    }
  }

  // sent looks again when a message was sent, if one could have met a switch.
  sent() { if (this.list.childElementCount) this.after(Promise.resolve()); }

  draw(faults) {
    const on = faults.filter((f) => f.next || f.every).length;
    this.badge.textContent = on;
    this.badge.hidden = !on;
    this.list.replaceChildren(...faults.map((f) => el('li', f.next || f.every ? '' : 'over', `${title(f)}: ${left(f)}, hit ${f.fired}`)));
  }
}

const title = (f) => ways.find(([, way]) => way.kind === f.kind && way.status === f.status && way.code === f.code)?.[0] ?? f.kind;

function left(f) {
  if (f.every) return f.every === 1 ? 'every message' : `every ${f.every} messages`;
  return f.next ? `the next ${f.next === 1 ? 'message' : `${f.next} messages`}` : 'over';
}

function option(value, text) {
  const element = el('option', '', text);
  element.value = String(value);
  return element;
}
