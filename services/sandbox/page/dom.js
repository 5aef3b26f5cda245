// Building blocks of the page. Text only ever becomes a text node, so whatever a
// person or Parley wrote cannot become markup.

export function el(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children.filter((child) => child || child === 0));
  return element;
}

export function button(className, text, onClick) {
  const element = el('button', className, text);
  element.type = 'button';
  element.addEventListener('click', onClick);
  return element;
}

export const cloned = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);

export const icon = (name) => cloned(`icon-${name}`);

// string makes text of a value of JSON, whatever it is.
export function string(value) {
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? '' : JSON.stringify(value);
}

// list makes an array of a value that should be one.
export const list = (value) => (Array.isArray(value) ? value : []);
