/** Puts together what the supervisor works with: drivers, stores, books and settings. */

import { VERSION } from '../api/version.ts';
import type { ExecDriver } from '../drivers/contract/exec.ts';
import type { GraphDriver } from '../drivers/contract/graph.ts';
import { DEFAULT_NETWORK_DRIVER, NETWORK_DRIVER_TABLE } from '../drivers/network-table.ts';
import type { OnShutdown } from '../engine/shutdown-handlers.ts';
import { systemTimers } from '../engine/timers.ts';
import { systemClock } from '../ffi/boot-clock.ts';
import { readPortRange } from '../ffi/host/port-range.ts';
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
import type { NewNetworks } from '../reconcile/ops/networks/network.ts';
import { unreadPeers } from '../reconcile/ops/networks/unread-endpoint.ts';
import type { PathBook } from '../reconcile/path-book.ts';
import type { DaemonConfig } from '../settings/daemon-config.ts';
import { RepositoryStore } from '../state/images/repositories.ts';
import type { StateRoot } from '../state/root.ts';
import { DefaultNetwork, defaultMtu } from '../supervisor/default-network.ts';
import { isAnythingRunning } from '../supervisor/give-back.ts';
import type { Logger } from '../supervisor/log.ts';
import type { ResolverService } from '../supervisor/resolver/resolver-service.ts';
import { openBooks, workInProgress } from './books.ts';
import { createConfiguration, type SettingsReader } from './configuration.ts';
import { instanceOf, openDrivers } from './drivers.ts';
import { newNetworks } from './new-networks.ts';
import { createObserver, type Observing } from './ports/observer.ts';
import { type Around, type OpSettings, type OpStores, opPorts, type Parts } from './ports/op-ports.ts';
import { openResolver } from './resolver.ts';
import type { Stores } from './stores.ts';
import type { Wires } from './wires.ts';

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
  readonly wires: Wires;
}

export interface OpenedParts {
  readonly parts: Parts;
  readonly observing: Observing;
  readonly defaultNetwork: DefaultNetwork;
  readonly names: NetworkNames;
  readonly resolver: ResolverService;
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
    newNetworks: newNetworks(config, state),
    driver: DEFAULT_NETWORK_DRIVER,
    networks: drivers.network,
    records: resources,
    log,
  });
  const around = aroundOps(opened, boot, defaultNetwork);
  const commits = new GroupCommit({ files: state.files, links: stores.links, history: stores.history });
  const leases = new LeaseBook(savedLeases, commits, readPortRange);
  const unread = (id: string) => unreadPeers({ ...around, ...stores, leases }, { ...around, resources }, id);
  const names = new NetworkNames({
    containers: stores.containers,
    clock: systemClock,
    timers: systemTimers,
    onProblem: (text) => log.error(text),
    unread,
  });
  handlers.onShutdown('names of networks', () => names.end(), ['exec driver', 'network drivers']);
  const resolver = openResolver(opened, { network: drivers.network, networks: { ...around, resources }, unread });
  const isNeeded = () => isAnythingRunning({ ...drivers, ...stores, timers: systemTimers });
  handlers.onShutdown('resolver', () => resolver.close(isNeeded), ['exec driver', 'network drivers']);
  const parts = opPorts({
    ...drivers,
    ...opStores(opened, drivers.graph, commits),
    ...openBooks(stores, boot, { names, resolver, leases, paths: opened.paths }),
    ...workInProgress(),
    ...around,
  });
  const observing = createObserver(parts, () => readHostFacts(state.root, refusedLimits));
  return { parts, observing, defaultNetwork, names, resolver };
}

function aroundOps(opened: OpenedBefore, boot: string, defaultNetwork: DefaultNetwork): Around {
  const { config, state, registry, trustPolicy, manifests, paths, stores, settings } = opened;
  return {
    instance: instanceOf(state),
    clock: systemClock,
    bootId: boot,
    settings: opSettings(opened, newNetworks(config, state)),
    registry,
    trustPolicy,
    ...manifests,
    configuration: createConfiguration(paths, stores.contents, settings),
    defaultNetwork: () => defaultNetwork.config,
    defaultNetworkProblem: () => defaultNetwork.problem,
  };
}

function opSettings(
  { config, limits, tmpDir }: Pick<OpenedBefore, 'config' | 'limits' | 'tmpDir'>,
  newNetworks: NewNetworks,
): OpSettings {
  return {
    dns: config.dns,
    dnsSearch: config.dnsSearch,
    defaultIp: config.ip,
    hostGateway: config.hostGatewayIp,
    networkDriver: DEFAULT_NETWORK_DRIVER,
    networkDrivers: NETWORK_DRIVER_TABLE,
    newNetworks,
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
