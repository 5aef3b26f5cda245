// Files: a card that says what was sent. The page never fetches what a link names, only what was uploaded.

import { el, icon, string } from './dom.js';
import { text } from './format.js';

const kinds = new Map([
  ['image', { name: 'Photo', picture: 'photo' }],
  ['video', { name: 'Video', picture: 'play' }],
  ['audio', { name: 'Audio', picture: 'play' }],
  ['document', { name: 'Document', picture: 'file' }],
  ['sticker', { name: 'Sticker', picture: 'photo' }],
]);

// drawMedia draws a file with its caption. A person's own photo is the one of the sandbox.
export function drawMedia(bubble, file) {
  const own = bubble.direction === 'out' && bubble.type === 'image';
  const caption = string(file.caption) || (own ? bubble.text : '');
  return [own ? photo('photo.svg') : fileCard(bubble.type, file), caption && text(caption)].filter(Boolean);
}

// fileCard is a picture that the business has uploaded, or a card with the name of a file
// and where it is.
export function fileCard(kind, file) {
  if (file?.id && kind === 'image') return photo(`api/files/${encodeURIComponent(string(file.id))}`, fileCard(kind, { link: `media ${string(file.id)}` }));
  const { name, picture } = kinds.get(kind) ?? { name: kind, picture: 'file' };
  const place = string(file?.link) || (file?.id && `media ${string(file.id)}`);
  return file?.filename ? card(picture, string(file.filename), name, place) : card(picture, name, place);
}

// card is a picture with a title, and lines below it.
export function card(picture, title, ...lines) {
  const words = el('span', 'words', el('b', '', title), ...lines.filter(Boolean).map((line) => el('span', 'line', line)));
  return el('div', 'card', icon(picture), words);
}

// photo shows a picture, or something else if it cannot be had.
function photo(src, otherwise) {
  const image = new Image(240, 150);
  image.src = src;
  image.alt = 'Photo';
  if (otherwise) image.addEventListener('error', () => image.replaceWith(otherwise));
  return image;
}
