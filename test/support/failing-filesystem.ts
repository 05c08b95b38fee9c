import { closeSync, openSync } from 'node:fs';
import { syscall } from '../../src/ffi/call/native.ts';

/** From now on an ext4 can neither be read nor written, and what has not reached its journal is lost. */
export function failFilesystem(path: string): void {
  const EXT4_IOC_SHUTDOWN = 0x8004587d; // include/uapi/linux/ext4.h
  const withoutJournal = Buffer.from([2, 0, 0, 0]);
  const directory = openSync(path, 'r');
  syscall('shut down a filesystem', 'ioctl', directory, EXT4_IOC_SHUTDOWN, withoutJournal);
  closeSync(directory);
}
