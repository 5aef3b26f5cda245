// Finding somebody by a name: one person, or a list to choose from. The name goes in the
// body of a request, never in an address.

import { post, query } from './api.js';
import { el, link, list, note, said, table, time } from './dom.js';

// What names one contact as it stands: a phone number, a user id, a LID, a contact id.
const exact = /^(\+?\d{5,}|[A-Z]{2}\.\S+|\d+@lid|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

export const hint = 'phone, id, @name or name';

// find gives the contact that somebody asked for, or else nodes that say what was found.
// Page is where a choice leads to, with the other values.
export async function find(values, page) {
  if (!values.contact || exact.test(values.contact)) return { contact: values.contact?.replace(/^\+/, '') };
  const found = await post('contacts/find', { who: values.contact });
  const people = list(found.contacts);
  if (people.length === 1 && !found.more) return { contact: people[0].contact_id };
  if (!people.length) return { nodes: [note('Nobody has that name or user name. The beginning is enough; a phone number needs all its digits, with the country code.')] };
  return { nodes: [
    table(['Name', 'User name', 'Phone or user id', 'Last heard'], people.map((p) => [
      link(`#/${page}${query({ ...values, contact: p.contact_id })}`, said(p.name || p.username || p.phone || p.bsuid)),
      said(p.username && `@${p.username}`), said(p.phone ? `+${p.phone}` : p.bsuid), time(p.last_interaction),
    ]), 'People'),
    found.more && el('p', { class: 'soft' }, 'There are more: write more of the name.'),
  ].filter(Boolean) };
}
