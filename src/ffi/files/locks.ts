import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { constants as os } from 'node:os';
import { sysError } from '../call/errno.ts';
import { trySyscall } from '../call/native.ts';

/** include/uapi/asm-generic/fcntl.h */
const LOCK_EX = 2;
const LOCK_NB = 4;

/** Longest text that is read back as a pid. */
const PID_BYTES = 16;

export interface FileLock {
  readonly path: string;
  /** Gives the lock up. The file stays, because removing it would let two processes lock two different files. */
  release(): void;
}

export type LockResult =
  | { readonly locked: true; readonly lock: FileLock }
  /** `holderPid` is null while the holder has not yet written its pid. */
  | { readonly locked: false; readonly holderPid: number | null };

function readPid(fd: number): number | null {
  const buffer = Buffer.alloc(PID_BYTES);
  const text = buffer.toString('latin1', 0, readSync(fd, buffer, 0, PID_BYTES, 0)).trim();
  return /^[1-9]\d*$/.test(text) ? Number(text) : null;
}

/**
 * Takes an exclusive flock(2) on `path`, creating it with mode 0600 or another one, and writes this process's pid into it. The descriptor
 * is close-on-exec, so a child that outlives this process does not keep the lock. Never blocks.
 * @throws TsdError TSD_SYSCALL when the file cannot be opened or locked for another reason than a holder.
 */
export function tryLockFile(path: string, mode = 0o600): LockResult {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  // libuv adds O_CLOEXEC to every open.
  const fd = openSync(path, flags, mode);
  try {
    if (!fstatSync(fd).isFile()) throw sysError('open', os.errno.EINVAL, `lock ${path}: not a regular file`);
    const result = trySyscall('flock', fd, LOCK_EX | LOCK_NB);
    if (result === -os.errno.EWOULDBLOCK) {
      const holderPid = readPid(fd);
      closeSync(fd);
      return { locked: false, holderPid };
    }
    if (result < 0) throw sysError('flock', -result, `lock ${path}`);
    ftruncateSync(fd, 0);
    writeSync(fd, String(process.pid), 0);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  let held = true;
  return {
    locked: true,
    lock: {
      path,
      release() {
        if (held) closeSync(fd);
        held = false;
      },
    },
  };
}
