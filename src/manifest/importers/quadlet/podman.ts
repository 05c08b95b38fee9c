/** Keys that are the same in several types of Quadlet units. */
import type { ResourceDraft } from '../draft.ts';
import type { Entry } from './unit-file.ts';

export const PODMAN_ONLY = {
  PodmanArgs: 'no meaning: arguments of Podman are not looked at; see what they do here',
  GlobalArgs: 'no meaning: it is for Podman itself',
  ContainersConfModule: 'no meaning: it configures Podman',
  ServiceName: 'no meaning: there is no systemd service',
} as const;

export function addLabels(entry: Entry, resource: ResourceDraft): void {
  for (const [name, value] of entry.assignments()) resource.put('labels', name, value ?? '', entry.at);
}
