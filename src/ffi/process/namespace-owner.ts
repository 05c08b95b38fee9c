/**
 * Whose a namespace is: ioctl_ns(2), user_namespaces(7). Who may make namespaces of its own without any rights on the host
 * does so below a user namespace of its own, and no process leaves one again.
 */
import { closeSync, openSync } from 'node:fs';
import { trySyscall } from '../call/native.ts';
import { namespaceIdentity } from './namespaces.ts';

/** include/uapi/linux/nsfs.h: _IO(0xb7, 0x1) */
const NS_GET_USERNS = 0xb701;

let own: string | null = null;

function ownIdentity(): string {
  if (own !== null) return own;
  const fd = openSync('/proc/self/ns/user', 'r');
  own = namespaceIdentity(fd);
  closeSync(fd);
  return own;
}

/** True when the descriptor is of the user namespace that this process is in. */
export function isOwnUserNamespace(fd: number): boolean {
  return namespaceIdentity(fd) === ownIdentity();
}

/** True when the namespace of the descriptor belongs to the user namespace that this process is in. */
export function isOfOwnUserNamespace(fd: number): boolean {
  // EPERM: of one that is not below ours.
  const owner = trySyscall('ioctl', fd, NS_GET_USERNS, 0);
  if (owner < 0) return false;
  try {
    return isOwnUserNamespace(owner);
  } finally {
    closeSync(owner);
  }
}
