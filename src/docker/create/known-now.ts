/** What there is at the moment that the body of a creation may name. */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Desired } from '../../model/desired.ts';
import { DEFAULT_NETWORK } from '../../model/network-mode.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { containerSpecOf } from '../../state/containers/written-spec.ts';
import type { ImageRecord } from '../../state/images/image-record.ts';
import type { DockerParts } from '../docker-parts.ts';
import { knownNetworks } from '../networks/known-networks.ts';
import type { ApiMinor } from '../wire/versions.ts';
import type { CreateContext, KnownContainer, KnownNetwork } from './context.ts';
import { imageFacts } from './image-facts.ts';

const BUILT_IN: readonly KnownNetwork[] = [
  { name: 'bridge', key: DEFAULT_NETWORK, spec: null },
  { name: 'host', key: null, spec: null },
  { name: 'none', key: null, spec: null },
];

function networkCalled(docker: DockerParts, reference: string): KnownNetwork | null {
  const builtIn = BUILT_IN.find(({ name }) => name === reference);
  if (builtIn) return builtIn;
  const begins = ({ id }: { readonly id: string }): boolean => reference.length > 0 && id.startsWith(reference);
  const all = knownNetworks(docker);
  const byId = all.filter(begins);
  const byName = all.find(({ name }) => name === reference);
  const found = byName ?? (byId.length === 1 ? byId[0] : undefined);
  if (found === undefined) return null;
  const { name, key } = found;
  const ours = BUILT_IN.find((one) => one.name === name);
  if (ours) return ours;
  const declared = docker.desired().resources.get(key);
  return declared?.kind === 'network' ? { name, key, spec: declared.spec as Desired<'network'>['spec'] } : null;
}

/** By id, name, the beginning of an id, or as specifications name it: `app/name`. */
function containerCalled({ containers }: DockerParts, reference: string): KnownContainer | null {
  const name = reference.replace(/^\//, '');
  const all = containers.all();
  const begins = (record: ContainerRecord): boolean => /^[0-9a-f]+$/.test(name) && record.id.startsWith(name);
  const several = all.filter(begins);
  const found =
    containers.get(name) ??
    all.find(({ engineName, owner }) => engineName === name || owner?.key === `container/${name}`) ??
    (several.length === 1 ? several[0] : undefined);
  if (!found?.owner) return null;
  return { key: found.owner.key, name: found.engineName, spec: containerSpecOf(found.owner) };
}

function volumeCalled({ desired, volumes }: DockerParts, name: string): Desired['key'] | null {
  for (const { kind, engineName, key } of desired().resources.values())
    if (kind === 'volume' && engineName === name) return key;
  const kept = volumes.get(name);
  return kept?.owner.type === 'named' ? kept.owner.key : null;
}

function isPublished({ containers }: DockerParts, { hostIp, port, protocol }: Wanted): boolean {
  const isAny = (address: string): boolean => address === '' || address === '0.0.0.0' || address === '::';
  const meets = (other: string): boolean => isAny(hostIp) || isAny(other) || hostIp === other;
  return containers
    .all()
    .some(({ network }) =>
      network?.ports.some((one) => one.hostPort === port && one.protocol === protocol && meets(one.hostIp)),
    );
}

type Wanted = Parameters<CreateContext['isPublished']>[0];

/** What names of networks, containers and volumes mean. */
export function namesNow(docker: DockerParts): Pick<CreateContext, 'network' | 'container' | 'volume'> {
  return {
    network: (reference) => networkCalled(docker, reference),
    container: (reference) => containerCalled(docker, reference),
    volume: (name) => volumeCalled(docker, name),
  };
}

export function knownNow(docker: DockerParts, image: ImageRecord, minor: ApiMinor): CreateContext {
  return {
    minor,
    imageId: image.id,
    image: imageFacts(image.Tsdocker?.ConfigJson ?? JSON.stringify({ config: image.config ?? {} })),
    cpus: availableParallelism(),
    ...namesNow(docker),
    exists: existsSync,
    isPublished: (port) => isPublished(docker, port),
  };
}
