/** Finding the program that a container or exec session runs, with errors that say what is missing. */
import { closeSync, fstatSync } from 'node:fs';
import { constants as os } from 'node:os';
import { posix } from 'node:path';
import { TsdError } from '../../../../model/errors/errors.ts';
import type { FileTree } from '../container-tree.ts';
import { readStart } from '../regular-file.ts';
import { DEFAULT_PATH, envValue } from './env.ts';

/** Enough for the first line of a script and the program headers of every usual linker. */
const HEAD_BYTES = 4096;
const ELF_MAGIC = 0x464c457f;
const ELFCLASS64 = 2;
const PT_INTERP = 3;
/** Characters of a command that is too long. */
const SHOWN = 60;

type Candidate = 'absent' | 'not-executable' | TsdError | { readonly head: Buffer };

/** What execvp(3) passes over on its way along PATH, and tells when nothing better comes. */
const PASSED_OVER: ReadonlySet<number | undefined> = new Set([os.errno.EACCES, os.errno.ENAMETOOLONG]);

function inspect(tree: FileTree, path: string): Candidate {
  let fd: number | null;
  try {
    fd = tree.find(path);
  } catch (error) {
    if (error instanceof TsdError && PASSED_OVER.has(error.errno)) return error;
    throw error;
  }
  if (fd === null) return 'absent';
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || (stat.mode & 0o111) === 0) return 'not-executable';
    return { head: readStart(fd, path, HEAD_BYTES) };
  } finally {
    closeSync(fd);
  }
}

/** The file that the kernel starts instead: of `#!` in a script, of PT_INTERP in a dynamic ELF program (elf(5)). @internal */
export function interpreterOf(head: Buffer): string | null {
  if (head.subarray(0, 2).toString('latin1') === '#!') {
    const line = head.toString('utf8', 2).split('\n', 1)[0] ?? '';
    return line.trim().split(/[ \t]/, 1)[0] || null;
  }
  if (head.length < 64 || head.readUInt32LE(0) !== ELF_MAGIC || head.readUInt8(4) !== ELFCLASS64) return null;
  const tableAt = Number(head.readBigUInt64LE(32));
  const entryBytes = head.readUInt16LE(54);
  const entries = head.readUInt16LE(56);
  for (let at = tableAt, left = entries; left > 0 && at + 56 <= head.length; at += entryBytes, left--) {
    if (head.readUInt32LE(at) !== PT_INTERP) continue;
    const start = Number(head.readBigUInt64LE(at + 8));
    const size = Number(head.readBigUInt64LE(at + 32));
    if (size === 0 || start + size > head.length) return null;
    return head.toString('utf8', start, start + size - 1);
  }
  return null;
}

function fail(message: string, command: string, errno: number): TsdError {
  return new TsdError('TSD_COMMAND_NOT_FOUND', message, { step: `execve ${command}`, errno });
}

function candidates(command: string, env: readonly string[], cwd: string): string[] {
  if (command.includes('/')) return [posix.resolve(cwd, command)];
  const path = envValue(env, 'PATH') ?? DEFAULT_PATH;
  return path.split(':').map((directory) => posix.resolve(cwd, directory, command));
}

/** A file that cannot be named cannot be started: no kernel takes a longer name or path. */
function unnameable(command: string): TsdError {
  const shown = JSON.stringify(command.length > SHOWN ? `${command.slice(0, SHOWN)}…` : command);
  return fail(`${shown} is longer than a path or one of its names may be`, shown, os.errno.ENAMETOOLONG);
}

/**
 * The absolute path of `command`, looked up as execvp(3) does.
 * @throws TsdError TSD_COMMAND_NOT_FOUND naming the PATH tried, the mode that forbids it, or the interpreter it lacks; the
 * lookup's own error when it could not be found out whether there is a file.
 */
export function findExecutable(tree: FileTree, command: string, env: readonly string[], cwd: string): string {
  let refused: string | undefined;
  let unseen: TsdError | undefined;
  for (const path of command === '' ? [] : candidates(command, env, cwd)) {
    const found = inspect(tree, path);
    if (found === 'not-executable') refused ??= path;
    if (found instanceof TsdError) unseen ??= found;
    if (typeof found === 'string' || found instanceof TsdError) continue;
    const interpreter = interpreterOf(found.head);
    if (interpreter === null) return path;
    const fd = tree.find(posix.resolve(cwd, interpreter));
    if (fd === null) throw fail(`${path} needs ${interpreter}, which is not in the image`, path, os.errno.ENOENT);
    closeSync(fd);
    return path;
  }
  if (refused !== undefined) throw fail(`${refused} is not an executable file`, refused, os.errno.EACCES);
  if (unseen !== undefined) throw unseen.errno === os.errno.ENAMETOOLONG ? unnameable(command) : unseen;
  const where = command.includes('/') ? '' : ` in PATH (${envValue(env, 'PATH') ?? DEFAULT_PATH})`;
  throw fail(`${JSON.stringify(command)} is not in the image${where}`, command, os.errno.ENOENT);
}
