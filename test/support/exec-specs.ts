import type { ExecSpec, ResourceLimits, TaskSpec } from '../../src/drivers/contract/exec.ts';

export const NO_LIMITS: ResourceLimits = {
  memoryBytes: null,
  memorySwapBytes: null,
  cpus: null,
  cpuShares: null,
  cpuset: null,
  pids: null,
};

/** A first process without anything that is its own: no mounts, network, devices, terminal or limits. */
export const PLAIN_TASK = {
  run: 1,
  readOnlyRoot: false,
  env: ['PATH=/bin'],
  cwd: '/',
  user: '',
  domainname: '',
  sysctls: {},
  mounts: [],
  netnsFd: null,
  privileged: false,
  noNewPrivileges: false,
  devices: [],
  ulimits: {},
  resources: NO_LIMITS,
  tty: false,
  stdin: false,
  init: false,
} as const satisfies Partial<TaskSpec>;

/** A program to be run in a container, by default as root without a terminal and input. */
export function execSpec(argv: readonly string[], changes: Partial<ExecSpec> = {}): ExecSpec {
  return { argv, env: [], cwd: null, user: '', tty: false, stdin: false, privileged: false, ...changes };
}
