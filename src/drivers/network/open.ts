import type { Instance, OriginalSettings } from '../contract/driver.ts';
import type { NetworkDriver, Networks } from '../contract/network.ts';
import { NetworksByDriver } from './networks.ts';
import { RelaySockets } from './relay-sockets.ts';
import { Sandboxes } from './sandboxes.ts';

export interface NetworkDriverContext {
  readonly instance: Instance;
  /** False: no packet filter is touched (--iptables=false). */
  readonly iptables: boolean;
  /** Forwarding is switched on where it is off; without, containers do with what they get (--ip-forward). */
  readonly ipForward: boolean;
  readonly originals: OriginalSettings;
  /** Shared by all drivers. */
  readonly sandboxes: Sandboxes;
  readonly relays: RelaySockets;
}

export type CreateNetworkDriver = (context: NetworkDriverContext) => NetworkDriver;

/** All drivers of a registry on one set of sandboxes. They touch nothing before they are used. */
export function openNetworks(
  drivers: Readonly<Record<string, CreateNetworkDriver>>,
  context: Omit<NetworkDriverContext, 'sandboxes' | 'relays'>,
): Networks {
  const sandboxes = new Sandboxes();
  const relays = new RelaySockets();
  return new NetworksByDriver(
    Object.values(drivers).map((create) => create({ ...context, sandboxes, relays })),
    sandboxes,
    relays,
  );
}
