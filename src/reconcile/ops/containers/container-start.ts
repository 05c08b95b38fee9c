import type { RecordedNetwork } from '../../../drivers/contract/exec.ts';
import { formatTime } from '../../../model/clock.ts';
import type { Desired } from '../../../model/desired.ts';
import { TsdError, toTsdError } from '../../../model/errors/errors.ts';
import { filesReadAtStart } from '../../../model/host-files.ts';
import { runName } from '../../../model/observed.ts';
import type { ContainerRecord } from '../../../state/containers/container-record.ts';
import { bootTimeOfLaunch } from '../../exits.ts';
import { keptLimits } from '../../kernel-limits.ts';
import type { OpOf } from '../../op.ts';
import { namespaceOwner, startDependencies, usesHostNetwork } from '../../plan/references.ts';
import { exposedPorts, storedEnv } from '../../task/docker-config.ts';
import type { LinkedContainer } from '../../task/link-env.ts';
import { buildTaskSpec } from '../../task/task-spec.ts';
import { requireFree } from '../free-paths.ts';
import { type ContainerImage, imageById } from '../images/image-of.ts';
import { isCutOff, linkTargets, networkOf } from '../networks/endpoint.ts';
import { updateAliases } from '../networks/link-names.ts';
import { declarationFor, recordOf, type World } from '../world.ts';
import { declaredPart } from './container-create.ts';
import { containerTexts, hostnameOf, hostsText, linkAddresses } from './container-texts.ts';
import { recordedVolumes, resolvedVolumes } from './container-volumes.ts';
import { stopAgainst } from './stop-override.ts';

function linkedContainers(world: World, desired: Desired<'container'>): LinkedContainer[] {
  return linkTargets(desired).flatMap(({ key, alias }) => {
    const record = world.containers.byKey(key);
    const linked = world.desired().resources.get(key) as Desired<'container'> | undefined;
    const address = record?.network?.address;
    // A completed one-shot has released its address, and no dependent connects to it.
    if (record?.state.status === 'exited' && record.state.exitCode === 0 && address === undefined) return [];
    if (isCutOff(world, desired.spec)) throw noNetworkToLinkOver(desired);
    if (!record || !linked || address === undefined) {
      throw new TsdError(
        'TSD_CONTAINER_NOT_RUNNING',
        `Cannot link to a non running container: /${key} AS /${desired.engineName}/${alias}`,
        // It was there when the start was planned, and comes back by its own policy.
        { class: 'unavailable', key: desired.key },
      );
    }
    const image = imageById(world, record.imageId, linked);
    const ports = exposedPorts(linked.spec, image.ports);
    return [{ alias, parentName: desired.engineName, address, ports, env: [...(record.config.Env ?? [])] }];
  });
}

function noNetworkToLinkOver({ key, positions, source }: Desired<'container'>): TsdError {
  return new TsdError(
    'TSD_NETWORK',
    'it cannot link to another container: the default network is switched off (-b none)',
    {
      class: 'precondition',
      key,
      source: positions.links ?? source,
      hint: 'Declare a network and put both containers on it, or start the supervisor without -b none.',
    },
  );
}

/** Addresses that the variables of links name: those of containers that have ports. */
function envAddresses(world: World, desired: Desired<'container'>): Record<string, string> {
  const addresses = linkTargets(desired).flatMap(({ key, alias }) => {
    const network = world.containers.byKey(key)?.network;
    return network && network.ports.length + network.exposed.length > 0 ? [[alias, network.address] as const] : [];
  });
  return Object.fromEntries(addresses);
}

/** The network namespace to enter: its own, the one of the container it shares with, or null for the host's. */
function netnsOf(world: World, desired: Desired<'container'>): number | null {
  const owner = namespaceOwner(desired, world.desired().resources);
  if (owner && usesHostNetwork(owner.spec)) return null;
  const record = owner && world.containers.byKey(owner.key);
  const sandbox = record ? world.network.sandbox(record.id) : null;
  if (sandbox) return sandbox.netnsFd;
  throw new TsdError('TSD_NETWORK', `there is no network namespace to start ${desired.key} in`, { key: desired.key });
}

/** As it stands in the records of a run. */
function recordedNetwork(
  world: World,
  desired: Desired<'container'>,
  { id, network }: ContainerRecord,
): RecordedNetwork {
  const owner = namespaceOwner(desired, world.desired().resources);
  if (owner && usesHostNetwork(owner.spec)) return { type: 'host' };
  if (owner !== undefined && owner.key !== desired.key) {
    const other = world.containers.byKey(owner.key);
    const running = other && world.exec.running(other.id);
    return running ? { type: 'shared', nsPath: `/proc/${running.pid}/ns/net` } : { type: 'none' };
  }
  const config = network === null ? null : networkOf(world, desired);
  if (network === null || config === null) return { type: 'none' };
  const { host, container } = world.network.interfaces(id);
  const { bridge, mac, address, prefixLength, gateway } = network;
  const { mtu } = config;
  return {
    type: 'bridge',
    hostInterface: host,
    containerInterface: container,
    address: `${address}/${prefixLength}`,
    ...{ bridge, mac, gateway, mtu },
  };
}

/** Variables of files are not stored: their files stand for them. */
function storedEnvironment(world: World, desired: Desired<'container'>): string[] {
  const { spec } = desired;
  const files = `tsd-secret:${spec.envFile.join(',')}`;
  const ofFiles = [...world.environmentOf(desired).keys()].filter((name) => !(name in spec.env));
  return [...ofFiles.map((name) => `${name}=${files}`), ...storedEnv(spec)];
}

/** The three text files of this container, or of the one whose network it shares. */
function textFiles(world: World, desired: Desired<'container'>, containerId: string) {
  const sharedWith = namespaceOwner(desired, world.desired().resources);
  const owner = (sharedWith && world.containers.byKey(sharedWith.key)?.id) ?? containerId;
  return {
    hosts: world.containers.textPath(owner, 'hosts'),
    resolvConf: world.containers.textPath(owner, 'resolv.conf'),
    hostname: world.containers.textPath(containerId, 'hostname'),
  };
}

function dependencyRuns(world: World, { references }: Desired<'container'>): Record<string, string> {
  const records = startDependencies(references).flatMap((key) => {
    const record = world.containers.byKey(key);
    return record ? [[key, runName(record)] as const] : [];
  });
  return Object.fromEntries(records);
}

function begin(
  world: World,
  desired: Desired<'container'>,
  image: ContainerImage,
  op: OpOf<'container.start'>,
): ContainerRecord {
  const record = recordOf(world, op.containerId);
  world.containers.renewTexts(op.containerId, {
    ...containerTexts(world, desired, op.containerId),
    hosts: hostsText(world, desired, op.containerId, record.network?.address ?? null),
  });
  const { wallMs, bootMs } = world.clock.now();
  const begun: ContainerRecord = {
    ...record,
    ...declaredPart(world, desired, image, op.containerId),
    run: op.run,
    begunAt: { at: formatTime(wallMs), bootId: world.bootId, atBootMs: bootMs },
    stopOverride: stopAgainst(world, op, record),
    stopTimeoutMs: null,
    stopping: null,
    restart: { restarts: op.restarts, consecutive: op.consecutive, requested: false },
    linkAddresses: linkAddresses(world, desired),
    envAddresses: envAddresses(world, desired),
    dependencyRuns: dependencyRuns(world, desired),
    volumes: recordedVolumes(resolvedVolumes(world, desired, image, op.containerId)),
  };
  // Written before the start, so that a run whose supervisor died meanwhile is looked for.
  world.containers.update(begun);
  world.leftDown.delete(op.containerId);
  return begun;
}

/** The run counts although it came to nothing: its number is used up, and the start that is still due is the same one. */
function recordFailure(world: World, op: OpOf<'container.start'>, thrown: unknown): void {
  const error = toTsdError(thrown);
  const record = world.containers.get(op.containerId);
  if (!record) return;
  const failed: ContainerRecord = {
    ...record,
    run: op.run,
    restart: { restarts: op.restarts, consecutive: op.consecutive, requested: false },
    handle: null,
    state: {
      ...record.state,
      status: record.state.exitCode === null ? 'created' : 'exited',
      pid: 0,
      startError: { class: error.class, message: error.message },
    },
  };
  try {
    world.containers.update(failed);
  } catch {
    // The disk may be what failed. Without it the start must stay due; the next supervisor sees that the run never began.
    world.containers.updateSoon(failed);
  }
}

async function launch(world: World, desired: Desired<'container'>, op: OpOf<'container.start'>): Promise<void> {
  const { id } = recordOf(world, op.containerId);
  const image = imageById(world, recordOf(world, id).imageId, desired);
  await requireFree(
    world,
    resolvedVolumes(world, desired, image, id).map(({ source }) => source),
    filesReadAtStart(desired.spec).filter((path) => desired.files?.[path] === undefined),
  );
  await updateAliases(world, desired, id);
  await world.fileReaders.changing(recordOf(world, id), 'started', () => run(world, desired, image, op));
}

/** From the first step that may change the container's files until it is known that it runs. */
async function run(
  world: World,
  desired: Desired<'container'>,
  image: ContainerImage,
  op: OpOf<'container.start'>,
): Promise<void> {
  const begun = begin(world, desired, image, op);
  const { id } = begun;
  const { resources, ...spec } = desired.spec;
  const task = buildTaskSpec({
    key: op.key,
    containerId: id,
    run: op.run,
    spec: { ...spec, resources: keptLimits(resources, world.settings.discardedLimits) },
    image: image.defaults,
    root: world.graph.rootMount(id),
    hostname: hostnameOf(world, desired, id),
    netnsFd: netnsOf(world, desired),
    volumes: resolvedVolumes(world, desired, image, id),
    environment: world.environmentOf(desired),
    seccomp: world.seccompOf(desired),
    storedEnv: storedEnvironment(world, desired),
    network: recordedNetwork(world, desired, begun),
    links: linkedContainers(world, desired),
    files: textFiles(world, desired, id),
    log: {
      path: world.containers.logPath(id),
      maxBytes: desired.spec.log.maxBytes,
      maxFiles: desired.spec.log.maxFiles,
    },
  });
  const handle = await world.exec.start(task);
  const record = recordOf(world, id);
  // The exec driver has its own record of the run, so this one may reach the disk a moment later.
  world.containers.updateSoon({
    ...record,
    handle,
    state: {
      status: 'running',
      pid: handle.pid,
      exitCode: null,
      oomKilled: false,
      startError: null,
      startedAt: formatTime(handle.startedAtMs),
      finishedAt: record.state.finishedAt,
      bootId: world.bootId,
      startedAtBootMs: bootTimeOfLaunch(record.begunAt, handle, world.clock.now()),
      finishedAtBootMs: null,
    },
  });
  world.exits.started(id, op.run);
}

/** Starts a run; resolves when the payload's program is executing. */
export async function startContainer(world: World, op: OpOf<'container.start'>): Promise<void> {
  const desired = declarationFor(world, op);
  try {
    await launch(world, desired, op);
  } catch (error) {
    recordFailure(world, op, error);
    throw toTsdError(error).withContext({ key: op.key, source: desired.source });
  }
}
