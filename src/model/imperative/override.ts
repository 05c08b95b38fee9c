/** Changes that clients of the Docker API made of containers that manifests declare. */
import type { ContainerSpec } from '../kinds/container.ts';
import { clientName } from './request.ts';

export interface ContainerOverride {
  /** Hash of the declaration that it changes: it ends with another one. */
  readonly of: string;
  readonly resources: ContainerSpec['resources'];
  readonly restart: ContainerSpec['restart'];
  /** How the client calls itself. */
  readonly client: string;
  readonly uid: number | null;
  /** RFC 3339. */
  readonly at: string;
}

interface NamedContainer {
  readonly app: string;
  readonly name: string;
}

/** For people: who changed what, and what ends it. */
export function describeOverride(container: NamedContainer, { client, at }: ContainerOverride): string {
  const { app, name } = container;
  const until = `until the manifest's entry changes or \`tsdocker update --as-declared ${app}/${name}\``;
  return `limits and restart policy are those that ${clientName(client)} asked for at ${at}, ${until}`;
}
