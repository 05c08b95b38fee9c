import type { TaskDevices } from './docker-records.ts';
import type { SyscallProgram } from './program/program.ts';

/**
 * A container or exec session ready to be launched: the program and the descriptors it refers to. Inherited descriptors
 * are passed to the shim under the numbers that the program uses; the shim's own descriptors lie below
 * FIRST_INHERITED_FD, see launch.ts.
 */
export interface PreparedTask {
  readonly program: SyscallProgram;
  readonly encoded: Buffer;
  /** Number in the shim → descriptor in this process. */
  readonly inherited: ReadonlyMap<number, number>;
  /** Groups the shim child is put into and what becomes of them: paths, for kill and removal. */
  readonly cgroupPaths: Readonly<Record<string, string>>;
  /** Its program lies in a mount that others may fill. */
  readonly sharesProgram?: boolean;
  /** Of a container: for its record. */
  readonly devices?: TaskDevices;
  /** Closes this process's descriptors. Always called, after launch or failure. */
  release(): void;
  /** Undoes what exists outside this process (cgroups). Called when the launch failed. */
  undo(): void;
}

/**
 * The shim's own binary, open in the shim and its child. A container with `init` ends in
 * `execveat(SHIM_BINARY_FD, "", ["tsdocker-init", path, "--", ...argv], envp, AT_EMPTY_PATH)`: the same binary, as init,
 * runs `path` with argv as its child.
 */
export const SHIM_BINARY_FD = 9;

/** Held by a run's shim until the run ends, for later supervisors: its network namespace and its RunFacts. */
export const NETNS_FD = 10;
export const RUN_FACTS_FD = 11;

/** Descriptors the program refers to start here in the shim. The shim marks all of its descriptors close-on-exec. */
export const FIRST_INHERITED_FD = 32;
