/** Making directory entries, and making them durable. */
import { closeSync, constants as fsConstants, fsyncSync, openSync } from 'node:fs';
import { constants as os } from 'node:os';
import { sysError } from '../call/errno.ts';
import { trySyscall } from '../call/native.ts';

/** mkdirat(2) of one name. An existing entry of that name, whatever it is, is no error. */
export function makeDirectoryAt(directoryFd: number, name: string, mode: number): void {
  if (name.includes('\0')) throw sysError('mkdirat', os.errno.EINVAL, `create directory ${name}`);
  const result = trySyscall('mkdirat', directoryFd, name, mode);
  if (result < 0 && result !== -os.errno.EEXIST) throw sysError('mkdirat', -result, `create directory ${name}`);
}

/** Makes what was created, renamed or removed in a directory durable. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, fsConstants.O_RDONLY | fsConstants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
