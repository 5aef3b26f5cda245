// Places and people.

import { list, string } from './dom.js';
import { card } from './media.js';

export function drawLocation(place) {
  const point = `${string(place.latitude)}, ${string(place.longitude)}`;
  return [card('pin', string(place.name) || 'Location', string(place.address), point)];
}

export function drawContacts(people) {
  return list(people).map((person) => card('person', nameOf(person),
    string(person?.org?.company),
    ...list(person?.phones).map((p) => string(p?.phone)),
    ...list(person?.emails).map((e) => string(e?.email))));
}

const nameOf = (person) => string(person?.name?.formatted_name) || string(person?.name?.first_name) || 'Contact';
