// Sends whose outcome was unknown, with what settled them.

import { get } from './api.js';
import { chip, link, list, note, said, table, time, title as heading } from './dom.js';
import { query } from './api.js';

export const title = 'Deliveries';
export const every = 10000;

const tones = { accepted: 'good', failed: 'bad', ambiguous: 'wait' };

export async function show({ signal }) {
  const found = list(await get('ambiguous?limit=200', signal));
  if (!found.length) return [heading('Deliveries'), note('No send was ever without a clear answer.')];
  return [heading('Deliveries'), table(['Queued', 'Contact', 'State', 'Cause', 'Settled by', '#Attempts', '#Times unclear'], found.map((d) => [
    time(d.queued_at), link(`#/messages${query({ contact: d.contact_id })}`, said(d.contact_id.slice(0, 8))), chip(d.state, tones[d.state]), d.cause, d.settled_by || '–', d.attempts, d.times_ambiguous,
  ]), 'Sends whose outcome was unknown')];
}
