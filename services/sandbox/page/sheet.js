// The sheet that slides over one phone: a list, a form, the attachments. It is a
// dialog of its phone only; the other phone can be used meanwhile.

import { button, cloned } from './dom.js';

export class Sheet {
  constructor(phone) {
    this.phone = phone;
    this.element = cloned('sheet-template');
    this.title = this.element.querySelector('h3');
    this.body = this.element.querySelector('.sheet-body');
    this.element.querySelector('header').append(button('close', 'Close', () => this.close()));
    this.element.addEventListener('keydown', (e) => { if (e.key === 'Escape') this.close(); });
    phone.append(this.element);
  }

  // open shows something. The focus goes to the first thing that can be used.
  open(title, ...children) {
    if (!this.element.open) this.opener = document.activeElement;
    this.title.textContent = title;
    this.element.setAttribute('aria-label', title);
    this.body.replaceChildren(...children);
    this.cover(true);
    this.element.show();
    (this.body.querySelector('input, select, textarea, button') ?? this.element.querySelector('.close')).focus();
  }

  // close gives the focus back to what opened the sheet.
  close() {
    if (!this.element.open) return;
    this.element.close();
    this.body.replaceChildren();
    this.cover(false);
    this.opener?.focus();
  }

  // cover keeps what is behind the sheet from being used.
  cover(on) {
    this.phone.classList.toggle('covered', on);
    for (const part of this.phone.children) if (part !== this.element) part.inert = on;
  }
}
