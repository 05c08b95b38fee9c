/** Makes elements. Text goes in as text only: what a container or a manifest says is never read as markup. */

const SVG = 'http://www.w3.org/2000/svg';

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'onclick') element.addEventListener('click', value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.flat(Number.POSITIVE_INFINITY).filter((child) => child !== null && child !== undefined));
  return element;
}

export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

export const byId = (id) => document.getElementById(id);

/** Puts children in place of the old ones; the element with the focus keeps it when one with the same key comes back. */
export function replace(parent, ...children) {
  const focused = document.activeElement;
  const key = parent.contains(focused) ? focused.getAttribute('data-key') : null;
  parent.replaceChildren(...children.flat(Number.POSITIVE_INFINITY).filter((child) => child !== null));
  if (key === null) return;
  parent.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

const ESCAPE = String.fromCharCode(27);
const SEQUENCES = new RegExp(`${ESCAPE}(\\[[0-9;:?]*[ -/]*[@-~]|\\][^${ESCAPE}]*)`, 'g');

/** A line of a log without colours; other control characters as pictures of themselves. */
export function plainLine(text) {
  return text
    .replace(SEQUENCES, '')
    .replace(/\r?\n$/, '')
    .replace(/\p{Cc}/gu, (c) => {
      const code = c.codePointAt(0);
      return c === '\t' ? c : code < 0x20 ? String.fromCharCode(0x2400 + code) : '\u{fffd}';
    });
}

export function age(time) {
  if (time === null) return '–';
  const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(time)) / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

const isUnhealthy = ({ phase, health }) => phase === 'Running' && health?.state === 'unhealthy';

/** It does not do what it is there for, and needs somebody to look. */
export const isFailing = (container) =>
  container.phase === 'Failed' || container.phase === 'BackingOff' || isUnhealthy(container);

/** What a container that runs is beside that; null when it is ready. */
export function unready(container) {
  if (container.ready) return null;
  return isUnhealthy(container) ? 'unhealthy' : 'not ready';
}

/** Class of a colour for a phase or state; the word stands beside it always. */
export function tone(container) {
  const { phase, ready } = container;
  if (isFailing(container)) return 'bad';
  if (phase === 'Running') return ready ? 'good' : 'warn';
  return phase === 'Exited' ? 'idle' : 'warn';
}
