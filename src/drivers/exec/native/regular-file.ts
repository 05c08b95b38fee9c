/** Reading from a file of a container without waiting for the container. */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { TsdError } from '../../../model/errors/errors.ts';

/**
 * The first bytes of a regular file.
 * @param fd an O_PATH descriptor of it. @param path for errors.
 * @throws TSD_CONTAINER_SETUP when somebody holds a lease on the file (fcntl(2)), who could keep us waiting for 45 s.
 */
export function readStart(fd: number, path: string, bytes: number): Buffer {
  const file = openNow(fd, path);
  try {
    const buffer = Buffer.alloc(bytes);
    let length = 0;
    for (let n = -1; n !== 0 && length < bytes; length += n) n = readSync(file, buffer, length, bytes - length, length);
    return buffer.subarray(0, length);
  } finally {
    closeSync(file);
  }
}

function openNow(fd: number, path: string): number {
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code, errno } = error as NodeJS.ErrnoException;
    if (code !== 'EAGAIN') throw error;
    throw new TsdError('TSD_CONTAINER_SETUP', `${path} cannot be read: a process holds a lease on it`, {
      step: `read ${path}`,
      errno: -(errno ?? 0),
      hint: '/proc/locks names it (LEASE, with its pid). A container does this to itself: `tsdocker restart` ends it.',
    });
  }
}
