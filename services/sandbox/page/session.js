// The session of WASenderApi: how it is, and what can be done to it with the phone that
// it is linked to.

import { changeSession, readSession } from './api.js';
import { button } from './dom.js';

// What each state lets one do, and what it asks for.
const states = {
  connected: { acts: [['drop', 'Drop', 'WhatsApp cuts the link; Parley connects it again'], ['log_out', 'Log out', 'The phone ends the link: a person must scan a code']] },
  need_scan: { acts: [['scan', 'Scan', 'Scan the code, as the phone would']], text: 'needs a scan' },
  logged_out: { text: 'logged out: connect it in the console' },
};

export class Session {
  constructor(document) {
    this.element = document.getElementById('session');
    this.text = this.element.querySelector('span');
  }

  async load() {
    try {
      this.show(await readSession());
    } catch {
      this.show({ status: '' }); // it is read again when the sandbox answers
    }
  }

  // show shows it if there is one.
  show({ status }) {
    const { acts = [], text = status.replaceAll('_', ' ') } = states[status] ?? {};
    this.element.hidden = !status;
    this.element.dataset.status = status;
    this.text.textContent = `WASenderApi ${text}`;
    for (const old of this.element.querySelectorAll('button')) old.remove();
    this.element.append(...acts.map(([what, label, title]) => {
      const act = button('chip', label, () => this.change(what));
      act.dataset.do = what;
      act.title = title;
      return act;
    }));
  }

  // change needs no answer: what has become of the session is an event.
  async change(what) {
    try {
      await changeSession(what);
    } catch {
      await this.load();
    }
  }
}
