/** What the drivers of networks let a manifest say, as data: manifests are checked without a driver, on any machine. */
import type { NetworkSpec } from '../kinds/network.ts';

/** Fields of a network that not every driver obeys. */
export const DRIVER_FIELDS = [
  'bridgeName',
  'icc',
  'masquerade',
  'gatewayMode',
  'metadata',
  'directAccess',
  'hostAccess',
  'spoofing',
  'parent',
  'vlan',
  'mode',
] as const satisfies readonly (keyof NetworkSpec)[];

export interface NetworkDriverFields {
  /** Those of {@link DRIVER_FIELDS} that it obeys. */
  readonly fields: readonly (typeof DRIVER_FIELDS)[number][];
  /** Values of `mode`, the default first. */
  readonly modes: readonly string[];
  /** Modes whose networks have no gateway: what is not of the network leaves by the interface itself. */
  readonly modesWithoutGateway: readonly string[];
  /** The network is one of the host, which has the gateway's address; otherwise containers are in a network beside it. */
  readonly ofHost: boolean;
  /** Containers publish ports of the host by it. */
  readonly publishesPorts: boolean;
  /** Containers have MACs of their own on it, which can be chosen. */
  readonly ownMac: boolean;
  /** Modes whose networks have one container at a time. */
  readonly modesForOne: readonly string[];
}

/** By name of the driver. Null: a driver without networks. */
export type NetworkDriverTable = Readonly<Record<string, NetworkDriverFields | null>>;
