/** Looking at files of the host whose filesystem may not answer: a shim does it, and waits there if it must. */
import { sysError } from '../../../ffi/call/errno.ts';
import { AT_FDCWD } from '../../../ffi/files/lookup.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { SyscallProgram } from './program/program.ts';
import { launchShim } from './shim/launch.ts';
import type { ShimBinary } from './shim/shim-binary.ts';
import type { ShimChildren } from './shim/shim-children.ts';
import type { ShimConnection } from './shim/shim-connection.ts';

/** include/uapi/linux/fcntl.h, include/uapi/linux/stat.h */
const AT_STATX_FORCE_SYNC = 0x2000;
const STATX_TYPE = 1;
/** sizeof(struct statx) */
const STATX_BYTES = 256;

/** What the process is called by in lists of processes. */
const NAME = 'look';

function lookAt(path: string): SyscallProgram {
  const program = new SyscallProgram();
  // Without force, what is remembered of a dead server would be as good as its word.
  program.op(`look at ${path}`, 'statx', AT_FDCWD, path, AT_STATX_FORCE_SYNC, STATX_TYPE, Buffer.alloc(STATX_BYTES));
  program.op('end', 'exit_group', 0);
  return program;
}

const unanswered = (path: string): TsdError =>
  new TsdError('TSD_SHIM', 'the process that looked ended without an answer', { step: `look at ${path}` });

export class PathLooks {
  readonly #children: ShimChildren;
  readonly #binary: ShimBinary;
  readonly #open = new Set<ShimConnection>();

  constructor(children: ShimChildren, binary: ShimBinary) {
    this.#children = children;
    this.#binary = binary;
  }

  /** As {@link ExecDriver.reach}. */
  async reach(path: string): Promise<number> {
    if (path.includes('\0')) throw new TsdError('TSD_BAD_REQUEST', 'a path with a NUL leads nowhere');
    const program = lookAt(path);
    const encoded = program.encode({ cloneFlags: 0 });
    const task = { program, encoded, inherited: new Map(), cgroupPaths: {}, release: () => {}, undo: () => {} };
    const { shimPid, connection } = launchShim({
      containerId: NAME,
      task,
      binary: this.#binary.open(),
      terminal: null,
      run: null,
    });
    this.#children.started(shimPid);
    this.#open.add(connection);
    const ended = new Promise<number | null>((resolve) => {
      connection.listen({
        exit: resolve,
        closed: () => {
          this.#open.delete(connection);
          this.#children.leaving(shimPid);
          resolve(null);
        },
      });
    });
    const { failure } = await connection.launched();
    if (failure === null) {
      // A process that was killed while it looked has not failed, and has found nothing out.
      if ((await ended) !== 0) throw unanswered(path);
      return 0;
    }
    if (failure.op === null) throw sysError(failure.step, failure.errno);
    return failure.errno;
  }

  /** Waits for no answer any more; processes that are kept stay so. */
  close(): void {
    for (const connection of this.#open) connection.close();
  }
}
