import type { Instance } from '../../../src/drivers/contract/driver.ts';
import type { ExecDriver } from '../../../src/drivers/contract/exec.ts';
import { NativeDriver, type RunCgroups } from '../../../src/drivers/exec/native/native-driver.ts';
import { handMadeCompiler, SHIM_BINARY } from './hand-made.ts';

const noCgroups: RunCgroups = {
  clear: async () => {},
  sharedGroups: () => [],
  shortcomings: () => [],
  kill: async () => {},
  remove: async () => {},
  list: () => [],
  arePopulated: () => false,
  removeAll: () => {},
  oomKilled: () => false,
  pause: async () => {},
  unpause: async () => {},
  updateResources: () => {},
  statistics: () => {
    throw new Error('no control groups here');
  },
  processes: () => [],
  usage: () => ({ cpuSeconds: null, memoryBytes: null, pids: null }),
};

/** The native driver without the parts that compile.ts and cgroups/ add. */
export function handMadeDriver(instance: Instance, shimBinary: string = SHIM_BINARY): ExecDriver {
  const clock = { now: () => ({ wallMs: Date.now(), bootMs: performance.now() }) };
  return new NativeDriver({ instance, clock, shimBinary }, noCgroups, handMadeCompiler);
}
