/**
 * The terminal of a run. It belongs to the container's own devpts: no inode of the host's is in the container, and programs
 * there find their terminal by its name. The devpts is made detached before there is a process, so that the shim has the
 * master from the beginning; the program attaches the very same mount.
 */
import { closeSync } from 'node:fs';
import { AT_FDCWD } from '../../../ffi/files/lookup.ts';
import { openTerminalOn, setTerminalSize } from '../../../ffi/process/pty.ts';
import { AT_EMPTY_PATH, MOUNT_ATTR, MOVE_MOUNT, MS, mountDetached, OPEN_TREE } from '../../../ffi/storage/mounts.ts';
import type { TerminalSize } from '../../contract/exec.ts';
import { FIRST_INHERITED_FD } from './prepared-task.ts';
import { SLOT_STDIN, type SyscallProgram } from './program/program.ts';

/** Number in the shim, above those of compile.ts. */
export const DEVPTS_FD = FIRST_INHERITED_FD + 8;

const S_IFREG = 0o100000;

/** Documentation/filesystems/devpts.rst; 5 is the group tty of Debian's base-passwd. */
const OPTIONS = [
  ['ptmxmode', '0666'],
  ['mode', '0620'],
  ['gid', '5'],
] as const;

export interface Console {
  readonly master: number;
  /** The devpts that it is of, detached. */
  readonly devpts: number;
  /** Closes both. */
  close(): void;
}

export function openConsole(size?: TerminalSize): Console {
  const attributes = MOUNT_ATTR.noSuid | MOUNT_ATTR.noExec;
  const devpts = mountDetached('make /dev/pts', 'devpts', OPTIONS, attributes);
  try {
    const { master } = openTerminalOn(devpts);
    if (size) setTerminalSize(master, size.rows, size.columns);
    const close = (): void => {
      closeSync(master);
      closeSync(devpts);
    };
    return { master, devpts, close };
  } catch (error) {
    closeSync(devpts);
    throw error;
  }
}

/** The directory is there. @param isMade the payload has a terminal, whose devpts is passed on as {@link DEVPTS_FD} */
export function addTerminals(program: SyscallProgram, isMade: boolean): void {
  const step = 'mount /dev/pts';
  if (isMade) {
    program.op(step, 'move_mount', DEVPTS_FD, '', AT_FDCWD, 'dev/pts', MOVE_MOUNT.fromEmptyPath);
    return;
  }
  const options = ['newinstance', ...OPTIONS.map((option) => option.join('='))].join(',');
  program.op(step, 'mount', 'devpts', 'dev/pts', 'devpts', MS.noSuid | MS.noExec, options);
}

/** The payload's end of its terminal as /dev/console, by its descriptor: no path leads there. */
export function addConsole(program: SyscallProgram): void {
  const step = 'mount /dev/console';
  program.op('create /dev/console', 'mknodat', AT_FDCWD, 'dev/console', S_IFREG | 0o600, 0);
  const terminal = { kind: 'slot', slot: SLOT_STDIN } as const;
  const flags = OPEN_TREE.clone | OPEN_TREE.closeOnExec | AT_EMPTY_PATH;
  const tree = program.opToSlot(step, 'open_tree', terminal, '', flags);
  program.op(step, 'move_mount', tree, '', AT_FDCWD, 'dev/console', MOVE_MOUNT.fromEmptyPath);
  program.closeSlot(step, tree);
}
