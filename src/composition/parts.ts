/** Puts together what the supervisor works with: drivers, stores, books and settings. */

import { VERSION } from '../api/version.ts';
import type { ExecDriver } from '../drivers/contract/exec.ts';
import type { GraphDriver } from '../drivers/contract/graph.ts';
import { DEFAULT_NETWORK_DRIVER } from '../drivers/registry.ts';
import type { OnShutdown } from '../engine/shutdown-handlers.ts';
import { systemTimers } from '../engine/timers.ts';
import { systemClock } from '../ffi/boot-clock.ts';
import { bootId } from '../ffi/process/processes.ts';
import type { Registry } from '../images/registry/registries.ts';
import type { TrustPolicyFile } from '../images/trust/policy.ts';
import { GroupCommit } from '../reconcile/group-commit.ts';
import { readHostFacts } from '../reconcile/host-facts.ts';
import type { LimitSupport } from '../reconcile/kernel-limits.ts';
import { NetworkNames } from '../reconcile/names/network-names.ts';
import type { RollBack } from '../reconcile/ops/containers/update-outcome.ts';
import type { Declared } from '../reconcile/ops/declared.ts';
import { LeaseBook } from '../reconcile/ops/networks/lease-book.ts';
import { unreadPeer } from '../reconcile/ops/networks/unread-endpoint.ts';
import type { PathBook } from '../reconcile/path-book.ts';
import type { DaemonConfig } from '../settings/daemon-config.ts';
import { RepositoryStore } from '../state/images/repositories.ts';
import type { StateRoot } from '../state/root.ts';
import { DefaultNetwork, defaultMtu } from '../supervisor/default-network.ts';
import type { Logger } from '../supervisor/log.ts';
import { openBooks, workInProgress } from './books.ts';
import { createConfiguration, type SettingsReader } from './configuration.ts';
import { instanceOf, openDrivers } from './drivers.ts';
import { createObserver, type Observing } from './ports/observer.ts';
import { type Around, type OpSettings, type OpStores, opPorts, type Parts } from './ports/op-ports.ts';
import type { Stores } from './stores.ts';

export interface OpenedBefore {
  readonly config: DaemonConfig;
  readonly state: StateRoot;
  /** Temporary files of loads and builds. */
  readonly tmpDir: string;
  readonly stores: Stores;
  readonly registry: Registry;
  readonly trustPolicy: TrustPolicyFile;
  readonly manifests: Declared & { readonly rollBack: RollBack };
  readonly exec: ExecDriver;
  readonly limits: LimitSupport;
  readonly paths: PathBook;
  readonly settings: SettingsReader;
  readonly log: Logger;
}

export interface OpenedParts {
  readonly parts: Parts;
  readonly observing: Observing;
  readonly defaultNetwork: DefaultNetwork;
  readonly names: NetworkNames;
}

/**
 * The default bridge is tried once here, and again by its `review`.
 * @throws TsdError; drivers that are open then have their shutdown handlers
 */
export function openParts(opened: OpenedBefore, handlers: OnShutdown): OpenedParts {
  const { config, state, stores, limits, log } = opened;
  const boot = bootId();
  const refusedLimits = limits.discarded.size === 0 ? limits.lacking : new Set<never>();
  const drivers = openDrivers(opened, handlers);
  const { resources, leases: savedLeases } = stores.history;
  const defaultNetwork = new DefaultNetwork({
    ...config,
    driver: DEFAULT_NETWORK_DRIVER,
    networks: drivers.network,
    records: resources,
    log,
  });
  const around = aroundOps(opened, boot, defaultNetwork);
  const commits = new GroupCommit({ files: state.files, links: stores.links, history: stores.history });
  const leases = new LeaseBook(savedLeases, commits);
  const names = new NetworkNames({
    containers: stores.containers,
    clock: systemClock,
    timers: systemTimers,
    onProblem: (text) => log.error(text),
    unread: (id) => unreadPeer({ ...around, ...stores, leases }, { ...around, resources }, id),
  });
  handlers.onShutdown('names of networks', () => names.end(), ['exec driver', 'network drivers']);
  const parts = opPorts({
    ...drivers,
    ...opStores(opened, drivers.graph, commits),
    ...openBooks(stores, boot, { names, leases, paths: opened.paths }),
    ...workInProgress(),
    ...around,
  });
  const observing = createObserver(parts, () => readHostFacts(state.root, refusedLimits));
  return { parts, observing, defaultNetwork, names };
}

function aroundOps(
  { config, state, limits, registry, trustPolicy, manifests, paths, stores, settings, tmpDir }: OpenedBefore,
  boot: string,
  defaultNetwork: DefaultNetwork,
): Around {
  return {
    instance: instanceOf(state),
    clock: systemClock,
    bootId: boot,
    settings: opSettings(config, limits, tmpDir),
    registry,
    trustPolicy,
    ...manifests,
    configuration: createConfiguration(paths, stores.contents, settings),
    defaultNetwork: () => defaultNetwork.config,
    defaultNetworkProblem: () => defaultNetwork.problem,
  };
}

function opSettings(config: DaemonConfig, limits: LimitSupport, tmpDir: string): OpSettings {
  return {
    dns: config.dns,
    dnsSearch: config.dnsSearch,
    defaultIp: config.ip,
    networkDriver: DEFAULT_NETWORK_DRIVER,
    mtu: config.mtu === 0 ? defaultMtu() : config.mtu,
    fixedCidr: config.fixedCidr,
    version: VERSION,
    tmpDir,
    keptGenerations: config.keepGenerations,
    discardedLimits: limits.discarded,
  };
}

function opStores({ stores, state }: OpenedBefore, graph: GraphDriver, commits: GroupCommit): OpStores {
  const { containers, images, volumes, links, contents, history } = stores;
  return {
    containers,
    images,
    repositories: new RepositoryStore(state.root, graph.name, state.files),
    volumes,
    links,
    approvals: history.approvals,
    resources: history.resources,
    imagesOfPast: history.images,
    contents,
    commits,
  };
}
