/** What is known of one container. */
import type { RootMount } from '../../drivers/contract/graph.ts';
import { joinedContainers, sharedNamespace } from '../../model/kinds/namespace-forms.ts';
import { parseKey } from '../../model/resource.ts';
import { resolveReference } from '../../reconcile/plan/references.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { containerSpecOf } from '../../state/containers/written-spec.ts';
import type { DockerParts } from '../docker-parts.ts';
import { imageSize } from '../images/image-facts.ts';
import { tagsById } from '../images/image-names.ts';
import { knownNetworks, networkIds } from '../networks/known-networks.ts';
import { containerJson, type GraphDriverData } from './container-json.ts';
import { stateOf } from './container-state.ts';
import { declaredRequest } from './declared-request.ts';
import { networkModeOf, networksOf } from './endpoint-settings.ts';
import { hostConfigJson } from './host-config.ts';
import { imageRunConfig, mergedConfig } from './image-config.ts';
import { mountPointsOf, volumesByPath } from './mount-points.ts';
import { askedNetworkMode, bindsOf, requestOf, tmpfsMountsOf } from './request.ts';
import { seenContainer } from './seen.ts';
import { sizesOf } from './sizes.ts';

function dataOf(mount: RootMount): GraphDriverData['Data'] {
  if (mount.type !== 'overlay') return null;
  return { LowerDir: mount.lowers.join(':'), UpperDir: mount.upper, WorkDir: mount.work };
}

function graphDriverOf({ graph }: DockerParts, { graphDriver, snapshotId }: ContainerRecord): GraphDriverData {
  const isHere = graphDriver === graph.name && graph.exists(snapshotId);
  return { Name: graphDriver, Data: isHere ? dataOf(graph.rootMount(snapshotId)) : null };
}

function execIdsOf({ execs }: DockerParts, containerId: string): readonly string[] | null {
  const ids = execs.runningIn(containerId);
  return ids.length === 0 ? null : ids;
}

const MODE_OF = { pid: 'PidMode', ipc: 'IpcMode' } as const;

/** Under the ids of the containers, which keep them under another name. */
function sharedModes({ containers }: DockerParts, { owner }: ContainerRecord): Readonly<Record<string, string>> {
  if (owner === null) return {};
  const { app } = parseKey(owner.key);
  const joined = joinedContainers(containerSpecOf(owner));
  return Object.fromEntries(
    joined.flatMap(({ field, name }) => {
      const record = containers.byKey(resolveReference('container', app, name));
      return record ? [[MODE_OF[field], sharedNamespace(record.id)]] : [];
    }),
  );
}

/** @param isSized measures it, which reads all of its writable layer */
export async function inspectContainer(
  docker: DockerParts,
  record: ContainerRecord,
  isSized: boolean,
): Promise<Readonly<Record<string, unknown>>> {
  const image = docker.images.get(record.imageId);
  const state = stateOf(seenContainer(docker, record));
  const request = record.owner && requestOf(record.owner);
  const binds = bindsOf(request);
  const mounts = mountPointsOf(record, volumesByPath(docker.volumes.all()), binds, tmpfsMountsOf(request));
  const volumeName = (target: string): string | null =>
    mounts.find(({ Destination }) => Destination === target)?.Name ?? null;
  const tag = tagsById(docker.repositories.all()).get(record.imageId)?.[0] ?? `sha256:${record.imageId}`;
  const asked = request ?? declaredRequest(record, { image: tag, volumeName });
  const networkMode = askedNetworkMode(request) ?? networkModeOf(record, (key) => docker.containers.byKey(key)?.id);
  return containerJson({
    record,
    state,
    config: mergedConfig(asked.config, imageRunConfig(image), record.config.Hostname),
    hostConfig: hostConfigJson(asked.hostConfig, { networkMode, shared: sharedModes(docker, record) }),
    networks: networksOf(
      record,
      state.Running,
      networkIds(docker.instanceId, knownNetworks(docker)),
      request?.endpoints,
    ),
    mounts,
    logPath: docker.containers.logPath(record.id),
    graphDriver: graphDriverOf(docker, record),
    execIds: execIdsOf(docker, record.id),
    sizes: isSized ? await sizesOf(docker, record, imageSize(image)) : null,
  });
}
