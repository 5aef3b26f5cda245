// Text as WhatsApp shows it: *bold*, _italic_ and ~strike~, each within one line
// and only around whole words.

import { el } from './dom.js';

const tags = { '*': 'strong', '_': 'em', '~': 's' };
const styled = /(?<![\p{L}\p{N}])([*_~])(?=\S)([^\n]*?\S)\1(?![\p{L}\p{N}])/gu;
const deepest = 3; // each of the styles once within the others
const longest = 4096; // as WhatsApp's longest text; beyond it the search would take too long

// text is a text in a bubble.
export const text = (value) => el('span', 'text', ...formatted(value));

// formatted gives the nodes of a text.
function formatted(text, depth = 0) {
  if (depth === deepest || text.length > longest) return [text];
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(styled)) {
    const element = document.createElement(tags[match[1]]);
    element.append(...formatted(match[2], depth + 1));
    nodes.push(text.slice(end, match.index), element);
    end = match.index + match[0].length;
  }
  return [...nodes, text.slice(end)];
}
