/** The one list of drivers. A new driver is its folder and a line here. */
import type { Sysinfo } from '../ffi/host/sysinfo.ts';
import type { Clock } from '../model/clock.ts';
import type { Instance, OriginalSettings } from './contract/driver.ts';
import type { ExecDriver } from './contract/exec.ts';
import type { NetworkDriver } from './contract/network.ts';
import { createNativeDriver } from './exec/native/native-driver.ts';
import { createAufsDriver } from './graph/aufs/aufs-driver.ts';
import { createBtrfsDriver } from './graph/btrfs/btrfs-driver.ts';
import { createDeviceMapperDriver } from './graph/devicemapper/devicemapper-driver.ts';
import { DEVICE_MAPPER_OPTIONS } from './graph/devicemapper/options.ts';
import type { GraphDriverEntry } from './graph/open.ts';
import { createOverlayDriver } from './graph/overlay/overlay-driver.ts';
import { createVfsDriver } from './graph/vfs/vfs-driver.ts';
import { createBridgeDriver } from './network/bridge/bridge-driver.ts';

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

export interface ExecDriverContext {
  readonly instance: Instance;
  readonly clock: Clock;
  readonly shimBinary: string;
  readonly sysinfo: Sysinfo;
}

export const EXEC_DRIVERS = {
  native: createNativeDriver,
} as const satisfies Record<string, (context: ExecDriverContext) => ExecDriver>;

export interface NetworkDriverContext {
  readonly instance: Instance;
  readonly iptables: boolean;
  readonly ipForward: boolean;
  readonly originals: OriginalSettings;
}

export const NETWORK_DRIVERS = {
  bridge: createBridgeDriver,
} as const satisfies Record<string, (context: NetworkDriverContext) => NetworkDriver>;
