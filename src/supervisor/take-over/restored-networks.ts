/** Restores the networks and endpoints of an earlier supervisor in the network driver. */
import type { ExecDriver } from '../../drivers/contract/exec.ts';
import type { Networks, ObservedNetworks } from '../../drivers/contract/network.ts';
import type { Desired } from '../../model/desired.ts';
import type { Declared } from '../../reconcile/ops/declared.ts';
import { type ReachPorts, reachOf } from '../../reconcile/ops/networks/endpoint.ts';
import { type KnownNetworks, networkConfigs } from '../../reconcile/ops/networks/network-config.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import { isUnknown } from '../../state/restore.ts';
import type { Attempt } from './attempt.ts';

export interface RestoredNetworkPorts extends Declared {
  readonly containers: Pick<ContainerStore, 'all' | 'get' | 'updateSoon'>;
  readonly exec: Pick<ExecDriver, 'name' | 'running'>;
  readonly network: Pick<Networks, 'observe' | 'sandbox' | 'resume' | 'detach' | 'ensureNetwork'>;
  readonly networks: KnownNetworks;
  readonly reach: ReachPorts;
}

/** Passes the attachments of these containers to the network driver, so that it can observe and change them. */
export function restoreEndpoints(
  ports: RestoredNetworkPorts,
  containers: readonly ContainerRecord[],
  attempt: Attempt,
): void {
  let known: ObservedNetworks['endpoints'] | undefined;
  const seen = () => {
    known ??= ports.network.observe().endpoints;
    return known;
  };
  const byInterface = new Map(networkConfigs(ports.networks).map((config) => [config.interfaceName, config]));
  for (const { id } of containers) {
    const record = ports.containers.get(id);
    const network = byInterface.get(record?.network?.bridge ?? '');
    if (!record?.network || !network || ports.network.sandbox(id) === null) continue;
    const { address, prefixLength, mac, ports: published } = record.network;
    const desired = record.owner && ports.desired().resources.get(record.owner.key);
    const container = desired?.kind === 'container' ? (desired as Desired<'container'>) : null;
    // Resuming it would repair drift that the manifest wants left alone.
    if (
      container &&
      container.spec.drift !== 'heal' &&
      !seen()
        .get(id)
        ?.some(({ connected }) => connected)
    )
      continue;
    attempt(record.engineName, () =>
      ports.network.resume({
        containerId: id,
        network: network.key,
        interfaceName: 'eth0',
        ipv4: `${address}/${prefixLength}`,
        ipv6: null,
        mac,
        defaultRoute: { ipv4: true, ipv6: false },
        ports: published,
        reach: container ? reachOf(ports.reach, container) : [],
      }),
    );
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
    if (record.network !== null) containers.updateSoon({ ...record, network: null });
  }
}

/** Passes the recorded networks to the network driver, which recreates missing ones. */
export function restoreNetworks(ports: RestoredNetworkPorts, attempt: Attempt): void {
  dropEndpoints(ports, attempt);
  const fallback = ports.networks.defaultNetwork();
  for (const config of networkConfigs(ports.networks)) {
    if (config.key !== fallback?.key) attempt(config.key, () => ports.network.ensureNetwork(config));
  }
  restoreEndpoints(ports, ports.containers.all(), attempt);
}
