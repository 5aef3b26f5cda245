// The page of the console: a hash names what is shown, as #/messages?contact=1555.

import { get, post, query } from './api.js';
import { el, field, form, note } from './dom.js';
import * as status from './status.js';
import * as messages from './messages.js';
import * as contact from './contact.js';
import * as funnels from './funnels.js';
import * as campaigns from './campaigns.js';
import * as deliveries from './deliveries.js';
import * as calls from './calls.js';
import * as webhooks from './webhooks.js';
import * as letters from './letters.js';

const views = { status, messages, contact, funnels, campaigns, deliveries, calls, webhooks, letters };
const main = document.getElementById('main');
let shown = null; // the abort of what is shown, and its timer

// place is what the address says: the view and its values.
function place() {
  const [path, values] = location.hash.replace(/^#\/?/, '').split('?');
  const name = Object.hasOwn(views, path) ? path : 'status';
  return { name, values: Object.fromEntries(new URLSearchParams(values)) };
}

// go shows a view with other values.
export function go(name, values) {
  const to = `#/${name}${query(values)}`;
  if (location.hash === to) show();
  else location.hash = to;
}

function leave() {
  if (!shown) return;
  shown.abort.abort();
  clearTimeout(shown.timer);
}

async function show() {
  leave();
  const { name, values } = place();
  const own = { abort: new AbortController(), timer: 0, name };
  shown = own;
  for (const a of document.querySelectorAll('#nav a')) {
    if (a.getAttribute('href') === `#/${name}`) a.setAttribute('aria-current', 'page');
    else a.removeAttribute('aria-current');
  }
  document.title = `${views[name].title} · Parley`;
  main.replaceChildren(el('p', { class: 'note', role: 'status' }, 'Loading…'));
  await draw(own, values);
}

// draw shows a view, and again every few seconds if the view wants it. What somebody
// is typing or pointing at stays.
async function draw(own, values) {
  const context = { values, go, signal: own.abort.signal, again: () => draw(own, values) };
  try {
    const parts = await views[own.name].show(context);
    if (own !== shown) return;
    const at = document.activeElement?.id;
    main.replaceChildren(...parts);
    main.dataset.view = own.name;
    if (at) document.getElementById(at)?.focus();
  } catch (error) {
    if (own !== shown || error.name === 'AbortError') return;
    if (error.status === 401) return void login();
    delete main.dataset.view;
    main.replaceChildren(note(error.message || 'This cannot be shown.', ' ', el('button', { type: 'button', on: { click: show } }, 'Try again')));
    if (error.status === undefined) throw error;
  }
  if (own === shown && views[own.name].every) {
    clearTimeout(own.timer);
    own.timer = setTimeout(() => draw(own, values), views[own.name].every);
  }
}

function login() {
  leave();
  const problem = el('p', { class: 'problem', role: 'alert' });
  const input = el('input', { id: 'token', name: 'token', type: 'password', autocomplete: 'current-password', required: true });
  main.dataset.view = 'login';
  main.replaceChildren(form({ class: 'card login' }, async ({ token }) => {
    try {
      await post('login', { token });
      start();
    } catch (error) {
      problem.textContent = error.message;
      input.select();
    }
  }, el('h1', {}, 'Log in'), field('Console token (PARLEY_CONSOLE_TOKEN)', input), problem, el('button', { class: 'main' }, 'Log in')));
  input.focus();
}

async function start() {
  try {
    const own = await get('console');
    document.getElementById('logout').hidden = !own.login;
    document.getElementById('sandbox').hidden = !own.sandbox;
  } catch (error) {
    if (error.status === 401) return login();
  }
  return show();
}

document.getElementById('logout').addEventListener('click', async () => {
  await post('logout');
  document.getElementById('logout').hidden = true;
  login();
});
addEventListener('hashchange', show);
start();
