/** What a translation needs to know besides the body: data, and nothing that changes anything. */
import type { ContainerSpec } from '../../model/kinds/container.ts';
import type { NetworkSpec } from '../../model/kinds/network.ts';
import type { Protocol } from '../../model/kinds/short-forms.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';
import { DockerError } from '../wire/docker-error.ts';
import type { ApiMinor } from '../wire/versions.ts';
import type { ImageFacts } from './image-facts.ts';

/** A network by the name or id that a client used. */
export interface KnownNetwork {
  readonly name: string;
  /** `host` and `none` are networks of Docker, and no resources here. */
  readonly key: ResourceKey | null;
  /** Null for the default bridge, `host` and `none`. */
  readonly spec: NetworkSpec | null;
}

export interface KnownContainer {
  readonly key: ResourceKey;
  /** Without a slash. */
  readonly name: string;
  readonly spec: ContainerSpec;
}

/** A port of the host that a range could give. */
interface WantedPort {
  readonly hostIp: string;
  readonly port: number;
  readonly protocol: Protocol;
}

export interface CreateContext {
  readonly minor: ApiMinor;
  /** The image that the body names, and the id it has now. */
  readonly imageId: string;
  readonly image: ImageFacts;
  /** CPUs of this host that are online. */
  readonly cpus: number;
  /** By name or id; null where there is none. */
  readonly network: (reference: string) => KnownNetwork | null;
  readonly container: (reference: string) => KnownContainer | null;
  /** By Docker's name. */
  readonly volume: (name: string) => ResourceKey | null;
  /** Whether there is something at a path of the host. */
  readonly exists: (path: string) => boolean;
  /** Whether another container publishes a port already. */
  readonly isPublished: (port: WantedPort) => boolean;
}

/** What one part of a body means: fields as a manifest writes them, and warnings for its client. */
export interface Section {
  readonly written: Readonly<Record<string, unknown>>;
  readonly warnings?: readonly string[];
}

/** @throws DockerError 400 always */
export function refuse(message: string): never {
  throw new DockerError(400, message);
}

/** @throws DockerError 400, as Docker does: to its clients 404 means that the image is missing, and they pull it */
export function containerOf(context: Pick<CreateContext, 'container'>, reference: string): KnownContainer {
  return context.container(reference) ?? refuse(`No such container: ${reference}`);
}

/** A key as specifications name it: `app/name`. */
export function referenceTo(key: ResourceKey): string {
  const { app, name } = parseKey(key);
  return `${app}/${name}`;
}
