import { formatTime } from '../../../model/clock.ts';
import type { Desired } from '../../../model/desired.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { ContainerOwner, ContainerRecord } from '../../../state/containers/container-record.ts';
import { NEVER_RUN } from '../../../state/containers/container-record.ts';
import { writtenSpec } from '../../../state/containers/written-spec.ts';
import type { OpOf } from '../../op.ts';
import { dockerHostConfig, dockerRunConfig } from '../../task/docker-config.ts';
import { commandLine } from '../../task/task-spec.ts';
import { type ContainerImage, imageOf } from '../images/image-of.ts';
import { recordNames, requireNameFree } from '../networks/link-names.ts';
import { desiredOf, type World } from '../world.ts';
import { containerTexts, hostnameOf } from './container-texts.ts';
import {
  createAnonymousVolumes,
  missingAnonymousVolumes,
  mountedTexts,
  recordedVolumes,
  resolvedVolumes,
} from './container-volumes.ts';
import { replaceDamaged } from './damaged-container.ts';

/** Version of the normalised spec in a container's record. */
export const SPEC_SCHEMA_VERSION = 1;

/** The declaration as it is remembered: the normalised spec, with the defaults of the time it was made. */
function ownerOf(world: World, desired: Desired<'container'>): ContainerOwner {
  return {
    key: desired.key,
    written: writtenSpec(desired.spec),
    schemaVersion: SPEC_SCHEMA_VERSION,
    specHash: desired.specHash,
    contentHashes: desired.contentHashes,
    ...(desired.files && { files: desired.files }),
    generation: world.desired().generation,
  };
}

/** What of a record follows from the declaration; written at creation and again when a change is taken over. */
export function declaredPart(
  world: World,
  desired: Desired<'container'>,
  image: ContainerImage,
  containerId: string,
): Pick<ContainerRecord, 'owner' | 'engineName' | 'path' | 'args' | 'config' | 'hostConfig'> {
  const [path = '', ...args] = commandLine(desired.spec, image.defaults);
  return {
    owner: ownerOf(world, desired),
    engineName: desired.engineName,
    path,
    args,
    config: dockerRunConfig({
      spec: desired.spec,
      image: image.defaults,
      imagePorts: image.ports,
      hostname: hostnameOf(world, desired, containerId),
    }),
    hostConfig: dockerHostConfig(desired.spec),
  };
}

function newRecord(world: World, desired: Desired<'container'>, image: ContainerImage, id: string): ContainerRecord {
  return {
    id,
    ...declaredPart(world, desired, image, id),
    created: formatTime(world.clock.now().wallMs),
    imageId: image.id,
    topLayer: image.topLayer,
    snapshotId: id,
    graphDriver: world.graph.name,
    execDriver: world.exec.name,
    run: 0,
    begunAt: null,
    state: NEVER_RUN,
    handle: null,
    network: null,
    volumes: {},
    stopOverride: null,
    stopTimeoutMs: null,
    stopping: null,
    restart: { restarts: 0, consecutive: 0, requested: false },
    linkAddresses: {},
    envAddresses: {},
    dependencyRuns: {},
    hostnamePath: world.containers.textPath(id, 'hostname'),
    hostsPath: world.containers.textPath(id, 'hosts'),
    resolvConfPath: world.containers.textPath(id, 'resolv.conf'),
  };
}

/** Makes snapshot, volumes and record; the container exists once this resolved. */
export async function createContainer(world: World, op: OpOf<'container.create'>): Promise<void> {
  const desired = desiredOf(world, 'container', op.key);
  world.making.add(op.containerId);
  try {
    await world.mutex.runExclusive(op.containerId, () => make(world, op, desired));
  } finally {
    world.making.delete(op.containerId);
  }
}

async function make(world: World, op: OpOf<'container.create'>, desired: Desired<'container'>): Promise<void> {
  const existing = world.containers.byKey(op.key);
  if (existing?.id === op.containerId) return;
  if (existing) throw new TsdError('TSD_BUG', `${op.key} exists as ${existing.id}`, { key: op.key });
  await replaceDamaged(world, op.key, desired.engineName);
  // Before anything is made: a container that exists would be started, with or without its name.
  requireNameFree(world, desired.engineName, op.containerId);
  const image = imageOf(world, desired);
  const missing = missingAnonymousVolumes(world, desired, image);
  if (missing.length > 0) await createAnonymousVolumes(world, desired, missing);
  await world.graph.createSnapshot(op.containerId, image.topLayer);
  const record = {
    ...newRecord(world, desired, image, op.containerId),
    volumes: recordedVolumes(resolvedVolumes(world, desired, image, op.containerId)),
  };
  await world.commits.commit({
    files: (batch) => {
      const texts = containerTexts(world, desired, op.containerId);
      world.containers.create(record, texts, batch, mountedTexts(desired));
    },
    names: () => recordNames(world, desired, op.containerId),
  });
}
