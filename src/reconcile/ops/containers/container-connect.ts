import type { ExecDriver } from '../../../drivers/contract/exec.ts';
import type { EndpointConfig, NetworkConfig, Networks, PublishedPort } from '../../../drivers/contract/network.ts';
import type { Desired } from '../../../model/desired.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import type { ContainerNetwork, ContainerRecord } from '../../../state/containers/container-record.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import type { DriftMemory } from '../../drift-memory.ts';
import type { OpOf } from '../../op.ts';
import { ownsSandbox } from '../../plan/references.ts';
import { putBack } from '../../put-back.ts';
import { type Declared, declarationFor, recordOf } from '../declared.ts';
import { type EndpointPorts, endpointConfig, networkOf, recordedNetwork } from '../networks/endpoint.ts';
import type { LeaseBook } from '../networks/lease-book.ts';
import type { KnownNetworks } from '../networks/network-config.ts';

/** What brings a container onto its network. */
export interface Connections extends Declared {
  readonly containers: Pick<ContainerStore, 'get' | 'updateSoon'>;
  readonly exec: Pick<ExecDriver, 'running' | 'openNetns'>;
  readonly network: Pick<
    Networks,
    'sandbox' | 'createSandbox' | 'adoptSandbox' | 'ensureNetwork' | 'attach' | 'checkPort' | 'handOver'
  >;
  readonly networks: KnownNetworks;
  readonly endpoints: EndpointPorts;
  readonly drifts: Pick<DriftMemory, 'of' | 'repaired'>;
}

export interface ConnectPorts extends Declared {
  readonly containers: Pick<ContainerStore, 'get'>;
  readonly connections: Connections;
  readonly leases: Pick<LeaseBook, 'save'>;
}

export interface WithdrawPorts {
  readonly network: Pick<Networks, 'withdraw'>;
  readonly containers: Pick<ContainerStore, 'get' | 'updateSoon'>;
}

export interface DisconnectPorts {
  readonly network: Pick<Networks, 'detach'>;
  readonly containers: Pick<ContainerStore, 'get' | 'updateSoon'>;
}

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
  wanted.forEach((port, index) => {
    if (held.some((own) => samePort(own, port))) return;
    try {
      on.network.checkPort(port, id);
    } catch (error) {
      if (!(error instanceof TsdError)) throw error;
      throw error.withContext({ key: desired.key, source: desired.positions[`ports.${index}`] ?? desired.source });
    }
  });
}

/** Nothing else puts back the bridge of a network that is only kept for those that are still on it. */
function keepUp(on: Connections, network: NetworkConfig): void {
  const { key } = network;
  if (key === on.networks.defaultNetwork()?.key || on.desired().resources.has(key as ResourceKey)) return;
  on.network.ensureNetwork(network);
}

/** @throws TSD_NETWORK saying that the network itself is gone and is left so, where that is why. */
function attach(
  on: Connections,
  desired: Desired<'container'>,
  { key }: NetworkConfig,
  endpoint: EndpointConfig,
): void {
  try {
    on.network.attach(endpoint);
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

/** Brings namespace, veth, address and published ports into agreement with the declaration. */
export function connect(on: Connections, desired: Desired<'container'>, containerId: string): void {
  const record = recordOf(on, containerId);
  const network = networkOf(on.networks, desired);
  if (on.exec.running(containerId)) adoptSandbox(on, containerId);
  else on.network.createSandbox(containerId);
  if (network === null) return;
  keepUp(on, network);
  const endpoint = endpointConfig(on.endpoints, desired, containerId, network);
  checkPorts(on, desired, record, endpoint.ports);
  attach(on, desired, network, endpoint);
  on.drifts.repaired(desired.key);
  on.containers.updateSoon({ ...record, network: recordedNetwork(on.endpoints, desired, endpoint, network) });
}

/**
 * Gives the address and the published ports of the one that gives way to its successor, in one step. Returns the network
 * that the successor is on; null for one that has ended and let go of its namespace: there is nothing to give ports to.
 */
export function handOver(
  on: Connections,
  desired: Desired<'container'>,
  retiringId: string,
  successorId: string,
): ContainerNetwork | null {
  if (!ownsSandbox(desired.spec)) return null;
  if (on.exec.running(successorId)) adoptSandbox(on, successorId);
  const network = on.network.sandbox(successorId) === null ? null : networkOf(on.networks, desired);
  if (network === null) return null;
  const endpoint = endpointConfig(on.endpoints, desired, successorId, network);
  keepUp(on, network);
  on.network.handOver(retiringId, endpoint);
  on.drifts.repaired(desired.key);
  return recordedNetwork(on.endpoints, desired, endpoint, network);
}

export async function connectContainer(ports: ConnectPorts, op: OpOf<'container.connect'>): Promise<void> {
  connect(ports.connections, declarationFor(ports, op), op.containerId);
  await ports.leases.save();
}

/** Gives up the host ports of a container that does not run; the next start publishes them again, if they are free then. */
export async function withdrawPorts({ network, containers }: WithdrawPorts, containerId: string): Promise<void> {
  network.withdraw(containerId);
  const record = containers.get(containerId);
  if (!record?.network || record.network.ports.length === 0) return;
  containers.updateSoon({ ...record, network: { ...record.network, ports: [] } });
}

/** Gives up namespace, veth and ports; the address stays leased. */
export function disconnectContainer(
  { network, containers }: DisconnectPorts,
  op: OpOf<'container.disconnect'>,
): Promise<void> {
  network.detach(op.containerId);
  const record = containers.get(op.containerId);
  if (record) containers.updateSoon({ ...record, network: null });
  return Promise.resolve();
}
