// One phone: its person, what was said, and what can be said.
// Everything that came from a person or from Parley is set as textContent.

import { sendMessage } from './api.js';

const histories = {
  new: 'Somebody new. What is said is kept in memory only.',
  unknown: 'The history of this page starts here: it is kept in memory only, and the sandbox was restarted. The conversation itself goes on.',
  trimmed: 'Older messages are no longer on this page. The conversation itself goes on.',
};
const kept = 500; // bubbles, as many as the server keeps
const typingMs = 15_000; // who has not answered by then does not type any more
const groupMs = 5 * 60_000; // bubbles of one side closer than this stand together
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });

const cloned = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);

export class Phone {
  constructor(slot, { onNew, onUse }) {
    this.slot = slot;
    this.bubbles = new Map(); // id -> {element, bubble}
    this.element = cloned('phone-template');
    this.messages = this.find('.messages');
    this.input = this.find('input');
    this.typing = cloned('typing-template');
    this.mark();
    this.wire(onNew, onUse);
  }

  find(selector) { return this.element.querySelector(selector); }

  // mark gives the parts their stable names.
  mark() {
    const parts = { phone: this.element, messages: this.messages, input: this.input };
    for (const name of ['send', 'photo', 'new', 'restart', 'history']) parts[name] = this.find(`.${name}`);
    for (const [name, element] of Object.entries(parts)) {
      element.id = `${name}-${this.slot}`;
      element.dataset.testid = element.id;
    }
  }

  wire(onNew, onUse) {
    this.find('form').addEventListener('submit', (e) => { e.preventDefault(); this.send('text'); });
    this.find('.photo').addEventListener('click', () => this.send('image'));
    this.find('.new').addEventListener('click', onNew);
    for (const chip of this.element.querySelectorAll('.chip')) {
      chip.addEventListener('click', () => this.post('text', chip.dataset.text));
    }
    this.element.addEventListener('focusin', onUse);
    this.element.addEventListener('pointerdown', onUse);
    new ResizeObserver(() => this.scrollDown()).observe(this.messages);
  }

  focus() { this.input.focus(); }

  // show replaces everything by what the server knows about a person.
  show(view) {
    this.id = view.id;
    this.element.dataset.kind = view.kind;
    this.find('.name').textContent = view.name;
    this.find('.avatar').textContent = view.name.split(' ').map((part) => part[0]).join('');
    this.find('.kind').textContent = view.kind === 'phone' ? 'phone' : 'BSUID';
    this.find('.number').textContent = view.kind === 'phone' ? dialled(view.id) : view.id;
    this.find('.identity').title = view.kind === 'phone' ? 'known by their phone number' : 'known by a business-scoped user id only';
    this.find('.history').textContent = histories[view.history];
    this.find('.new').setAttribute('aria-label', `Replace ${view.name} by a new person`);
    this.element.setAttribute('aria-label', `Phone of ${view.name}`);
    this.input.setAttribute('aria-label', `Message from ${view.name} to ${dialled(view.business)}`);
    this.input.placeholder = `Message ${dialled(view.business)}`;
    for (const { element } of this.bubbles.values()) element.remove();
    this.bubbles.clear();
    for (const bubble of view.bubbles) this.put(bubble);
    this.complain('');
    this.awaitReply();
    this.scrollDown();
  }

  // put adds a bubble, or changes the one with its id.
  put(bubble) {
    const known = this.bubbles.get(bubble.id);
    const element = this.draw(bubble);
    if (known) known.element.replaceWith(element);
    else this.messages.append(element);
    this.bubbles.set(bubble.id, { element, bubble });
    this.group(element, bubble);
    if (this.bubbles.size > kept) this.dropOldest();
    this.awaitReply();
    if (!known) this.scrollDown();
  }

  dropOldest() {
    const [id, { element }] = this.bubbles.entries().next().value;
    element.remove();
    this.bubbles.delete(id);
    this.find('.history').textContent = histories.trimmed;
  }

  draw(bubble) {
    const element = document.createElement('div');
    element.className = `bubble ${bubble.direction}`;
    element.dataset.type = bubble.type;
    if (bubble.type === 'image') {
      const image = new Image(240, 150);
      image.src = 'photo.svg';
      image.alt = 'Photo';
      element.append(image);
    }
    const text = document.createElement('span');
    text.className = 'text';
    text.textContent = bubble.text || (bubble.type === 'image' ? '' : `[${bubble.type}]`);
    if (text.textContent) element.append(text);
    element.append(footer(bubble));
    return element;
  }

  // group gives a tail to the first bubble of each side's turn.
  group(element, bubble) {
    const before = [...this.bubbles.values()].findLast((b) => b.bubble.id < bubble.id)?.bubble;
    const together = before && before.direction === bubble.direction && new Date(bubble.at) - new Date(before.at) < groupMs;
    element.classList.toggle('tail', !together);
  }

  // awaitReply shows the dots while Parley has the last word of the person.
  awaitReply() {
    clearTimeout(this.typingTimer);
    const last = [...this.bubbles.values()].at(-1)?.bubble;
    const left = last?.state === 'accepted' ? new Date(last.at).getTime() + typingMs - Date.now() : 0;
    if (left <= 0) return this.typing.remove();
    this.messages.append(this.typing);
    this.typingTimer = setTimeout(() => this.typing.remove(), left);
    this.scrollDown();
  }

  scrollDown() { this.messages.scrollTop = this.messages.scrollHeight; }

  async send(type) {
    const text = this.input.value.trim();
    if (type === 'text' && !text) return;
    this.input.value = '';
    if (!await this.post(type, text)) this.input.value ||= text;
    this.focus();
  }

  // post returns false, and says why, if the message did not go.
  async post(type, text) {
    try {
      await sendMessage(this.id, type, text);
      this.complain('');
      return true;
    } catch (err) {
      this.complain(err.message);
      return false;
    }
  }

  complain(problem) { this.find('.problem').textContent = problem; }
}

function footer(bubble) {
  const element = document.createElement('span');
  element.className = 'foot';
  const time = document.createElement('time');
  time.dateTime = bubble.at;
  time.textContent = clock.format(new Date(bubble.at));
  element.append(time);
  if (bubble.direction === 'out') element.append(tick(bubble.state));
  return element;
}

// tick: a check for what Parley answered 200, a clock for all that it did not yet.
function tick(state) {
  const icon = cloned(state === 'accepted' ? 'icon-tick' : 'icon-clock');
  const label = { waiting: 'on its way', retrying: 'not accepted yet, posting again', accepted: 'accepted by Parley' }[state];
  icon.setAttribute('aria-label', label);
  icon.dataset.state = state;
  return icon;
}

// dialled writes a number as people read it; other identities stay as they are.
function dialled(id) {
  const parts = /^1(\d{3})(\d{3})(\d{4})$/.exec(id);
  if (parts) return `+1 ${parts[1]} ${parts[2]} ${parts[3]}`;
  return /^\d+$/.test(id) ? `+${id}` : id;
}
