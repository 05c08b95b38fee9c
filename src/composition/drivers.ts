/** Makes the drivers that the settings name. */
import { fileURLToPath } from 'node:url';
import type { Instance } from '../drivers/contract/driver.ts';
import type { ExecDriver } from '../drivers/contract/exec.ts';
import { openExecDriver } from '../drivers/exec/open.ts';
import { openGraphDriver } from '../drivers/graph/open.ts';
import { openNetworks } from '../drivers/network/open.ts';
import { EXEC_DRIVERS, GRAPH_DRIVERS, NETWORK_DRIVERS } from '../drivers/registry.ts';
import type { OnShutdown } from '../engine/shutdown-handlers.ts';
import { systemTimers } from '../engine/timers.ts';
import { systemClock } from '../ffi/boot-clock.ts';
import type { Sysinfo } from '../ffi/host/sysinfo.ts';
import type { DaemonConfig } from '../settings/daemon-config.ts';
import type { StateRoot } from '../state/root.ts';
import { giveHostBack } from '../supervisor/give-back.ts';
import type { Logger } from '../supervisor/log.ts';
import type { Drivers } from './ports/op-ports.ts';
import type { Stores } from './stores.ts';

/** The program that `npm run build` puts beside the sources. */
export const SHIM_BINARY = fileURLToPath(new URL('../../build/tsdocker-shim', import.meta.url));

export function instanceOf({ instanceId, root, runDir }: StateRoot): Instance {
  return { id: instanceId, root, runDir };
}

export function createExecDriver(config: DaemonConfig, state: StateRoot, sysinfo: Sysinfo): ExecDriver {
  const context = { instance: instanceOf(state), clock: systemClock, shimBinary: SHIM_BINARY, sysinfo };
  return openExecDriver(EXEC_DRIVERS, config.execDriver, context);
}

/** Graph driver and network drivers, and what puts the host back as it was. @throws TsdError; those that are open then have their shutdown handlers. */
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
  const network = openNetworks(NETWORK_DRIVERS, { ...config, instance: instanceOf(state), originals: changedSettings });
  handlers.onShutdown('network drivers', () => network.close(), ['root']);
  const host = { containers, exec, network, timers: systemTimers };
  handlers.onShutdown('what was changed on the host', () => giveHostBack(host, log), [
    'exec driver',
    'network drivers',
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
