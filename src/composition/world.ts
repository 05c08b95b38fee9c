/** Puts together what the operations work on: drivers, stores and settings. */
import { fileURLToPath } from 'node:url';
import { VERSION } from '../api/version.ts';
import type { Instance, OriginalSettings } from '../drivers/contract/driver.ts';
import type { ExecDriver, TaskSpec } from '../drivers/contract/exec.ts';
import type { NetworkDriver } from '../drivers/contract/network.ts';
import { openGraphDriver } from '../drivers/graph/open.ts';
import { EXEC_DRIVERS, GRAPH_DRIVERS, NETWORK_DRIVERS } from '../drivers/registry.ts';
import type { OnShutdown } from '../engine/shutdown-handlers.ts';
import { systemTimers } from '../engine/timers.ts';
import { systemClock } from '../ffi/boot-clock.ts';
import type { Sysinfo } from '../ffi/host/sysinfo.ts';
import { bootId } from '../ffi/process/processes.ts';
import type { Registry } from '../images/registry/registries.ts';
import type { TrustPolicyFile } from '../images/trust/policy.ts';
import { type ContentProblem, loadEnvironment, type ReadFile } from '../manifest/content.ts';
import { loadProfile } from '../manifest/seccomp-profile.ts';
import { TsdError } from '../model/errors/errors.ts';
import { DriftMemory } from '../reconcile/drift-memory.ts';
import { ExitRecorder } from '../reconcile/exits.ts';
import { GroupCommit } from '../reconcile/group-commit.ts';
import { HealthBook } from '../reconcile/health/health-book.ts';
import { readHostFacts } from '../reconcile/host-facts.ts';
import type { LimitSupport } from '../reconcile/kernel-limits.ts';
import { NetworkNames } from '../reconcile/names/network-names.ts';
import { OpFailureCache } from '../reconcile/op-failure-cache.ts';
import { BuildWork } from '../reconcile/ops/build/build-work.ts';
import { StopClocks } from '../reconcile/ops/containers/stop-clocks.ts';
import { FileReaders } from '../reconcile/ops/file-readers.ts';
import { ImageWork } from '../reconcile/ops/images/image-work.ts';
import { KeyedMutex } from '../reconcile/ops/keyed-mutex.ts';
import { LeaseBook } from '../reconcile/ops/networks/lease-book.ts';
import { unreadPeer } from '../reconcile/ops/networks/unread-endpoint.ts';
import type { ConfiguredContainer, World } from '../reconcile/ops/world.ts';
import type { PathBook } from '../reconcile/path-book.ts';
import { UpdateBook } from '../reconcile/update-book.ts';
import type { DaemonConfig } from '../settings/daemon-config.ts';
import type { ContentStore } from '../state/content-store.ts';
import { RepositoryStore } from '../state/images/repositories.ts';
import type { StateRoot } from '../state/root.ts';
import { DefaultNetwork, defaultMtu } from '../supervisor/default-network.ts';
import { giveHostBack } from '../supervisor/give-back.ts';
import type { Logger } from '../supervisor/log.ts';
import { freeReader } from './readers.ts';
import type { Stores } from './stores.ts';

/** The program that `npm run build` puts beside the sources. */
export const SHIM_BINARY = fileURLToPath(new URL('../../build/tsdocker-shim', import.meta.url));

function instanceOf({ instanceId, root, runDir }: StateRoot): Instance {
  return { id: instanceId, root, runDir };
}

export function createExecDriver(config: DaemonConfig, state: StateRoot, sysinfo: Sysinfo): ExecDriver {
  const instance = instanceOf(state);
  const create = Object.entries(EXEC_DRIVERS).find(([name]) => name === config.execDriver)?.[1];
  if (create) return create({ instance, clock: systemClock, shimBinary: SHIM_BINARY, sysinfo });
  const names = Object.keys(EXEC_DRIVERS).join(', ');
  throw new TsdError('TSD_DRIVER_UNKNOWN', `unknown exec driver ${config.execDriver}; there are ${names}`);
}

function createNetworkDriver(
  { iptables, ipForward }: DaemonConfig,
  instance: Instance,
  originals: OriginalSettings,
): NetworkDriver {
  return NETWORK_DRIVERS.bridge({ instance, iptables, ipForward, originals });
}

/** How the files are read that a container is configured by. */
interface SettingsReader {
  /** What those may write who may command. */
  trusted(app: string): ReadFile;
  /** Hashes that a file of this content may have been accepted with. */
  hashes(bytes: Buffer): readonly string[];
}

/** Copies stand for their files. */
function readerOf(
  { app, files = {}, contentHashes }: ConfiguredContainer,
  paths: PathBook,
  contents: ContentStore,
  settings: SettingsReader,
): ReadFile {
  const [readAny, readTrusted] = [freeReader(paths), settings.trusted(app)];
  const accepted = new Set(Object.values(contentHashes));
  return (path, maxBytes) => {
    const copy = files[path];
    if (copy !== undefined) return { ok: true, bytes: contents.read(copy) };
    const read = readTrusted(path, maxBytes);
    if (read.ok || read.reason !== 'untrusted') return read;
    // Whoever may write to it by now, it holds what was accepted.
    const present = readAny(path, maxBytes);
    return present.ok && settings.hashes(present.bytes).some((hash) => accepted.has(hash)) ? present : read;
  };
}

function refuseFirst([first]: readonly ContentProblem[]): void {
  if (first === undefined) return;
  const { message, field: step, refused: hint } = first;
  const errorClass = first.unanswered ? 'unavailable' : 'precondition';
  if (hint !== undefined) throw new TsdError('TSD_UNTRUSTED', message, { step, class: errorClass, hint });
  throw new TsdError('TSD_MANIFEST_READ', message, { step, class: errorClass });
}

function environmentOf(
  desired: ConfiguredContainer,
  paths: PathBook,
  contents: ContentStore,
  settings: SettingsReader,
): ReadonlyMap<string, string> {
  const { values, problems } = loadEnvironment(desired.spec, readerOf(desired, paths, contents, settings));
  refuseFirst(problems);
  return values;
}

function seccompOf(
  desired: ConfiguredContainer,
  paths: PathBook,
  contents: ContentStore,
  settings: SettingsReader,
): TaskSpec['seccomp'] {
  const { seccomp, problems } = loadProfile(desired.spec, readerOf(desired, paths, contents, settings));
  refuseFirst(problems);
  return seccomp;
}

export interface WorldParts {
  readonly config: DaemonConfig;
  readonly state: StateRoot;
  /** Temporary files of loads and builds. */
  readonly tmpDir: string;
  readonly stores: Stores;
  readonly registry: Registry;
  readonly trustPolicy: TrustPolicyFile;
  readonly desired: Pick<World, 'desired' | 'rollBack'>;
  readonly exec: ExecDriver;
  readonly limits: LimitSupport;
  readonly paths: PathBook;
  readonly settings: SettingsReader;
  readonly log: Logger;
}

/**
 * The default bridge is tried once here, and again by its `review`.
 * @throws TsdError; drivers that are open then have their shutdown handlers
 */
export function createWorld(
  parts: WorldParts,
  handlers: OnShutdown,
): {
  readonly world: World;
  readonly defaultNetwork: DefaultNetwork;
  readonly names: NetworkNames;
} {
  const { config, state, stores, registry, trustPolicy, desired, exec, limits, paths, log } = parts;
  const instance = instanceOf(state);
  const graph = openGraphDriver({
    drivers: GRAPH_DRIVERS,
    root: state.root,
    requested: config.storageDriver,
    options: config.storageOpt,
    graphIds: stores.images.layersInUse(),
  });
  handlers.onShutdown('graph driver', () => graph.close(), ['root']);
  const boot = bootId();
  const refusedLimits = limits.discarded.size === 0 ? limits.lacking : new Set<never>();
  const { containers, images, volumes, links, history, changedSettings } = stores;
  const network = createNetworkDriver(config, instance, changedSettings);
  handlers.onShutdown('network driver', () => network.close(), ['root']);
  handlers.onShutdown('what was changed on the host', () => giveHostBack({ containers, exec, network }, log), [
    'exec driver',
    'network driver',
  ]);
  const defaultNetwork = new DefaultNetwork({ ...config, driver: network, records: history.resources, log });
  const names = new NetworkNames({
    containers,
    clock: systemClock,
    timers: systemTimers,
    onProblem: (text) => log.error(text),
    unread: (id) => unreadPeer(world, id),
  });
  handlers.onShutdown('names of networks', () => names.end(), ['exec driver', 'network driver']);
  const world: World = {
    instance,
    clock: systemClock,
    bootId: boot,
    settings: {
      dns: config.dns,
      dnsSearch: config.dnsSearch,
      defaultIp: config.ip,
      mtu: config.mtu === 0 ? defaultMtu() : config.mtu,
      fixedCidr: config.fixedCidr,
      version: VERSION,
      tmpDir: parts.tmpDir,
      keptGenerations: config.keepGenerations,
      discardedLimits: limits.discarded,
    },
    ...desired,
    graph,
    network,
    exec,
    containers,
    names,
    images,
    imageWork: new ImageWork(),
    builds: new BuildWork(),
    making: new Set(),
    mutex: new KeyedMutex(),
    stopClocks: new StopClocks(systemClock),
    fileReaders: new FileReaders(),
    leftDown: new Set(),
    unanswered: new Map(),
    paths,
    registry,
    trustPolicy,
    repositories: new RepositoryStore(state.root, graph.name, state.files),
    volumes,
    links,
    leases: new LeaseBook(history.leases),
    approvals: history.approvals,
    failures: new OpFailureCache(history.failures, boot),
    health: new HealthBook(history.health, containers.ids()),
    drifts: new DriftMemory(),
    updates: new UpdateBook(history.updates, systemClock, boot),
    resources: history.resources,
    imagesOfPast: history.images,
    contents: stores.contents,
    environmentOf: (desired) => environmentOf(desired, paths, stores.contents, parts.settings),
    seccompOf: (desired) => seccompOf(desired, paths, stores.contents, parts.settings),
    commits: new GroupCommit({ files: state.files, links, history }),
    exits: new ExitRecorder(containers, systemClock, boot),
    hostFacts: () => readHostFacts(state.root, refusedLimits),
    defaultNetwork: () => defaultNetwork.config,
    defaultNetworkProblem: () => defaultNetwork.problem,
  };
  return { world, defaultNetwork, names };
}
