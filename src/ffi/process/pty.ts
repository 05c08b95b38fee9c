/** Pseudo-terminals, pts(4). A terminal disappears with the last descriptor of its master. */
import { closeSync, constants, fstatSync, openSync, statfsSync } from 'node:fs';
import { TsdError } from '../../model/errors/errors.ts';
import { syscall } from '../call/native.ts';
import { OPEN_FLAGS, open } from '../files/lookup.ts';

// asm-generic/ioctls.h
const TIOCGPTN = 0x80045430;
const TIOCSPTLCK = 0x40045431;
const TIOCSWINSZ = 0x5414;

/** Device number of /dev/ptmx, character 5:2 (Documentation/admin-guide/devices.txt). */
const PTMX_DEVICE = 0x502;
/** include/uapi/linux/magic.h DEVPTS_SUPER_MAGIC; fs/devpts/inode.c mknod_ptmx: the number of its multiplexer. */
const DEVPTS_MAGIC = 0x1cd1;
const PTMX_INODE = 2;

export interface Terminal {
  /** Belongs to the caller; close-on-exec. */
  readonly master: number;
  /** The other end, as the devpts it is of names it: /dev/pts/3. */
  readonly path: string;
}

/** A new terminal of a devpts. @param devpts descriptor of its root; it need not be attached anywhere */
export function openTerminalOn(devpts: number): Terminal {
  const step = 'open a terminal of the container';
  return unlocked(open(step, devpts, 'ptmx', 'beneathWithoutLinks', constants.O_RDWR | constants.O_NOCTTY));
}

/** True for the multiplexer of a devpts: a node with its numbers that is made elsewhere is that of the mount beside it. */
function isMultiplexer(fd: number): boolean {
  const found = fstatSync(fd);
  return (
    found.isCharacterDevice() &&
    found.rdev === PTMX_DEVICE &&
    found.ino === PTMX_INODE &&
    statfsSync(`/proc/self/fd/${fd}`).type === DEVPTS_MAGIC
  );
}

/**
 * A new terminal of the container whose root directory this is, so that programs there find their terminal by name.
 * @throws TSD_CONTAINER_SETUP when the container has put something else in the place of its /dev/pts/ptmx.
 */
export function openTerminalIn(root: number): Terminal {
  const step = 'open a terminal in the container';
  // Looked at before it is really opened: opening a device or a pipe has effects.
  const ptmx = open(step, root, '/dev/pts/ptmx', 'inRootWithoutLinks', OPEN_FLAGS.path);
  try {
    if (!isMultiplexer(ptmx)) {
      throw new TsdError('TSD_CONTAINER_SETUP', '/dev/pts/ptmx of the container is not a terminal multiplexer', {
        step,
      });
    }
    return unlocked(openSync(`/proc/self/fd/${ptmx}`, constants.O_RDWR | constants.O_NOCTTY));
  } finally {
    closeSync(ptmx);
  }
}

function unlocked(master: number): Terminal {
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

/** @param terminal either end of it */
export function setTerminalSize(terminal: number, rows: number, columns: number): void {
  const size = Buffer.from(Uint16Array.of(rows, columns, 0, 0).buffer);
  syscall('set the size of a terminal', 'ioctl', terminal, TIOCSWINSZ, size);
}
