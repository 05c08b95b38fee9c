/** What the program keeps of what it was started with. */
import { closeSync, readdirSync, readlinkSync } from 'node:fs';
import { confine } from '../ffi/process/confine.ts';

export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** Node's own: event loop, wake-ups between threads, and its end of /dev/null. */
const OWN = /^(anon_inode:|pipe:|\/dev\/null$)/;

/** Closes what was inherited by mistake: a namespace kept open would outlive its container. @param kept the highest to keep */
export function closeInherited(kept: number): void {
  for (const fd of readdirSync('/proc/self/fd').map(Number)) {
    if (fd > kept && !OWN.test(nameOf(fd))) closeSync(fd);
  }
}

function nameOf(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    // The one by which the directory was read.
    return 'anon_inode:gone';
  }
}

/** Becomes that user, without groups and capabilities, and stays so. @param identity null: it is that user already */
export function dropPrivileges(identity: Identity | null): void {
  if (identity !== null) {
    process.setgroups?.([]);
    process.setgid?.(identity.gid);
    process.setuid?.(identity.uid);
  }
  confine();
}
