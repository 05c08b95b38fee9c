import type { ExecDriver } from '../../../drivers/contract/exec.ts';
import type { NetworkConfig, Networks, PublishedPort } from '../../../drivers/contract/network.ts';
import type { Desired } from '../../../model/desired.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { type HostPort, isAmong } from '../../../model/kinds/short-forms.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import type { ContainerRecord, RecordedEndpoint } from '../../../state/containers/container-record.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import { DISCONNECTED, endpointsOf } from '../../../state/containers/endpoints.ts';
import type { DriftMemory } from '../../drift-memory.ts';
import type { OpOf } from '../../op.ts';
import { ownsSandbox } from '../../plan/references.ts';
import { putBack } from '../../put-back.ts';
import { type Declared, declarationFor, recordOf } from '../declared.ts';
import { type EndpointPorts, recordedEndpoints, type WantedEndpoint, wantedEndpoints } from '../networks/endpoint.ts';
import type { LeaseBook } from '../networks/lease-book.ts';
import { type KnownNetworks, networkConfigs } from '../networks/network-config.ts';
import { withOwner } from '../networks/port-owner.ts';

/** What brings a container onto its networks. */
export interface Connections extends Declared {
  readonly containers: Pick<ContainerStore, 'get' | 'change' | 'updateSoon'>;
  readonly exec: Pick<ExecDriver, 'running' | 'openNetns'>;
  readonly network: Pick<
    Networks,
    | 'sandbox'
    | 'createSandbox'
    | 'adoptSandbox'
    | 'ensureNetwork'
    | 'attach'
    | 'disconnect'
    | 'observe'
    | 'checkPort'
    | 'driver'
    | 'handOver'
  >;
  readonly networks: KnownNetworks;
  readonly endpoints: EndpointPorts;
  readonly leases: Pick<LeaseBook, 'save' | 'leave'>;
  readonly drifts: Pick<DriftMemory, 'of' | 'repaired'>;
}

export interface ConnectPorts extends Declared {
  readonly connections: Connections;
}

export interface WithdrawPorts {
  readonly network: Pick<Networks, 'withdraw'>;
  readonly containers: Pick<ContainerStore, 'get' | 'updateSoon'>;
}

export interface DisconnectPorts {
  readonly network: Pick<Networks, 'detach'>;
  readonly containers: Pick<ContainerStore, 'get' | 'updateSoon'>;
}

/** What of a record says where a container is on its networks. */
export type Connected = ReturnType<typeof recordedEndpoints>;

const samePort = (a: PublishedPort, b: PublishedPort): boolean =>
  a.hostIp === b.hostIp && a.hostPort === b.hostPort && a.protocol === b.protocol;

/** A port that some other program listens on; the error names the line that asked for it. */
function checkPorts(
  on: Connections,
  desired: Desired<'container'>,
  { id, network }: ContainerRecord,
  wanted: readonly PublishedPort[],
): void {
  const held = network?.ports ?? [];
  for (const port of wanted) {
    if (held.some((own) => samePort(own, port))) continue;
    try {
      on.network.checkPort(port, id);
    } catch (error) {
      if (!(error instanceof TsdError)) throw error;
      const index = desired.spec.ports.findIndex(
        ({ hostPort, containerPort, protocol }) =>
          containerPort === port.containerPort &&
          protocol === port.protocol &&
          (hostPort === null || hostPort === port.hostPort),
      );
      const named = withOwner(on.containers, on.desired(), port, error);
      throw named.withContext({ key: desired.key, source: desired.positions[`ports.${index}`] ?? desired.source });
    }
  }
}

/** Nothing else puts back the bridge of a network that is only kept for those that are still on it. */
function keepUp(on: Connections, network: NetworkConfig): void {
  const { key } = network;
  if (key === on.networks.defaultNetwork()?.key || on.desired().resources.has(key as ResourceKey)) return;
  on.network.ensureNetwork(network);
}

/** @throws TSD_NETWORK saying that the network itself is gone and is left so, where that is why. */
function attach(on: Connections, desired: Desired<'container'>, { config, network: { key } }: WantedEndpoint): void {
  try {
    on.network.attach(config);
  } catch (thrown) {
    const declared = on.desired().resources.get(key as ResourceKey) as Desired<'network'> | undefined;
    const missing = on.drifts.of(key as ResourceKey);
    if (declared === undefined || declared.spec.drift === 'heal' || missing.length === 0) throw thrown;
    const what = `${missing.join(', ')} of ${key} missing, left as it is (drift: ${declared.spec.drift})`;
    throw new TsdError('TSD_NETWORK', what, {
      key: desired.key,
      hint: putBack(declared),
      cause: thrown,
    });
  }
}

/** What holds the namespaces of containers. */
interface Sandboxes {
  readonly exec: Pick<ExecDriver, 'openNetns'>;
  readonly network: Pick<Networks, 'sandbox' | 'adoptSandbox'>;
}

/** Holds the namespace of a container that runs. */
export function adoptSandbox({ exec, network }: Sandboxes, containerId: string): void {
  if (network.sandbox(containerId) === null) network.adoptSandbox(containerId, exec.openNetns(containerId));
}

/** Networks on which the container has an endpoint that it is not to have, or has under another name. */
function endpointsToLeave(
  on: Connections,
  record: ContainerRecord,
  wanted: readonly WantedEndpoint[],
): Map<string, string | null> {
  const names = new Map(wanted.map(({ config }) => [config.network, config.interfaceName]));
  const recorded = endpointsOf(record)
    .filter(({ network, interfaceName }) => names.get(network) !== interfaceName)
    .map(({ network, interfaceName }) => [network as string, interfaceName] as const);
  const key = record.owner?.key;
  // Only where something is amiss: a look at the kernel is one at all containers.
  const amiss = key !== undefined && on.drifts.of(key).length > 0;
  const seen = amiss ? (on.network.observe().endpoints.get(record.id) ?? []) : [];
  const strays = seen.flatMap(({ network }) =>
    network !== null && !names.has(network) ? [[network, null] as const] : [],
  );
  return new Map<string, string | null>([...strays, ...recorded]);
}

/**
 * Before the kernel is changed under a container that runs, its record names every endpoint that it may have from now on,
 * and its leases are written: whatever becomes of this process, no address is given to another one.
 */
async function announce(
  { leases, containers }: Connections,
  record: ContainerRecord,
  wanted: Connected,
): Promise<void> {
  const joined = new Set(wanted.endpoints.map(({ network }) => network));
  const left = (current: ContainerRecord): readonly RecordedEndpoint[] =>
    endpointsOf(current).filter(({ network }) => !joined.has(network));
  const known = new Map(endpointsOf(record).map((endpoint) => [endpoint.network, endpoint]));
  const isKnown = wanted.endpoints.every(({ network, ipv4, ipv6 }) => {
    const before = known.get(network);
    return before !== undefined && before.ipv4 === ipv4 && before.ipv6 === ipv6;
  });
  if (isKnown) {
    await leases.save();
    return;
  }
  const update = (current: ContainerRecord): ContainerRecord => ({
    ...current,
    endpoints: [...wanted.endpoints, ...left(current)],
    interfaceNames: wanted.interfaceNames,
  });
  await leases.save({ files: (batch) => containers.change(record.id, update, batch) });
}

/** Those through which a default route is to lead come last: the others give theirs up first. */
const inOrderOfRoutes = (wanted: readonly WantedEndpoint[]): readonly WantedEndpoint[] => {
  const leads = ({ config: { defaultRoute } }: WantedEndpoint) => Number(defaultRoute.ipv4) + Number(defaultRoute.ipv6);
  return [...wanted].sort((a, b) => leads(a) - leads(b));
};

/**
 * Brings namespace, endpoints and published ports into agreement with the declaration, under a running payload too. Every
 * step may have happened before. Returns what the record is to say; leases of networks that were left are given up with
 * the next save.
 */
export async function connect(on: Connections, desired: Desired<'container'>, containerId: string): Promise<Connected> {
  const record = recordOf(on, containerId);
  const running = on.exec.running(containerId) !== null;
  if (running) adoptSandbox(on, containerId);
  else on.network.createSandbox(containerId);
  const wanted = wantedEndpoints(on.endpoints, desired, containerId);
  const connected = recordedEndpoints(on.endpoints, desired, containerId, wanted);
  checkPorts(
    on,
    desired,
    record,
    wanted.flatMap(({ config }) => config.ports),
  );
  if (running) await announce(on, record, connected);
  for (const [network, name] of endpointsToLeave(on, record, wanted)) on.network.disconnect(containerId, network, name);
  for (const endpoint of inOrderOfRoutes(wanted)) {
    keepUp(on, endpoint.network);
    attach(on, desired, endpoint);
  }
  const joined = new Set(wanted.map(({ config }) => config.network));
  for (const { network } of endpointsOf(record)) if (!joined.has(network)) on.leases.leave(desired.key, network);
  on.drifts.repaired(desired.key);
  return connected;
}

/** As {@link connect}, and records it. */
export async function connectAndRecord(
  on: Connections,
  desired: Desired<'container'>,
  containerId: string,
): Promise<void> {
  const connected = await connect(on, desired, containerId);
  on.containers.updateSoon({ ...recordOf(on, containerId), ...connected });
  await on.leases.save();
}

/**
 * Before a run: what it links to has addresses and ports by now, which it may not have had when this one was connected. Where
 * containers reach each other by links alone, rules name them.
 */
export async function openLinks(on: Connections, desired: Desired<'container'>, containerId: string): Promise<void> {
  const { links, networks } = desired.references;
  if (links.length === 0 || !ownsSandbox(desired.spec)) return;
  const closed = networkConfigs(on.networks).filter(({ options }) => options.icc === false);
  if (closed.some(({ key }) => networks.includes(key as ResourceKey))) await connectAndRecord(on, desired, containerId);
}

/** Those with ports come first: the one that gives way has none any more after the first of them. */
const inOrderOfPorts = (wanted: readonly WantedEndpoint[]): readonly WantedEndpoint[] =>
  [...wanted].sort((a, b) => Number(b.config.ports.length > 0) - Number(a.config.ports.length > 0));

/** Networks on which an address can be two containers' while it moves. */
export function sharedNetworks({ network, networks }: Pick<Connections, 'network' | 'networks'>): ReadonlySet<string> {
  const known = networkConfigs(networks);
  const shares = new Map(
    [...new Set(known.map(({ driver }) => driver))].map((name) => [
      name,
      network.driver(name).capabilities.sharedAddresses,
    ]),
  );
  return new Set(known.filter(({ driver }) => shares.get(driver) === true).map(({ key }) => key));
}

/**
 * Gives the addresses and the published ports of the one that gives way to its successor, in one step a network. Returns
 * where the successor is; null for one that has ended and let go of its namespace: there is nothing to give ports to.
 */
export function handOver(
  on: Connections,
  desired: Desired<'container'>,
  retiringId: string,
  successorId: string,
): Connected | null {
  if (!ownsSandbox(desired.spec)) return null;
  if (on.exec.running(successorId)) adoptSandbox(on, successorId);
  if (on.network.sandbox(successorId) === null) return null;
  const shared = sharedNetworks(on);
  const wanted = wantedEndpoints(on.endpoints, desired, successorId, shared);
  if (wanted.length === 0) return null;
  for (const { config, network } of inOrderOfPorts(inOrderOfRoutes(wanted))) {
    keepUp(on, network);
    // Only where ports or addresses are handed over: the others are as their connect made them.
    const gives = shared.has(network.key) || config.ports.length > 0 || wanted.length === 1;
    if (gives) on.network.handOver(retiringId, config);
    else on.network.attach(config);
  }
  on.drifts.repaired(desired.key);
  return recordedEndpoints(on.endpoints, desired, successorId, wanted);
}

export async function connectContainer({ connections }: ConnectPorts, op: OpOf<'container.connect'>): Promise<void> {
  await connectAndRecord(connections, declarationFor(connections, op), op.containerId);
}

/**
 * Gives up host ports; the next start or update publishes again what is declared, if that is free then.
 * @param only these of the container; left out, all
 */
export async function withdrawPorts(
  { network, containers }: WithdrawPorts,
  containerId: string,
  only?: readonly HostPort[],
): Promise<void> {
  network.withdraw(containerId, only);
  const record = containers.get(containerId);
  if (!record?.network || record.network.ports.length === 0) return;
  const ports = only === undefined ? [] : record.network.ports.filter((port) => !isAmong(only, port));
  containers.updateSoon({ ...record, network: { ...record.network, ports } });
}

/** Gives up namespace, interfaces and ports; the addresses stay leased. */
export function disconnectContainer(
  { network, containers }: DisconnectPorts,
  op: OpOf<'container.disconnect'>,
): Promise<void> {
  network.detach(op.containerId);
  const record = containers.get(op.containerId);
  if (record) containers.updateSoon({ ...record, ...DISCONNECTED });
  return Promise.resolve();
}
