// The frame of a message: what it answers, its content, its time, its ticks and
// its reaction.

import { drawContent } from './content.js';
import { cloned, el, icon, string } from './dom.js';

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const states = { waiting: 'on its way', retrying: 'not accepted yet, posting again', accepted: 'accepted by Parley' };

// drawBubble draws a message. quoted is the message that it answers, if that is on
// the phone; reaction is an emoji or nothing; actions is what can be done with it.
export function drawBubble(bubble, { quoted, reaction, actions }) {
  const element = el('div', `bubble ${bubble.direction}`);
  element.dataset.type = bubble.type;
  const { content, taps } = drawContent(bubble, actions);
  if (quoted) element.append(el('span', 'quote', glance(quoted)));
  element.append(...content, footer(bubble));
  if (taps.length) element.append(el('div', 'taps', ...taps));
  if (reaction) element.append(badge(reaction));
  return element;
}

// glance is a message in a few words.
const glance = (bubble) => (bubble.text || string(bubble.content?.body?.text) || `[${bubble.type}]`).slice(0, 120);

function footer(bubble) {
  const time = el('time', '', clock.format(new Date(bubble.at)));
  time.dateTime = bubble.at;
  return el('span', 'foot', time, bubble.direction === 'out' && tick(bubble.state));
}

// tick: a check for what Parley answered 200, a clock for all that it did not yet.
function tick(state) {
  const element = icon(state === 'accepted' ? 'tick' : 'clock');
  element.setAttribute('aria-label', states[state]);
  element.dataset.state = state;
  return element;
}

function badge(emoji) {
  const element = el('span', 'reaction', emoji);
  element.setAttribute('role', 'img');
  element.setAttribute('aria-label', `The business reacted with ${emoji}`);
  return element;
}

export const drawTyping = () => cloned('typing-template');
