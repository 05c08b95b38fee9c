/**
 * The network drivers by name, and what manifests may say of their networks. Data alone: a manifest is checked where no
 * driver works too. The drivers are in the registry, under the same names.
 */
import type { NetworkDriverTable } from '../model/networks/driver-fields.ts';
import { BRIDGE_FIELDS } from './network/bridge/fields.ts';
import { IPVLAN_FIELDS } from './network/ipvlan/fields.ts';
import { MACVLAN_FIELDS } from './network/macvlan/fields.ts';

/** `none` and `host` are what containers name that are on no network. */
export const NETWORK_DRIVER_TABLE = {
  bridge: BRIDGE_FIELDS,
  macvlan: MACVLAN_FIELDS,
  ipvlan: IPVLAN_FIELDS,
  none: null,
  host: null,
} satisfies NetworkDriverTable;

/** Driver of networks that name none. */
export const DEFAULT_NETWORK_DRIVER = 'bridge';
