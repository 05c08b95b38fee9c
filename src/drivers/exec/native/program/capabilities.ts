/** Capabilities as bit masks, capabilities(7). */
import { readFileSync } from 'node:fs';
import { CAPABILITIES } from '../../../../model/capabilities.ts';
import { TsdError } from '../../../../model/errors/errors.ts';
import type { SyscallProgram } from './program.ts';

/** include/uapi/linux/prctl.h */
const PR_CAPBSET_DROP = 24;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;
/** include/uapi/linux/capability.h */
const LINUX_CAPABILITY_VERSION_3 = 0x20080522;

/** A hexadecimal mask of /proc/PID/status: `CapBnd`, `CapPrm`. */
export function statusMask(status: string, field: string): bigint {
  const match = new RegExp(`^${field}:\\s*([0-9a-f]+)$`, 'm').exec(status);
  return BigInt(`0x${match?.[1] ?? '0'}`);
}

let held: bigint | undefined;

/** What this process may hand on. */
function heldMask(): bigint {
  held ??= statusMask(readFileSync('/proc/self/status', 'utf8'), 'CapPrm');
  return held;
}

let last: number | undefined;

function lastCapability(): number {
  last ??= Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'));
  return last;
}

/** Everything the supervisor has. */
export function allCapabilities(): bigint {
  return heldMask();
}

function isIn(mask: bigint, number: number): boolean {
  return ((mask >> BigInt(number)) & 1n) === 1n;
}

/** @throws TsdError for a name that is none, or a capability that the supervisor does not have itself. */
export function capabilityMask(names: readonly string[]): bigint {
  let mask = 0n;
  const missing: string[] = [];
  for (const name of names) {
    const number = (CAPABILITIES as readonly string[]).indexOf(name);
    if (number < 0) throw new TsdError('TSD_CONTAINER_SETUP', `${name} is no capability`);
    if (!isIn(heldMask(), number)) missing.push(name);
    mask |= 1n << BigInt(number);
  }
  if (missing.length === 0) return mask;
  throw new TsdError('TSD_UNSUPPORTED_HOST', `the supervisor itself lacks the capability ${missing.join(', ')}`, {
    step: 'set capabilities',
    hint: 'Give it to the supervisor, or drop it in the manifest (capabilities: drop).',
  });
}

/** Before the change of user, which may take away the right to do this. */
export function addBoundingSet(program: SyscallProgram, mask: bigint): void {
  for (let number = 0; number <= lastCapability(); number++) {
    if (!isIn(mask, number) && isIn(heldMask(), number))
      program.op(`drop capability ${CAPABILITIES[number] ?? number}`, 'prctl', PR_CAPBSET_DROP, number);
  }
}

/** After the change of user. Root has the set; others have none until they run a file that gives some, as in Docker. */
export function addCapabilities(program: SyscallProgram, mask: bigint, uid: number): void {
  const effective = uid === 0 ? mask : 0n;
  const header = Buffer.alloc(8);
  header.writeUInt32LE(LINUX_CAPABILITY_VERSION_3, 0);
  // Two struct __user_cap_data_struct { effective, permitted, inheritable }, low and high word.
  const sets = Buffer.alloc(24);
  for (const [half, at] of [
    [effective & 0xffffffffn, 0],
    [effective >> 32n, 12],
  ] as const) {
    sets.writeUInt32LE(Number(half), at);
    sets.writeUInt32LE(Number(half), at + 4);
  }
  program.op('clear ambient capabilities', 'prctl', PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  program.op('set capabilities', 'capset', header, sets);
}
