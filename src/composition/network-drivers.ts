import { DEFAULT_NETWORK_DRIVER, NETWORK_DRIVER_TABLE } from '../drivers/network-table.ts';
import type { KnownNetworkDrivers } from '../manifest/resolve/network-fields.ts';

/** What manifests are checked against. */
export const NETWORK_DRIVERS_OF_MANIFESTS: KnownNetworkDrivers = {
  drivers: NETWORK_DRIVER_TABLE,
  standard: DEFAULT_NETWORK_DRIVER,
};
