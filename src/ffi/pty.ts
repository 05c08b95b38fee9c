/** Pseudo-terminals of the host's devpts, pts(4). */
import { closeSync, constants, openSync } from 'node:fs';
import { syscall } from './native.ts';

// asm-generic/ioctls.h
const TIOCGPTN = 0x80045430;
const TIOCSPTLCK = 0x40045431;

export interface Terminal {
  /** Belongs to the caller; close-on-exec. */
  readonly master: number;
  /** The other end, as the host names it: /dev/pts/3. */
  readonly path: string;
}

/** Opens a new terminal, unlocked. It disappears with the last descriptor of its master. */
export function openTerminal(): Terminal {
  const master = openSync('/dev/ptmx', constants.O_RDWR | constants.O_NOCTTY);
  try {
    const number = Buffer.alloc(64);
    syscall('unlock terminal', 'ioctl', master, TIOCSPTLCK, number);
    syscall('number of terminal', 'ioctl', master, TIOCGPTN, number);
    return { master, path: `/dev/pts/${number.readUInt32LE(0)}` };
  } catch (error) {
    closeSync(master);
    throw error;
  }
}
