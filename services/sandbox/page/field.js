// A field of a form: {element, entry}, where entry() gives its name and value.

import { el, list, string } from './dom.js';

const inputs = ['text', 'number', 'email', 'tel', 'date', 'time', 'url', 'password'];
const synonyms = new Map([['phone', 'tel'], ['boolean', 'checkbox'], ['optin', 'checkbox']]);
let count = 0; // labels name their fields by id

// drawField draws a field by its description: {name, label, type, options, required, value}.
export function drawField(field) {
  const asked = string(field.type).toLowerCase();
  const type = synonyms.get(asked) ?? asked;
  const control = list(field.options).length ? select(field) : input(type, field);
  control.id = `field-${++count}`;
  control.name = string(field.name);
  control.required = field.required === true;
  const label = el('label', '', string(field.label) || control.name);
  label.htmlFor = control.id;
  const value = () => (control.type === 'checkbox' ? control.checked : control.value);
  return { element: el('div', `field ${control.type}`, label, control), entry: () => [control.name, value()] };
}

function input(type, field) {
  if (type === 'textarea') return el('textarea');
  const control = el('input');
  control.type = type === 'checkbox' || inputs.includes(type) ? type : 'text';
  if (type === 'number') control.step = 'any';
  control.value = field.value === undefined ? control.value : string(field.value);
  return control;
}

// select offers the options: words, or what WhatsApp's own forms have, {id, title}.
function select(field) {
  return el('select', '', el('option'), ...field.options.map((o) => {
    const option = el('option', '', string(o?.title ?? o?.label ?? o));
    option.value = string(o?.id ?? o?.value ?? o);
    return option;
  }));
}

// anyField asks for a name and a value.
export function anyField() {
  const name = el('input');
  const value = el('input');
  name.setAttribute('aria-label', 'Name');
  value.setAttribute('aria-label', 'Value');
  name.placeholder = 'name';
  value.placeholder = 'value';
  return { element: el('div', 'field pair', name, value), entry: () => [name.value.trim(), value.value] };
}
