import type { DriverState, TaskHandle } from '../../../src/drivers/contract/exec.ts';
import { shimOf, shimState } from '../../../src/drivers/exec/native/shim/shim-identity.ts';

/** Pid of the shim of a run of the native driver. */
export function shimPidOf({ driverState }: Pick<TaskHandle, 'driverState'>): number {
  const shim = shimOf(driverState);
  if (shim === null) throw new Error('the handle names no shim');
  return shim.shimPid;
}

/** The state of a handle as of a shim whose pid another process has by now. */
export function withReusedShimPid(state: DriverState): DriverState {
  return shimState({ shimPid: shimPidOf({ driverState: state }), shimStartTime: '1' });
}
