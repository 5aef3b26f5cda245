// The page: two phones, the wire inspector, the switches, and the event stream that feeds them.
// The server's history is in memory only. The page remembers who its people are,
// so that they can go on talking when the server was restarted.

import { createPhone, openEvents, readPhone } from './api.js';
import { Faults } from './faults.js';
import { Phone } from './phone.js';
import { Session } from './session.js';
import { Wire } from './wire.js';

const kinds = ['phone', 'bsuid'];
const remembered = (slot) => `parley.sandbox.phone-${slot}`;

const wire = new Wire(document);
const faults = new Faults(document);
const session = new Session(document);
const phones = kinds.map((kind, i) => new Phone(i + 1, {
  onNew: () => renew(i),
  onUse: () => wire.select(i),
}));
let events;

start();

async function start() {
  document.getElementById('phones').append(...phones.map((p) => p.element));
  await Promise.all([session.load(), ...phones.map((_, i) => load(i))]);
  listen();
}

// load shows the person of a slot: the remembered one, or somebody new.
async function load(i) {
  const id = localStorage.getItem(remembered(i + 1));
  try {
    const view = id ? await readPhone(id) : await createPhone(kinds[i]);
    if (localStorage.getItem(remembered(i + 1)) === id) show(i, view); // else replaced meanwhile
  } catch (err) {
    phones[i].complain(err.message);
  }
}

async function renew(i) {
  try {
    show(i, await createPhone(kinds[i]));
    listen();
    phones[i].focus();
  } catch (err) {
    phones[i].complain(err.message);
  }
}

function show(i, view) {
  localStorage.setItem(remembered(i + 1), view.id);
  phones[i].show(view);
  wire.show(i, view);
}

// listen opens the event stream for the people shown now. Events are handled one
// after the other: those behind a reset wait until the phones were read again.
function listen() {
  events?.close();
  const source = openEvents(phones.map((p) => p.id).filter(Boolean));
  let queue = Promise.resolve();
  const on = (kind, handle) => source.addEventListener(kind, (e) => {
    const value = JSON.parse(e.data);
    queue = queue.then(() => source === events && handle(value));
  });
  on('reset', () => Promise.all([session.load(), ...phones.map((_, i) => load(i))]));
  on('session', (view) => session.show(view));
  on('bubble', (bubble) => at(bubble.phone, (i) => phones[i].put(bubble)));
  on('typing', (typing) => at(typing.phone, (i) => phones[i].showTyping(typing)));
  on('exchange', (exchange) => {
    at(exchange.phone, (i) => wire.put(i, exchange));
    faults.sent();
  });
  source.onopen = () => live('on', 'live');
  source.onerror = () => live('off', 'reconnecting');
  events = source;
}

function at(id, handle) {
  const i = phones.findIndex((p) => p.id === id);
  if (i >= 0) handle(i);
}

function live(state, text) {
  const element = document.getElementById('live');
  element.dataset.live = state;
  element.querySelector('span').textContent = text;
}
