// Templates. What an approved template says only WhatsApp knows: shown are its
// name and the parameters, as they were sent.

import { el, list, string } from './dom.js';
import { drawHeader, formTap, tap } from './interactive.js';

export function drawTemplate(bubble, template, actions) {
  const components = list(template.components);
  const title = el('b', 'head', `Template ${string(template.name)}`);
  const language = el('span', 'small', string(template.language?.code));
  const shown = components.filter((c) => c?.type !== 'button').flatMap(drawComponent);
  const taps = components.filter((c) => c?.type === 'button').map((c) => drawButton(bubble, c, actions));
  return { content: [title, language, ...shown], taps };
}

function drawComponent(component) {
  const parameters = list(component?.parameters);
  if (component?.type === 'header') return parameters.flatMap(drawHeader);
  return [el('dl', 'facts', ...parameters.flatMap((p, i) => [
    el('dt', '', string(p?.parameter_name) || `{{${i + 1}}}`), el('dd', '', valueOf(p)),
  ]))];
}

// valueOf is a parameter of a body: a text, or something that has a fallback.
const valueOf = (p) => string(p?.text) || string(p?.[p?.type]?.fallback_value) || string(p?.[p?.type]);

function drawButton(bubble, component, actions) {
  const parameter = list(component.parameters)[0] ?? {};
  const number = `Button ${Number(component.index) + 1 || 1}`;
  if (component.sub_type === 'quick_reply') {
    const payload = string(parameter.payload);
    return tap(payload, '', payload, () => actions.post({ type: 'template_button', context: bubble.wamid, payload }));
  }
  if (component.sub_type === 'flow') return formTap(bubble, number, { data: parameter.action?.flow_action_data }, actions);
  return el('span', 'small address', `${number}: ${string(parameter.text) || string(component.sub_type)}`);
}
