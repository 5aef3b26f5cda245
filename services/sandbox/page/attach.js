// What a person can attach besides words: a photo, a document, a place, a contact.

import { button, el, icon } from './dom.js';
import { drawField } from './field.js';
import { fillIn } from './form.js';

// What each kind asks for, and the message that it makes of the answers.
const kinds = {
  document: {
    title: 'Document', icon: 'file',
    fields: [{ name: 'filename', label: 'File name', value: 'document.pdf', required: true }, { name: 'text', label: 'Caption' }],
    message: (values) => values,
  },
  location: {
    title: 'Location', icon: 'pin',
    fields: [
      { name: 'latitude', label: 'Latitude', type: 'number', value: '-34.6083', required: true },
      { name: 'longitude', label: 'Longitude', type: 'number', value: '-58.3712', required: true },
      { name: 'name', label: 'Name of the place', value: 'Plaza de Mayo' }, { name: 'address', label: 'Address' },
    ],
    message: (values) => ({ ...values, latitude: Number(values.latitude), longitude: Number(values.longitude) }),
  },
  contacts: {
    title: 'Contact', icon: 'person',
    fields: [
      { name: 'name', label: 'Name', value: 'Grace Hopper', required: true },
      { name: 'phone', label: 'Phone', type: 'tel', value: '+1 555 010 4477', required: true },
      { name: 'email', label: 'Email', type: 'email' },
    ],
    message: (values) => ({ contacts: [values] }),
  },
};

// openAttach shows the menu on a sheet. onPhoto sends the photo, answer any message.
export function openAttach({ sheet, answer }, onPhoto) {
  const photo = choice('photo', 'Photo', () => { sheet.close(); onPhoto(); });
  const others = Object.entries(kinds).map(([type, kind]) => choice(kind.icon, kind.title, () => ask(sheet, type, kind, answer)));
  sheet.open('Attach', el('div', 'choices', photo, ...others));
}

// askLocation asks for a place, as the answer to a message.
export function askLocation({ sheet, answer }, context) {
  ask(sheet, 'location', kinds.location, (message) => answer({ ...message, context }));
}

function choice(picture, title, onClick) {
  const element = button(`choice ${picture}`, '', onClick);
  element.append(icon(picture), title);
  return element;
}

function ask(sheet, type, kind, answer) {
  const fields = kind.fields.map(drawField);
  const send = (values) => answer({ type, ...kind.message(values) });
  sheet.open(kind.title, fillIn(fields.map((f) => f.element), fields, send));
}
