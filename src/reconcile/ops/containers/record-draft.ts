/** Records of containers as they follow from their declarations. */
import type { Clock } from '../../../model/clock.ts';
import { formatTime } from '../../../model/clock.ts';
import type { Desired } from '../../../model/desired.ts';
import type { ContainerOwner, ContainerRecord } from '../../../state/containers/container-record.ts';
import { NEVER_RUN } from '../../../state/containers/container-record.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import { writtenSpec } from '../../../state/containers/written-spec.ts';
import { dockerHostConfig, dockerRunConfig } from '../../task/docker-config.ts';
import { commandLine } from '../../task/task-spec.ts';
import type { Declared } from '../declared.ts';
import type { ContainerImage } from '../images/image-of.ts';
import { type HostnamePorts, hostnameOf, type TextPorts } from './container-texts.ts';

/** What a first record names beside its declaration. */
export interface DraftPorts extends HostnamePorts {
  readonly containers: Pick<ContainerStore, 'byKey' | 'textPath'>;
  readonly clock: Clock;
  readonly graph: { readonly name: string };
  readonly exec: { readonly name: string };
  readonly texts: TextPorts;
}

/** Version of the normalised spec in a container's record. */
export const SPEC_SCHEMA_VERSION = 1;

/** The declaration as it is remembered: the normalised spec, with the defaults of the time it was made. */
function ownerOf(declared: Declared, desired: Desired<'container'>): ContainerOwner {
  return {
    key: desired.key,
    written: writtenSpec(desired.spec),
    schemaVersion: SPEC_SCHEMA_VERSION,
    specHash: desired.specHash,
    contentHashes: desired.contentHashes,
    ...(desired.files && { files: desired.files }),
    generation: declared.desired().generation,
    ...(desired.request && { request: desired.request }),
    ...(desired.override && { override: desired.override }),
  };
}

/** What of a record follows from the declaration; written at creation and again when a change is taken over. */
export function declaredPart(
  ports: HostnamePorts,
  desired: Desired<'container'>,
  image: ContainerImage,
  containerId: string,
): Pick<ContainerRecord, 'owner' | 'engineName' | 'path' | 'args' | 'config' | 'hostConfig'> {
  const [path = '', ...args] = commandLine(desired.spec, image.defaults);
  return {
    owner: ownerOf(ports, desired),
    engineName: desired.engineName,
    path,
    args,
    config: dockerRunConfig({
      spec: desired.spec,
      image: image.defaults,
      imagePorts: image.ports,
      hostname: hostnameOf(ports, desired, containerId),
    }),
    hostConfig: dockerHostConfig(desired.spec),
  };
}

export function newRecord(
  ports: DraftPorts,
  desired: Desired<'container'>,
  image: ContainerImage,
  id: string,
): ContainerRecord {
  const created = formatTime(ports.clock.now().wallMs);
  return {
    id,
    ...declaredPart(ports, desired, image, id),
    created,
    imageId: image.id,
    topLayer: image.topLayer,
    snapshotId: id,
    graphDriver: ports.graph.name,
    execDriver: ports.exec.name,
    run: 0,
    begunAt: null,
    state: NEVER_RUN,
    handle: null,
    network: null,
    volumes: {},
    // A client starts what it has made when it wants to; the loop does not.
    stopOverride: desired.request ? { at: created, specHash: null, until: null } : null,
    stopTimeoutMs: null,
    stopping: null,
    restart: { restarts: 0, consecutive: 0, requested: false },
    linkAddresses: {},
    envAddresses: {},
    dependencyRuns: {},
    resolver: null,
    hostnamePath: ports.containers.textPath(id, 'hostname'),
    hostsPath: ports.containers.textPath(id, 'hosts'),
    resolvConfPath: ports.containers.textPath(id, 'resolv.conf'),
  };
}
