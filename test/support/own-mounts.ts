/** A table of mounts that only one test file changes: files of the root levels run side by side, and most of them mount. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { syscall } from '../../src/ffi/call/native.ts';

const CLONE_NEWNS = 0x00020000;

/**
 * Moves this thread, and what it starts, into a mount namespace that gets no mounts of others. Its mounts are shared
 * among those who copy it, as on a host with systemd: what a container fails to keep for itself appears here.
 */
export function enterOwnMounts(): void {
  syscall('unshare', 'unshare', CLONE_NEWNS);
  execFileSync('mount', ['--make-rprivate', '/']);
  execFileSync('mount', ['--make-rshared', '/']);
}

/** The mounts that this thread sees. */
export function ownMounts(): string {
  return readFileSync('/proc/thread-self/mountinfo', 'utf8');
}
