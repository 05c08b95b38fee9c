/**
 * Where a declared container is whose record cannot be read: it runs on, and so does what talks to it. Its lease has the
 * address.
 */
import type { Desired } from '../../../model/desired.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import { hostnamesOf, type Peer } from '../../names/peer-index.ts';
import { attachedNetwork, isContainer } from '../../plan/references.ts';
import { damagedHolder } from '../containers/damaged-container.ts';
import type { World } from '../world.ts';
import { networkConfigs } from './network-config.ts';

function leased(world: World, { key, references, spec }: Desired<'container'>) {
  const network = attachedNetwork(references, spec);
  const address = world.leases.addressesOf(key).find(([on]) => on === network)?.[1];
  return network === null || address === undefined ? null : { network, address };
}

/** Address of a container by its key, from its record or, where that cannot be read, from its lease. */
export function addressOf(world: World, key: ResourceKey): string | undefined {
  const record = world.containers.byKey(key);
  if (record || !world.containers.hasDamaged) return record?.network?.address;
  const desired = world.desired().resources.get(key);
  if (!desired || !isContainer(desired) || damagedHolder(world, desired.engineName) === null) return undefined;
  return leased(world, desired)?.address;
}

/** By which names others reach a container whose record cannot be read; null for every other one. */
export function unreadPeer(world: World, id: string): Peer | null {
  if (world.containers.damaged(id) === undefined) return null;
  for (const desired of world.desired().resources.values()) {
    if (!isContainer(desired) || damagedHolder(world, desired.engineName) !== id) continue;
    const { key, app, name, engineName, spec } = desired;
    const lease = leased(world, desired);
    const bridge = networkConfigs(world).find((network) => network.key === lease?.network)?.bridge;
    if (lease === null || bridge === undefined) return null;
    return { key, app, name, engineName, hostnames: hostnamesOf(spec), bridge, address: lease.address };
  }
  return null;
}
