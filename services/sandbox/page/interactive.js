// Messages with something to tap: buttons, a list, a link, a form. They stay
// tappable for ever, as on WhatsApp: what a late tap means is Parley's to decide.

import { askLocation } from './attach.js';
import { button, el, icon, list, string } from './dom.js';
import { formSheet } from './form.js';
import { text } from './format.js';
import { fileCard } from './media.js';

const drawings = new Map([
  ['button', drawButtons], ['list', drawList], ['cta_url', drawLink], ['flow', drawForm],
  ['request_contact_info', drawShare], ['location_request_message', drawPlace],
]);

export function drawInteractive(bubble, message, actions) {
  const content = [
    ...drawHeader(message.header),
    message.body?.text && text(string(message.body.text)),
    message.footer?.text && el('span', 'small', string(message.footer.text)),
  ].filter(Boolean);
  const draw = drawings.get(message.type);
  return draw ? { content, taps: draw(bubble, message.action ?? {}, actions) } : { content };
}

// drawHeader draws a header: a text in bold, or a file.
export function drawHeader(header) {
  if (!header) return [];
  if (header.type === 'text') return [el('b', 'head', string(header.text))];
  return [fileCard(string(header.type), header[header.type])];
}

function drawButtons(bubble, action, { post }) {
  return list(action.buttons).map((b) => tap(string(b?.reply?.title), '', string(b?.reply?.id), () => {
    post({ type: 'button', context: bubble.wamid, id: b.reply.id, title: b.reply.title });
  }));
}

function drawList(bubble, action, { answer, sheet }) {
  const title = string(action.button);
  const rowOf = (row) => rowButton(row, () => answer({ type: 'list', context: bubble.wamid, id: row.id, title: row.title }));
  return [opener(title, 'list', () => sheet.open(title, ...list(action.sections).map((section) => el('section', 'rows',
    section?.title && el('h4', '', string(section.title)), ...list(section?.rows).map(rowOf)))))];
}

function rowButton(row, onClick) {
  const element = button('row', '', onClick);
  element.dataset.id = string(row?.id);
  element.append(el('b', '', string(row?.title)), el('span', '', string(row?.description)));
  return element;
}

function drawLink(bubble, action) {
  const { display_text: title, url } = action.parameters ?? {};
  const address = el('span', 'small address', string(url));
  if (!isWeb(url)) return [address];
  const link = el('a', 'tap', icon('link'), string(title));
  Object.assign(link, { href: url, target: '_blank', rel: 'noopener noreferrer', title: url });
  return [link, address];
}

// isWeb keeps javascript: and its like from becoming a link.
const isWeb = (url) => URL.canParse(url) && ['http:', 'https:'].includes(new URL(url).protocol);

function drawForm(bubble, action, actions) {
  const { flow_cta: title, flow_action_payload: payload } = action.parameters ?? {};
  return [formTap(bubble, string(title) || 'Open form', payload, actions)];
}

// formTap is the button of a form. Send answers with what was filled in, and the
// close button of the sheet with nothing.
export function formTap(bubble, title, payload, { answer, sheet }) {
  const send = (values) => answer({ type: 'form', context: bubble.wamid, values });
  return opener(title, 'form', () => sheet.open(title, formSheet(payload, send)));
}

// drawShare is the button that gives the person's own number away.
function drawShare(bubble, action, { answer, own }) {
  return [tap('Share contact info', 'person', '', () => answer({ type: 'contacts', shared: true, context: bubble.wamid, contacts: [own()] }))];
}

function drawPlace(bubble, action, actions) {
  return [opener('Send location', 'pin', () => askLocation(actions, bubble.wamid))];
}

// tap is a button below a message.
export function tap(title, picture, id, onClick) {
  const element = button('tap', title, onClick);
  if (picture) element.prepend(icon(picture));
  element.dataset.id = id;
  return element;
}

function opener(title, picture, onClick) {
  const element = tap(title, picture, '', onClick);
  element.setAttribute('aria-haspopup', 'dialog');
  return element;
}
