/** Restores the networks and endpoints of an earlier supervisor in the network driver. */
import type { ExecDriver } from '../../drivers/contract/exec.ts';
import type { EndpointConfig, Networks, ObservedEndpoint, ObservedNetworks } from '../../drivers/contract/network.ts';
import type { Desired } from '../../model/desired.ts';
import type { Declared } from '../../reconcile/ops/declared.ts';
import { type ReachPorts, reachOf } from '../../reconcile/ops/networks/links.ts';
import { type KnownNetworks, networkConfigs } from '../../reconcile/ops/networks/network-config.ts';
import { ownerOfNetwork } from '../../reconcile/ops/networks/shared-network.ts';
import { observedReferences } from '../../reconcile/plan/references.ts';
import type { ContainerRecord, RecordedEndpoint } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import { DISCONNECTED, endpointsOf, portsOn } from '../../state/containers/endpoints.ts';
import { containerSpecOf } from '../../state/containers/written-spec.ts';
import { isUnknown } from '../../state/restore.ts';
import type { Attempt } from './attempt.ts';

export interface RestoredNetworkPorts extends Declared {
  readonly containers: Pick<ContainerStore, 'all' | 'get' | 'byKey' | 'updateSoon'>;
  readonly exec: Pick<ExecDriver, 'name' | 'running' | 'openNetns'>;
  readonly network: Pick<Networks, 'observe' | 'sandbox' | 'adoptSandbox' | 'resume' | 'detach' | 'ensureNetwork'>;
  readonly networks: KnownNetworks;
  readonly reach: ReachPorts;
}

/** Passes the attachments of these containers to the network driver, so that it can observe and change them. */
export function restoreEndpoints(
  ports: RestoredNetworkPorts,
  containers: readonly ContainerRecord[],
  attempt: Attempt,
): void {
  let looked: ObservedNetworks['endpoints'] | undefined;
  const seen = () => {
    looked ??= ports.network.observe().endpoints;
    return looked;
  };
  const known = new Set(networkConfigs(ports.networks).map(({ key }) => key));
  for (const { id } of containers) {
    const record = ports.containers.get(id);
    if (!record || ports.network.sandbox(id) === null) continue;
    const desired = record.owner && ports.desired().resources.get(record.owner.key);
    const container = desired?.kind === 'container' ? (desired as Desired<'container'>) : null;
    for (const endpoint of endpointsOf(record)) {
      if (!known.has(endpoint.network)) continue;
      // Resuming it would repair drift that the manifest wants left alone.
      if (container && container.spec.drift !== 'heal' && !isConnected(seen().get(id), endpoint)) continue;
      attempt(record.engineName, () => {
        const reach = container ? reachOf(ports.reach, container, endpoint.network) : [];
        const bandwidth = container?.spec.bandwidth ?? null;
        ports.network.resume(endpointConfig(record, endpoint, { reach, ...(bandwidth && { bandwidth }) }));
      });
    }
  }
}

/** An endpoint that only the kernel knows has no network yet: with one endpoint it is that one. */
function isConnected(seen: readonly ObservedEndpoint[] = [], { network }: RecordedEndpoint): boolean {
  return seen.some((endpoint) => endpoint.connected && (endpoint.network ?? network) === network);
}

function endpointConfig(
  record: ContainerRecord,
  endpoint: RecordedEndpoint,
  declared: Pick<EndpointConfig, 'reach' | 'bandwidth'>,
): EndpointConfig {
  const { network, interfaceName, ipv4, ipv6, mac, defaultRoute, former } = endpoint;
  return {
    containerId: record.id,
    ...{ network, interfaceName, ipv4, ipv6, mac, defaultRoute },
    ...(former && { former }),
    ports: portsOn(record, endpoint),
    ...declared,
  };
}

/**
 * The namespace of a container that has ended is there as long as another one runs in it. That goes on, and its owner comes
 * back to it.
 */
function holdShared(ports: RestoredNetworkPorts, attempt: Attempt): void {
  const { containers, exec, network } = ports;
  for (const { id, owner, engineName } of containers.all()) {
    if (owner === null || exec.running(id) === null) continue;
    const spec = containerSpecOf(owner);
    const host = observedReferences({ key: owner.key, engineName, spec }).networkContainer;
    const holder = ownerOfNetwork(ports, host);
    if (!holder || isUnknown(holder) || exec.running(holder.id) !== null || network.sandbox(holder.id) !== null)
      continue;
    attempt(holder.engineName, () => network.adoptSandbox(holder.id, exec.openNetns(id)));
  }
}

/**
 * A namespace ends with its last holder. Of a container whose namespace is gone the rules may have stayed, and would
 * keep its host ports from others.
 */
function dropEndpoints({ containers, exec, network }: RestoredNetworkPorts, attempt: Attempt): void {
  for (const record of containers.all()) {
    const touchable = record.owner !== null && record.execDriver === exec.name && !isUnknown(record);
    if (!touchable || exec.running(record.id) || network.sandbox(record.id) !== null) continue;
    attempt(record.engineName, () => network.detach(record.id));
    if (endpointsOf(record).length > 0) containers.updateSoon({ ...record, ...DISCONNECTED });
  }
}

/** Passes the recorded networks to the network driver, which recreates missing ones. */
export function restoreNetworks(ports: RestoredNetworkPorts, attempt: Attempt): void {
  holdShared(ports, attempt);
  dropEndpoints(ports, attempt);
  const fallback = ports.networks.defaultNetwork();
  for (const config of networkConfigs(ports.networks)) {
    if (config.key !== fallback?.key) attempt(config.key, () => ports.network.ensureNetwork(config));
  }
  restoreEndpoints(ports, ports.containers.all(), attempt);
}
