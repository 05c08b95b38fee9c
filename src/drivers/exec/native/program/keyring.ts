/** A session keyring for each run and each exec session: keyrings(7). Without one they would share the supervisor's. */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:os';
import { trySyscall } from '../../../../ffi/call/native.ts';
import type { SyscallProgram } from './program.ts';

/** include/uapi/linux/keyctl.h */
const KEYCTL_GET_KEYRING_ID = 0;
const KEYCTL_JOIN_SESSION_KEYRING = 1;
const KEYCTL_SETPERM = 5;
const KEY_SPEC_SESSION_KEYRING = -3;
/** Everything for who possesses it, nothing for others of its user, who may be root of the host or of another container. */
const POSSESSOR_ONLY = 0x3f000000;
const NONCE_BYTES = 8;

let available: boolean | undefined;

/** A kernel may have been built without keys; then there is nothing to keep apart. */
function hasKeyrings(): boolean {
  available ??= trySyscall('keyctl', KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) !== -constants.errno.ENOSYS;
  return available;
}

/**
 * Joining by name enters the keyring that has it, where there is one that may be entered: a name that no other process can know
 * beforehand is always new.
 */
export function addSessionKeyring(program: SyscallProgram, containerId: string): void {
  if (!hasKeyrings()) return;
  const name = `_ses.${containerId.slice(0, 12)}.${randomBytes(NONCE_BYTES).toString('hex')}`;
  const keyring = program.opToSlot('make a session keyring', 'keyctl', KEYCTL_JOIN_SESSION_KEYRING, name);
  program.op('keep others out of the session keyring', 'keyctl', KEYCTL_SETPERM, keyring, POSSESSOR_ONLY);
}
