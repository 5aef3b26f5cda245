// The sheet of a form (a WhatsApp Flow). The sandbox does not know the form's own
// screens, so it asks for what the data of the first screen lists under "fields",
// or else for names and values.

import { button, el, list, string } from './dom.js';
import { anyField, drawField } from './field.js';

// formSheet draws the form for a flow_action_payload; onSend gets the values.
export function formSheet(payload, onSend) {
  const { fields, ...data } = dataOf(payload?.data);
  const known = list(fields).filter((field) => field?.name);
  if (fields !== undefined && !known.length) data.fields = fields;
  const drawn = known.length ? known.map(drawField) : [anyField()];
  const more = known.length ? null : button('more', 'Add a value', () => {
    drawn.push(anyField());
    more.before(drawn.at(-1).element);
    drawn.at(-1).element.querySelector('input').focus();
  });
  return fillIn([facts(payload?.screen, data), ...drawn.map((f) => f.element), more], drawn, onSend);
}

// fillIn is a form with the values of its fields. A field without a name is left out.
export function fillIn(children, fields, onSend) {
  const send = el('button', 'send-form', 'Send');
  const form = el('form', 'fill', ...children, send);
  form.autocomplete = 'off';
  form.addEventListener('submit', (e) => {
    e.preventDefault();
    onSend(Object.fromEntries(fields.map((f) => f.entry()).filter(([name]) => name)));
  });
  return form;
}

// dataOf reads the data of a screen: an object, or, as one of Meta's pages has it,
// an object written as a string.
function dataOf(data) {
  try {
    const object = typeof data === 'string' ? JSON.parse(data) : data;
    return object && typeof object === 'object' ? object : {};
  } catch {
    return { data };
  }
}

// facts shows the data that the screen opens with.
function facts(screen, data) {
  const shown = Object.entries(data);
  if (screen) shown.unshift(['screen', screen]);
  if (!shown.length) return null;
  return el('dl', 'facts', ...shown.flatMap(([name, value]) => [el('dt', '', name), el('dd', '', string(value))]));
}
