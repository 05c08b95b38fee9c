import type { EndpointConfig, NetworkConfig, PublishedPort } from '../../../drivers/contract/network.ts';
import type { Desired } from '../../../model/desired.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import type { ContainerRecord } from '../../../state/containers/container-record.ts';
import type { OpOf } from '../../op.ts';
import { putBack } from '../../put-back.ts';
import { endpointConfig, networkOf, recordedNetwork } from '../networks/endpoint.ts';
import { declarationFor, recordOf, type World } from '../world.ts';

const samePort = (a: PublishedPort, b: PublishedPort): boolean =>
  a.hostIp === b.hostIp && a.hostPort === b.hostPort && a.protocol === b.protocol;

/** A port that some other program listens on; the error names the line that asked for it. */
function checkPorts(
  world: World,
  desired: Desired<'container'>,
  { id, network }: ContainerRecord,
  wanted: readonly PublishedPort[],
): void {
  const held = network?.ports ?? [];
  wanted.forEach((port, index) => {
    if (held.some((own) => samePort(own, port))) return;
    try {
      world.network.checkPort(port, id);
    } catch (error) {
      if (!(error instanceof TsdError)) throw error;
      throw error.withContext({ key: desired.key, source: desired.positions[`ports.${index}`] ?? desired.source });
    }
  });
}

/** Nothing else puts back the bridge of a network that is only kept for those that are still on it. */
export function keepUp(world: World, network: NetworkConfig): void {
  const { key } = network;
  if (key === world.defaultNetwork()?.key || world.desired().resources.has(key as ResourceKey)) return;
  world.network.ensureNetwork(network);
}

/** @throws TSD_NETWORK saying that the network itself is gone and is left so, where that is why. */
function attach(world: World, desired: Desired<'container'>, { key }: NetworkConfig, endpoint: EndpointConfig): void {
  try {
    world.network.attach(endpoint);
  } catch (thrown) {
    const declared = world.desired().resources.get(key as ResourceKey) as Desired<'network'> | undefined;
    const missing = world.drifts.of(key as ResourceKey);
    if (declared === undefined || declared.spec.drift === 'heal' || missing.length === 0) throw thrown;
    const what = `${missing.join(', ')} of ${key} missing, left as it is (drift: ${declared.spec.drift})`;
    throw new TsdError('TSD_NETWORK', what, {
      key: desired.key,
      hint: putBack(declared),
      cause: thrown,
    });
  }
}

/** Holds the namespace of a container that runs. */
export function adoptSandbox({ exec, network }: Pick<World, 'exec' | 'network'>, containerId: string): void {
  if (network.sandbox(containerId) === null) network.adoptSandbox(containerId, exec.openNetns(containerId));
}

/** Brings namespace, veth, address and published ports into agreement with the declaration. */
export function connect(world: World, desired: Desired<'container'>, containerId: string): void {
  const record = recordOf(world, containerId);
  const network = networkOf(world, desired);
  if (world.exec.running(containerId)) adoptSandbox(world, containerId);
  else world.network.createSandbox(containerId);
  if (network === null) return;
  keepUp(world, network);
  const endpoint = endpointConfig(world, desired, containerId, network);
  checkPorts(world, desired, record, endpoint.ports);
  attach(world, desired, network, endpoint);
  world.drifts.mended(desired.key);
  world.containers.updateSoon({ ...record, network: recordedNetwork(world, desired, endpoint, network) });
}

export async function connectContainer(world: World, op: OpOf<'container.connect'>): Promise<void> {
  connect(world, declarationFor(world, op), op.containerId);
  await world.leases.save(world.commits);
}

/** Gives up the host ports of a container that does not run; the next start publishes them again, if they are free then. */
export async function withdrawPorts(world: World, containerId: string): Promise<void> {
  world.network.withdraw(containerId);
  const record = world.containers.get(containerId);
  if (!record?.network || record.network.ports.length === 0) return;
  world.containers.updateSoon({ ...record, network: { ...record.network, ports: [] } });
}

/** Gives up namespace, veth and ports; the address stays leased. */
export function disconnectContainer(world: World, op: OpOf<'container.disconnect'>): Promise<void> {
  world.network.detach(op.containerId);
  const record = world.containers.get(op.containerId);
  if (record) world.containers.updateSoon({ ...record, network: null });
  return Promise.resolve();
}
