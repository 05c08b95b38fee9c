import { startTimeOf } from '../../../../ffi/process/processes.ts';
import type { DriverState } from '../../../contract/exec.ts';

/** The process that is the parent of a payload. */
export interface ShimIdentity {
  readonly shimPid: number;
  /** Field 22 of /proc/<pid>/stat, as text: guards against a reused pid. */
  readonly shimStartTime: string;
}

/** What this driver keeps in the handle of a run. The names are those of container records of every version. */
export function shimState({ shimPid, shimStartTime }: ShimIdentity): DriverState {
  return { ShimPid: shimPid, ShimStartTime: shimStartTime };
}

/** Returns the shim that a handle names; null for a handle that this driver did not write. */
export function shimOf(state: DriverState | undefined): ShimIdentity | null {
  const { ShimPid: shimPid, ShimStartTime: shimStartTime } = state ?? {};
  return typeof shimPid === 'number' && typeof shimStartTime === 'string' ? { shimPid, shimStartTime } : null;
}

/** True while the very process that is recorded as the shim is there. */
export function shimRuns({ shimPid, shimStartTime }: ShimIdentity): boolean {
  return startTimeOf(shimPid) === shimStartTime;
}
