/** Events of containers: what a client reads of the container with each of them. */
import type { ContainerSpec } from '../../model/kinds/container.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { requestOf } from '../containers/request.ts';
import type { Attributes, EventDraft } from './message.ts';

/** Also of a container that is gone. */
export interface EventSubject {
  readonly id: string;
  readonly attributes: Attributes;
}

export function subjectOf({ id, owner, config, engineName }: ContainerRecord): EventSubject {
  // As the client wrote it, which filters look for; a declared container's is in its config.
  const asked = owner && requestOf(owner)?.config.Image;
  const image = typeof asked === 'string' ? asked : config.Image;
  const labels = (owner?.written as Partial<ContainerSpec> | undefined)?.labels ?? {};
  return { id, attributes: { ...labels, image, name: engineName } };
}

export function containerEvent({ id, attributes }: EventSubject, action: string, more: Attributes = {}): EventDraft {
  return { type: 'container', action, id, attributes: { ...attributes, ...more } };
}
