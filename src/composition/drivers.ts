/** Makes the drivers that the settings name. */
import { fileURLToPath } from 'node:url';
import type { Instance, OriginalSettings } from '../drivers/contract/driver.ts';
import type { ExecDriver } from '../drivers/contract/exec.ts';
import type { NetworkDriver } from '../drivers/contract/network.ts';
import { openGraphDriver } from '../drivers/graph/open.ts';
import { EXEC_DRIVERS, GRAPH_DRIVERS, NETWORK_DRIVERS } from '../drivers/registry.ts';
import type { OnShutdown } from '../engine/shutdown-handlers.ts';
import { systemClock } from '../ffi/boot-clock.ts';
import type { Sysinfo } from '../ffi/host/sysinfo.ts';
import { TsdError } from '../model/errors/errors.ts';
import type { DaemonConfig } from '../settings/daemon-config.ts';
import type { StateRoot } from '../state/root.ts';
import { giveHostBack } from '../supervisor/give-back.ts';
import type { Logger } from '../supervisor/log.ts';
import type { Drivers } from './op-ports.ts';
import type { Stores } from './stores.ts';

/** The program that `npm run build` puts beside the sources. */
export const SHIM_BINARY = fileURLToPath(new URL('../../build/tsdocker-shim', import.meta.url));

export function instanceOf({ instanceId, root, runDir }: StateRoot): Instance {
  return { id: instanceId, root, runDir };
}

export function createExecDriver(config: DaemonConfig, state: StateRoot, sysinfo: Sysinfo): ExecDriver {
  const instance = instanceOf(state);
  const create = Object.entries(EXEC_DRIVERS).find(([name]) => name === config.execDriver)?.[1];
  if (create) return create({ instance, clock: systemClock, shimBinary: SHIM_BINARY, sysinfo });
  const names = Object.keys(EXEC_DRIVERS).join(', ');
  throw new TsdError('TSD_DRIVER_UNKNOWN', `unknown exec driver ${config.execDriver}; there are ${names}`);
}

function createNetworkDriver(
  { iptables, ipForward }: DaemonConfig,
  instance: Instance,
  originals: OriginalSettings,
): NetworkDriver {
  return NETWORK_DRIVERS.bridge({ instance, iptables, ipForward, originals });
}

/** Graph and network driver, and what puts the host back as it was. @throws TsdError; those that are open then have their shutdown handlers. */
export function openDrivers({ config, state, stores, exec, log }: DriverParts, handlers: OnShutdown): Drivers {
  const { containers, images, changedSettings } = stores;
  const graph = openGraphDriver({
    drivers: GRAPH_DRIVERS,
    root: state.root,
    requested: config.storageDriver,
    options: config.storageOpt,
    graphIds: images.layersInUse(),
  });
  handlers.onShutdown('graph driver', () => graph.close(), ['root']);
  const network = createNetworkDriver(config, instanceOf(state), changedSettings);
  handlers.onShutdown('network driver', () => network.close(), ['root']);
  handlers.onShutdown('what was changed on the host', () => giveHostBack({ containers, exec, network }, log), [
    'exec driver',
    'network driver',
  ]);
  return { graph, network, exec };
}

interface DriverParts {
  readonly config: DaemonConfig;
  readonly state: StateRoot;
  readonly stores: Stores;
  readonly exec: ExecDriver;
  readonly log: Logger;
}
