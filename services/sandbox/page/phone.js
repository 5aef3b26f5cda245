// One phone: its person, what was said, and what can be said.
// Everything that came from a person or from Parley becomes a text node.

import { sendMessage } from './api.js';
import { openAttach } from './attach.js';
import { drawBubble, drawTyping } from './bubble.js';
import { button, cloned, string } from './dom.js';
import { Sheet } from './sheet.js';

const histories = {
  new: 'Somebody new. What is said is kept in memory only.',
  unknown: 'The history of this page starts here: it is kept in memory only, and the sandbox was restarted. The conversation itself goes on.',
  trimmed: 'Older messages are no longer on this page. The conversation itself goes on.',
};
const lineNames = { meta: 'Cloud API', wasender: 'WASenderApi' };
const kept = 500; // bubbles, as many as the server keeps
const typingMs = 25_000; // as WhatsApp: who has not answered by then does not type any more
const groupMs = 5 * 60_000; // bubbles of one side closer than this stand together

export class Phone {
  constructor(slot, { onNew, onUse }) {
    this.slot = slot;
    this.bubbles = new Map(); // id -> {element, bubble}
    this.reactions = new Map(); // wamid -> emoji
    this.element = cloned('phone-template');
    this.messages = this.find('.messages');
    this.input = this.find('input');
    this.lines = this.find('.lines');
    this.typing = drawTyping();
    this.sheet = new Sheet(this.element);
    this.actions = { post: (message) => this.post(message), answer: (message) => this.answer(message), own: () => this.own(), sheet: this.sheet };
    this.mark();
    this.wire(onNew, onUse);
  }

  find(selector) { return this.element.querySelector(selector); }

  // mark gives the parts their stable names.
  mark() {
    const parts = { phone: this.element, messages: this.messages, input: this.input, sheet: this.sheet.element, lines: this.lines };
    for (const name of ['send', 'attach', 'new', 'restart', 'history']) parts[name] = this.find(`.${name}`);
    for (const [name, element] of Object.entries(parts)) {
      element.id = `${name}-${this.slot}`;
      element.dataset.testid = element.id;
    }
  }

  wire(onNew, onUse) {
    this.find('.composer').addEventListener('submit', (e) => { e.preventDefault(); this.send('text'); });
    this.find('.attach').addEventListener('click', () => openAttach(this.actions, () => this.send('image')));
    this.find('.new').addEventListener('click', onNew);
    for (const chip of this.element.querySelectorAll('.chip')) {
      chip.addEventListener('click', () => this.post({ type: 'text', text: chip.dataset.text }));
    }
    this.element.addEventListener('focusin', onUse);
    this.element.addEventListener('pointerdown', onUse);
    new ResizeObserver(() => this.scrollDown()).observe(this.messages);
  }

  focus() { this.input.focus(); }

  // own is the card of the phone's person. Behind a BSUID is a number, too.
  own() {
    const phone = this.element.dataset.kind === 'phone' ? this.id : `1555${this.id.slice(-7)}`;
    return { name: this.find('.name').textContent, phone: `+${phone}` };
  }

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
    this.sheet.close();
    this.stopTyping();
    for (const { element } of this.bubbles.values()) element.remove();
    this.bubbles.clear();
    this.reactions.clear();
    this.drawLines(view.lines);
    for (const bubble of view.bubbles) this.put(bubble);
    this.complain('');
    this.scrollDown();
  }

  // drawLines shows what its person can write to. Each is a conversation of its own.
  drawLines(lines) {
    const choice = lines.length > 1 ? lines : [];
    this.lines.hidden = !choice.length;
    this.lines.replaceChildren(...choice.map((line) => {
      const segment = button('segment', lineNames[line.provider], () => { localStorage.setItem(this.remembered, line.provider); this.turnTo(line); });
      segment.dataset.provider = line.provider;
      return segment;
    }));
    this.turnTo(lines.find((l) => l.provider === localStorage.getItem(this.remembered)) ?? lines[0]);
  }

  get remembered() { return `parley.sandbox.line-${this.slot}`; }

  // turnTo shows the conversation on a line, and writes there.
  turnTo(line) {
    this.line = line;
    for (const segment of this.lines.children) segment.setAttribute('aria-pressed', String(segment.dataset.provider === line.provider));
    this.input.setAttribute('aria-label', `Message from ${this.find('.name').textContent} to ${dialled(line.number)}`);
    this.input.placeholder = `Message ${dialled(line.number)}`;
    this.stopTyping();
    for (const { element, bubble } of this.bubbles.values()) this.place(element, bubble);
    this.scrollDown();
  }

  // place hides what was said on another line, and a reaction that is on its message.
  place(element, bubble) {
    const reacts = bubble.type === 'reaction' && bubble.direction === 'in';
    const gone = reacts && (this.named(string(bubble.content?.message_id)) || !bubble.content?.emoji);
    element.hidden = bubble.provider !== this.line.provider || Boolean(gone);
    this.group(element, bubble);
  }

  // put adds a bubble, or changes the one with its id.
  put(bubble) {
    const known = this.bubbles.get(bubble.id);
    const element = this.draw(bubble);
    if (known) known.element.replaceWith(element);
    else this.messages.append(element);
    this.bubbles.set(bubble.id, { element, bubble });
    this.place(element, bubble);
    if (bubble.type === 'reaction' && bubble.direction === 'in') this.react(bubble.content);
    if (this.bubbles.size > kept) this.dropOldest();
    if (known) return;
    if (bubble.direction === 'in' && !element.hidden) this.stopTyping();
    this.messages.append(...(this.typing.isConnected ? [this.typing] : []));
    this.scrollDown();
  }

  draw(bubble) {
    const quoted = bubble.context && this.named(bubble.context)?.bubble;
    return drawBubble(bubble, { quoted, reaction: this.reactions.get(bubble.wamid), actions: this.actions });
  }

  // named finds a message by the name that WhatsApp gave it.
  named(wamid) { return [...this.bubbles.values()].find((b) => b.bubble.wamid === wamid); }

  // react puts an emoji on the message that it is about, or takes it away. If that
  // message is not on the phone, the emoji stands alone.
  react(content) {
    const wamid = string(content?.message_id);
    const target = this.named(wamid)?.bubble;
    if (!target) return;
    this.reactions.set(wamid, string(content.emoji));
    this.put(target);
  }

  dropOldest() {
    const [id, { element, bubble }] = this.bubbles.entries().next().value;
    element.remove();
    this.bubbles.delete(id);
    this.reactions.delete(bubble.wamid);
    this.find('.history').textContent = histories.trimmed;
  }

  // group gives a tail to the first bubble of each side's turn.
  group(element, bubble) {
    const before = [...this.bubbles.values()].findLast((b) => b.bubble.id < bubble.id && !b.element.hidden)?.bubble;
    const together = before && before.direction === bubble.direction && new Date(bubble.at) - new Date(before.at) < groupMs;
    element.classList.toggle('tail', !together);
  }

  // showTyping shows the dots, until the business has written or for as long as
  // WhatsApp shows them.
  showTyping({ at, provider }) {
    if (provider !== this.line.provider) return;
    this.stopTyping();
    const left = new Date(at).getTime() + typingMs - Date.now();
    if (left <= 0) return;
    this.messages.append(this.typing);
    this.typingTimer = setTimeout(() => this.stopTyping(), left);
    this.scrollDown();
  }

  stopTyping() {
    clearTimeout(this.typingTimer);
    this.typing.remove();
  }

  scrollDown() { this.messages.scrollTop = this.messages.scrollHeight; }

  async send(type) {
    const text = this.input.value.trim();
    if (type === 'text' && !text) return;
    this.input.value = '';
    if (!await this.post({ type, text })) this.input.value ||= text;
    this.focus();
  }

  // answer posts what was chosen on the sheet. The focus goes to the words: on what
  // opened the sheet, an Enter that is held down would open it again.
  answer(message) {
    this.sheet.close();
    this.focus();
    return this.post(message);
  }

  // post returns false, and says why, if the message did not go.
  async post(message) {
    try {
      await sendMessage(this.id, { ...message, provider: this.line?.provider });
      this.complain('');
      return true;
    } catch (err) {
      this.complain(err.message);
      return false;
    }
  }

  complain(problem) { this.find('.problem').textContent = problem; }
}

// dialled writes a number as people read it; other identities stay as they are.
function dialled(id) {
  const parts = /^1(\d{3})(\d{3})(\d{4})$/.exec(id);
  if (parts) return `+1 ${parts[1]} ${parts[2]} ${parts[3]}`;
  return /^\d+$/.test(id) ? `+${id}` : id;
}
