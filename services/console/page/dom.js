// Building blocks of the pages. Text only ever becomes a text node, so whatever a
// person, a gateway or Parley wrote cannot become markup.

export function el(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'on') for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child || child === 0).map((child) => (typeof child === 'number' ? String(child) : child)));
  return element;
}

// said is text that somebody outside wrote: its direction cannot turn what stands
// around it.
export const said = (text, tag = 'bdi') => el(tag, { dir: 'auto' }, string(text));

// string makes text of a value of JSON, whatever it is.
export function string(value) {
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? '' : JSON.stringify(value);
}

export const list = (value) => (Array.isArray(value) ? value : []);

export const number = (value) => Number(value || 0).toLocaleString('en');

const moment = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' });
const clock = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', hour12: false });
const day = new Intl.DateTimeFormat('en', { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });

function written(format, value) {
  const at = new Date(value);
  return value && !Number.isNaN(at.getTime()) ? format.format(at) : '';
}

export const dayOf = (value) => written(day, value);
export const clockOf = (value) => written(clock, value);

// time is a moment, with how long ago it was.
export function time(value, format = moment) {
  const text = written(format, value);
  return text ? el('time', { datetime: new Date(value).toISOString(), title: `${text} (${ago(value)})` }, text) : el('span', {}, '–');
}

export function ago(value) {
  const seconds = Math.round((Date.now() - new Date(value)) / 1000);
  const far = Math.abs(seconds);
  const [size, unit] = far < 90 ? [1, 's'] : far < 5400 ? [60, ' min'] : far < 129600 ? [3600, ' h'] : [86400, ' days'];
  const text = `${Math.round(far / size)}${unit}`;
  return seconds >= 0 ? `${text} ago` : `in ${text}`;
}

// chip is a word with a colour: good, bad, wait, or none.
export const chip = (text, tone) => el('span', { class: `chip ${tone || ''}` }, text);

export function table(heads, rows, label) {
  return el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': label },
    el('table', {},
      el('thead', {}, el('tr', {}, heads.map((head) => el('th', { scope: 'col', class: head.startsWith('#') && 'num' }, head.replace('#', ''))))),
      el('tbody', {}, rows.map((row) => el('tr', {}, row.map((cell, i) => el('td', { class: heads[i].startsWith('#') && 'num', 'data-head': heads[i].replace('#', '') }, cell)))))));
}

// note says that there is nothing to show, and what to do next.
export const note = (text, ...more) => el('p', { class: 'note' }, text, ...more);

export const title = (text, ...more) => el('div', { class: 'title' }, el('h1', {}, text), ...more);

export const link = (href, text) => el('a', { href }, text);

export function field(label, input) {
  return el('label', { class: 'field' }, el('span', {}, label), input);
}

// form hands its values to act when it is sent.
export function form(attributes, act, ...children) {
  return el('form', { ...attributes, on: { submit: (event) => {
    event.preventDefault();
    act(Object.fromEntries(new FormData(event.target)));
  } } }, ...children);
}
