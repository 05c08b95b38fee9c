/** The one list of drivers. A new driver is its folder and a line here. */

import { createNativeDriver } from './exec/native/native-driver.ts';
import type { CreateExecDriver } from './exec/open.ts';
import { createAufsDriver } from './graph/aufs/aufs-driver.ts';
import { createBtrfsDriver } from './graph/btrfs/btrfs-driver.ts';
import { createDeviceMapperDriver } from './graph/devicemapper/devicemapper-driver.ts';
import { DEVICE_MAPPER_OPTIONS } from './graph/devicemapper/options.ts';
import type { GraphDriverEntry } from './graph/open.ts';
import { createOverlayDriver } from './graph/overlay/overlay-driver.ts';
import { createVfsDriver } from './graph/vfs/vfs-driver.ts';
import { createBridgeDriver } from './network/bridge/bridge-driver.ts';
import { createHostDriver } from './network/host/host-driver.ts';
import { createIpvlanDriver } from './network/ipvlan/ipvlan-driver.ts';
import { createMacvlanDriver } from './network/macvlan/macvlan-driver.ts';
import { createNoneDriver } from './network/none/none-driver.ts';
import type { CreateNetworkDriver } from './network/open.ts';
import type { NETWORK_DRIVER_TABLE } from './network-table.ts';

/**
 * Graph drivers by name, the preferred one first: in Docker 1.4's order, but for overlay, which Docker put last, and for
 * devicemapper, since a pool in sparse files is slow and vfs works everywhere.
 */
export const GRAPH_DRIVERS: Readonly<Record<string, GraphDriverEntry>> = {
  overlay: { options: [], create: createOverlayDriver },
  aufs: { options: [], create: createAufsDriver },
  btrfs: { options: [], create: createBtrfsDriver },
  vfs: { options: [], create: createVfsDriver },
  devicemapper: { options: DEVICE_MAPPER_OPTIONS, create: createDeviceMapperDriver },
};

export const EXEC_DRIVERS: Readonly<Record<string, CreateExecDriver>> = {
  native: createNativeDriver,
};

export const NETWORK_DRIVERS: Readonly<Record<keyof typeof NETWORK_DRIVER_TABLE, CreateNetworkDriver>> = {
  bridge: createBridgeDriver,
  macvlan: createMacvlanDriver,
  ipvlan: createIpvlanDriver,
  none: createNoneDriver,
  host: createHostDriver,
};
