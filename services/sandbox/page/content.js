// What stands in a bubble, by its type. Each drawing gives {content, taps}: nodes
// for the bubble, and what can be tapped below them.

import { drawContacts, drawLocation } from './card.js';
import { string } from './dom.js';
import { text } from './format.js';
import { drawInteractive } from './interactive.js';
import { drawMedia } from './media.js';
import { drawTemplate } from './template.js';

const files = ['image', 'video', 'audio', 'document', 'sticker'];

export function drawContent(bubble, actions) {
  const content = bubble.content ?? {};
  const drawing = draw(bubble, content, actions);
  return { taps: [], ...drawing, content: drawing.content.length ? drawing.content : [text(`[${bubble.type}]`)] };
}

function draw(bubble, content, actions) {
  if (files.includes(bubble.type)) return { content: drawMedia(bubble, content) };
  if (bubble.type === 'location') return { content: drawLocation(content) };
  if (bubble.type === 'contacts') return { content: drawContacts(content) };
  if (bubble.direction === 'in' && bubble.type === 'interactive') return drawInteractive(bubble, content, actions);
  if (bubble.direction === 'in' && bubble.type === 'template') return drawTemplate(bubble, content, actions);
  if (bubble.type === 'reaction') return { content: [text(string(content.emoji))] };
  return { content: bubble.text ? [text(bubble.text)] : [] };
}
