/** Which events a client asks for. Pure. */
import type { Filters } from '../wire/query.ts';
import type { EventMessage } from './message.ts';

export const EVENT_FILTERS = [
  ...['type', 'event', 'scope', 'label', 'container', 'image', 'volume', 'network', 'daemon', 'builder'],
  ...['plugin', 'service', 'node', 'secret', 'config'],
];

/** What follows the first word of these says more of the same. */
const WITH_DETAILS = /^(exec_create|exec_start|health_status):/;

/** Objects are meant by the beginning of their id or name. */
const OBJECTS = ['container', 'volume', 'network', 'plugin', 'service', 'node', 'secret', 'config', 'builder'];

function withoutTag(reference: string): string {
  const digest = reference.indexOf('@');
  if (digest !== -1) return reference.slice(0, digest);
  const tag = reference.lastIndexOf(':');
  return tag > reference.lastIndexOf('/') ? reference.slice(0, tag) : reference;
}

function isAction(action: string, wanted: string): boolean {
  return action === wanted || (WITH_DETAILS.test(action) && action.startsWith(wanted));
}

export function isAskedFor(message: EventMessage, filters: Filters, daemon: readonly string[]): boolean {
  const { ID, Attributes } = message.Actor;
  const { name } = Attributes;
  const image = (message.Type === 'image' ? name : Attributes.image) ?? '';
  const images = [ID, image, withoutTag(ID), withoutTag(image)];
  return (
    filters.some('type', (type) => type === message.Type) &&
    filters.some('event', (wanted) => isAction(message.Action, wanted)) &&
    filters.some('scope', (scope) => scope === message.scope) &&
    filters.some('daemon', (wanted) => daemon.includes(wanted)) &&
    filters.labels(Attributes) &&
    filters.some('image', (wanted) => images.includes(wanted)) &&
    OBJECTS.every((kind) => filters.some(kind, (wanted) => ID.startsWith(wanted) || name?.startsWith(wanted) === true))
  );
}
