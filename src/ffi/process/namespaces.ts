/**
 * Network namespaces: setns(2), unshare(2), network_namespaces(7). The thread of JavaScript is moved and moved back
 * inside one synchronous call; libuv's pool stays where it is.
 */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { TsdError } from '../../model/errors/errors.ts';
import { syscall, trySyscall } from '../call/native.ts';

const CLONE_NEWNET = 0x40000000;
const OWN_NETNS = '/proc/thread-self/ns/net';

/** Which namespace a descriptor refers to: equal strings, same namespace. */
export function namespaceIdentity(fd: number): string {
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return `${dev}:${ino}`;
}

/** A descriptor of the namespace this thread is in. Close-on-exec; the caller closes it. */
export function openOwnNetns(): number {
  return openSync(OWN_NETNS, 'r');
}

function returnTo(home: number): void {
  const result = trySyscall('setns', home, CLONE_NEWNET);
  if (result < 0) throw new TsdError('TSD_BUG', 'cannot return to the own network namespace', { errno: -result });
}

/** Runs `inside` after `enter` moved the thread, then moves it back whatever happened. */
function elsewhere<T>(enter: () => void, inside: () => T): T {
  const home = openOwnNetns();
  try {
    enter();
    try {
      return inside();
    } finally {
      returnTo(home);
    }
  } finally {
    closeSync(home);
  }
}

/** Calls `inside` with the thread in another network namespace. Sockets opened there stay there. `inside` must not await. */
export function inNetns<T>(netnsFd: number, inside: () => T): T {
  return elsewhere(() => syscall('enter network namespace', 'setns', netnsFd, CLONE_NEWNET), inside);
}

/** Makes an empty network namespace, runs `inside` in it and returns its descriptor, close-on-exec, which keeps it alive. */
export function createNetns(inside: () => void): number {
  return elsewhere(
    () => syscall('create network namespace', 'unshare', CLONE_NEWNET),
    () => {
      const fd = openOwnNetns();
      try {
        inside();
        return fd;
      } catch (error) {
        closeSync(fd);
        throw error;
      }
    },
  );
}
