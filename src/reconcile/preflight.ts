/**
 * What keeps containers from being started or changed just now, found before anything is stopped: images, files, ports
 * and limits of the whole plan are looked at first.
 */
import { statSync } from 'node:fs';
import { constants } from 'node:os';
import type { ExecDriver } from '../drivers/contract/exec.ts';
import type { Networks } from '../drivers/contract/network.ts';
import type { Desired, DesiredState } from '../model/desired.ts';
import { describeError, TsdError, toTsdError } from '../model/errors/errors.ts';
import { missingBindHint } from '../model/host-files.ts';
import type { ObservedContainer } from '../model/observed.ts';
import type { ResourceKey } from '../model/resource.ts';
import type { ContainerRecord } from '../state/containers/container-record.ts';
import type { ContainerStore } from '../state/containers/containers.ts';
import type { ContentStore } from '../state/content-store.ts';
import type { GraphIndex } from '../state/images/graph-index.ts';
import type { HostFacts } from './host-facts.ts';
import { type Impossible, impossibleLimit, missingHeadroom } from './limits.ts';
import { portName } from './observed-port.ts';
import { type DamagedRecords, damagedHolder, damagedRecord } from './ops/containers/damaged-container.ts';
import { type ImageStores, imageIdOf } from './ops/images/image-of.ts';
import { isCutOff } from './ops/networks/container-networks.ts';
import type { DefaultNetworks } from './ops/networks/network-config.ts';
import { withOwner } from './ops/networks/port-owner.ts';
import { declaredPorts } from './ops/networks/published-ports.ts';
import { MISSING_PATH, type PathBook, pathTrouble } from './path-book.ts';
import { type UnreadImagePorts, unreadImage } from './unread-state.ts';

type Container = Desired<'container'>;

/** Facts are read at most once for a look, and only when a container needs them. */
type Facts = () => HostFacts;

/** What containers are looked at for. */
export interface Wanted {
  readonly state: DesiredState;
  /** Copies of files, by name, that are created once it is accepted. Absent: all. */
  readonly copies?: Pick<ReadonlyMap<string, unknown>, 'has'>;
}

/** Files of the host, and the copies that stand for them. */
interface BindPorts {
  readonly paths: Pick<PathBook, 'trouble'>;
  readonly contents: Pick<ContentStore, 'path' | 'isWhole'>;
}

interface HostPortPorts {
  readonly network: Pick<Networks, 'checkPort'>;
  readonly networks: DefaultNetworks;
  /** Host address of published ports that name none. */
  readonly settings: { readonly defaultIp: string };
}

export interface OutlookPorts {
  readonly containers: Pick<ContainerStore, 'byKey' | 'get'>;
  readonly damaged: DamagedRecords;
  readonly binds: BindPorts;
  readonly images: Pick<GraphIndex, 'get'> & UnreadImagePorts;
  readonly imageStores: ImageStores;
  readonly hostPorts: HostPortPorts;
  readonly exec: Pick<ExecDriver, 'running'>;
  /** What the host has to give, as it is now. */
  hostFacts(): HostFacts;
}

/** What blocks containers, and what is created for them. */
export interface Outlook {
  /** Why a container cannot be started as it is declared. */
  readonly obstacles: ReadonlyMap<ResourceKey, string>;
  /** What a person can do about that. */
  readonly obstacleHints: ReadonlyMap<ResourceKey, string>;
  /** Missing bind sources that are to be created. */
  readonly missingDirectories: ReadonlyMap<ResourceKey, readonly string[]>;
}

/** Why a path cannot be mounted; a filesystem that is out of order says so in ways of its own. */
function bindTrouble({ paths }: BindPorts, path: string): string | null {
  const trouble = paths.trouble(path);
  if (trouble !== undefined) return trouble;
  try {
    statSync(path);
    return null;
  } catch (thrown) {
    return pathTrouble(Math.abs((thrown as NodeJS.ErrnoException).errno ?? constants.errno.EIO));
  }
}

function unusableBind(
  binds: BindPorts,
  copies: Wanted['copies'],
  { spec, files, positions, source }: Container,
): TsdError | null {
  for (const [index, mount] of spec.volumes.entries()) {
    if (mount.type !== 'bind' || mount.source === null) continue;
    const copy = files?.[mount.source];
    if (copy !== undefined && copies?.has(copy) === true) continue;
    const path = copy === undefined ? mount.source : binds.contents.path(copy);
    const trouble =
      bindTrouble(binds, path) ?? (copy !== undefined && !binds.contents.isWhole(copy) ? 'is damaged' : null);
    const missing = trouble === MISSING_PATH;
    if (trouble === null || (missing && mount.create !== undefined)) continue;
    const place = positions[`volumes.${index}`] ?? source;
    if (copy !== undefined) {
      const message = `the pinned copy of ${mount.source}, ${path}, ${trouble}`;
      return new TsdError('TSD_CONTENT_MISSING', message, { source: place });
    }
    return new TsdError('TSD_BIND_SOURCE', `bind source ${mount.source} ${trouble}`, {
      source: place,
      ...(missing && { hint: missingBindHint(mount.source) }),
    });
  }
  return null;
}

function missingDirectories(binds: BindPorts, { spec }: Container): string[] {
  return spec.volumes.flatMap(({ type, source, create }) =>
    type === 'bind' && source !== null && create !== undefined && bindTrouble(binds, source) === MISSING_PATH
      ? [source]
      : [],
  );
}

function unusableImage(
  { images, imageStores }: Pick<OutlookPorts, 'images' | 'imageStores'>,
  desired: Container,
  facts: Facts,
): TsdError | null {
  const source = desired.positions.image ?? desired.source;
  const id = imageIdOf(imageStores, desired);
  if (id === null) {
    // One that is declared is loaded by the plan itself, before anything is stopped.
    if (desired.references.image !== null) return null;
    return new TsdError('TSD_IMAGE_MISSING', `image ${desired.spec.image} is not on this host`, {
      source,
      hint: `\`tsdocker pull ${desired.spec.image}\` or \`tsdocker load -i FILE\` brings it here; or declare it under \`images:\`.`,
    });
  }
  const unread = unreadImage(images, id);
  if (unread) return new TsdError('TSD_STATE_CORRUPT', unread.message, { source, hint: unread.hint });
  const { os, architecture } = images.get(id) ?? { os: '', architecture: '' };
  const foreign = (os !== '' && os !== 'linux') || (architecture !== '' && !facts().runs(architecture));
  if (!foreign) return null;
  const message = `image ${desired.spec.image} is for ${os || 'linux'}/${architecture}, this host is linux/${facts().architecture}`;
  return new TsdError('TSD_IMAGE_PLATFORM', message, { source });
}

/** Volumes that the image itself asks for are known only now; a successor beside the container would write to them too. */
function sharedImageVolume(
  { images, imageStores, exec }: Pick<OutlookPorts, 'images' | 'imageStores' | 'exec'>,
  desired: Container,
  record: ContainerRecord | undefined,
): TsdError | null {
  const { order, sharedVolumes } = desired.spec.update;
  if (order === 'stop-first' || sharedVolumes || !record || !exec.running(record.id)) return null;
  const id = imageIdOf(imageStores, desired);
  const covered = new Set(desired.spec.volumes.map(({ target }) => target));
  const target = Object.keys(images.get(id ?? '')?.config?.Volumes ?? {}).find((path) => !covered.has(path));
  if (target === undefined) return null;
  const message = `its image keeps data in ${target}, which two containers would write at once with order: start-first`;
  return new TsdError('TSD_CONTAINER_SETUP', message, {
    source: desired.positions['update.order'] ?? desired.source,
    hint: 'Set update.sharedVolumes: true, mount a tmpfs there, or use stop-first.',
  });
}

function takenPort(
  { hostPorts, damaged, containers }: Pick<OutlookPorts, 'hostPorts' | 'damaged' | 'containers'>,
  state: DesiredState,
  desired: Container,
  record: ContainerRecord | undefined,
): TsdError | null {
  if (isCutOff(hostPorts.networks, desired.spec)) return null;
  const held = new Set(record?.network?.ports.map(portName));
  for (const [index, port] of declaredPorts(hostPorts, desired)) {
    if (held.has(portName(port))) continue;
    try {
      hostPorts.network.checkPort(port, record?.id ?? damagedHolder(damaged, desired.engineName));
    } catch (error) {
      if (!(error instanceof TsdError)) throw error;
      const named = withOwner(containers, state, port, error);
      return named.withContext({ source: desired.positions[`ports.${index}`] ?? desired.source });
    }
  }
  return null;
}

const LACKING_HINT =
  'Take the limit out, boot a kernel that has it, or start the supervisor with --discard-limits to run without.';

function asError({ positions, source }: Container, found: Impossible | null): TsdError | null {
  if (!found) return null;
  const place = positions[found.field] ?? positions[found.field.split('.')[0] ?? ''] ?? source;
  const hint = found.code === 'TSD_UNSUPPORTED_HOST' ? { hint: LACKING_HINT } : {};
  return new TsdError(found.code, found.message, { source: place, ...hint });
}

/** The first thing in the way of one container, or null. */
function obstacle(
  ports: OutlookPorts,
  { state, copies }: Wanted,
  desired: Container,
  record: ContainerRecord | undefined,
  facts: Facts,
): TsdError | null {
  const changes = record?.owner?.specHash !== desired.specHash;
  return (
    unusableBind(ports.binds, copies, desired) ??
    (record ? null : damagedRecord(ports.damaged, desired)) ??
    unusableImage(ports, desired, facts) ??
    takenPort(ports, state, desired, record) ??
    sharedImageVolume(ports, desired, record) ??
    // One that was started with these limits and only comes back is not kept down for them.
    (changes ? asError(desired, impossibleLimit(desired.spec, facts()) ?? missingHeadroom(facts())) : null)
  );
}

/** What cannot be found out for one container is in its way only. */
function obstacleOf(...looked: Parameters<typeof obstacle>): TsdError | null {
  try {
    return obstacle(...looked);
  } catch (thrown) {
    const error = toTsdError(thrown);
    if (error.class === 'bug') throw error;
    return error;
  }
}

/**
 * Why containers could not be started with their declarations, for those that do not run so already.
 * @param containers as they are now
 */
export function outlook(
  ports: OutlookPorts,
  wanted: Wanted,
  scope: ReadonlySet<ResourceKey> | null,
  containers: ReadonlyMap<ResourceKey, ObservedContainer>,
): Outlook {
  const obstacles = new Map<ResourceKey, string>();
  const obstacleHints = new Map<ResourceKey, string>();
  const missing = new Map<ResourceKey, readonly string[]>();
  let known: HostFacts | undefined;
  const facts: Facts = () => {
    known ??= ports.hostFacts();
    return known;
  };
  for (const desired of wanted.state.resources.values()) {
    if (desired.kind !== 'container' || (scope !== null && !scope.has(desired.key))) continue;
    const container = containers.get(desired.key);
    if (container?.running && container.specHash === desired.specHash) continue;
    const record = ports.containers.byKey(desired.key);
    const error = obstacleOf(ports, wanted, desired as Container, record, facts);
    if (error !== null) {
      obstacles.set(desired.key, describeError(error));
      obstacleHints.set(desired.key, error.hint);
      continue;
    }
    const directories = missingDirectories(ports.binds, desired as Container);
    if (directories.length > 0) missing.set(desired.key, directories);
  }
  return { obstacles, obstacleHints, missingDirectories: missing };
}
