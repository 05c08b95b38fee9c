import type { ContainerRecord } from './container-record.ts';

/** A container on one network, as its record has it. */
export interface Endpoint {
  /** Interface of the network on the host. */
  readonly bridge: string;
  /** Without prefix length; null where it has none of that family. */
  readonly ipv4: string | null;
  readonly ipv6: string | null;
  /** Names that it has on this network beside those that it has everywhere. */
  readonly aliases: readonly string[];
}

/** The first is the one that its default route goes through. */
export function endpointsOf({ network }: Pick<ContainerRecord, 'network'>): readonly Endpoint[] {
  return network === null ? [] : [{ bridge: network.bridge, ipv4: network.address, ipv6: null, aliases: [] }];
}
