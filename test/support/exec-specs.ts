import type { ExecSpec, ResourceLimits } from '../../src/drivers/contract.ts';

export const NO_LIMITS: ResourceLimits = {
  memoryBytes: null,
  memorySwapBytes: null,
  cpus: null,
  cpuShares: null,
  cpuset: null,
  pids: null,
};

/** A program to be run in a container, as root without a terminal and input unless something else is said. */
export function execSpec(argv: readonly string[], changes: Partial<ExecSpec> = {}): ExecSpec {
  return { argv, env: [], cwd: null, user: '', tty: false, stdin: false, privileged: false, ...changes };
}
