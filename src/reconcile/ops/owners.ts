import type { NetworkConfig } from '../../drivers/contract/network.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { ResourceStore } from '../../state/history/resource-store.ts';
import type { BuildWork } from './build/build-work.ts';
import type { Declared } from './declared.ts';
import { hasNoStrayLease, type LeaseUsers } from './networks/stray-leases.ts';

/** The possible owners of an object. */
export interface OwnerPorts extends Declared, LeaseUsers {
  readonly containers: LeaseUsers['containers'] & Pick<ContainerStore, 'exists'>;
  readonly builds: Pick<BuildWork, 'holds'>;
  /** Ids of containers that are being made. */
  readonly making: Pick<ReadonlySet<string>, 'has'>;
  readonly resources: Pick<ResourceStore, 'networks'>;
  defaultNetwork(): Pick<NetworkConfig, 'key'> | null;
}

export type IsOwned = (thing: { readonly type: string; readonly id: string }) => boolean;

/** Reports whether an object of ours in the kernel or on disk has an owner now. */
export function ownersOf(ports: OwnerPorts): IsOwned {
  const bridges = new Set<string | undefined>([
    ports.defaultNetwork()?.key,
    ...ports.resources.networks().map(({ key }) => key),
  ]);
  return ({ type, id }) => {
    if (ports.builds.holds(id) || ports.making.has(id)) return true;
    // That of an app which is left as it is may be one that nothing remembers.
    if (type === 'bridge') return bridges.has(id) || ports.desired().untouched?.has(id.split('/')[1] ?? '') === true;
    if (type === 'lease') return hasNoStrayLease(ports, id as ResourceKey);
    return ports.containers.exists(id);
  };
}
