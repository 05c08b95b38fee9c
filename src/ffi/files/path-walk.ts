/**
 * The components of a path with their owners and modes: each is opened below the one before it, without following a link,
 * and asked by its descriptor. What is replaced meanwhile changes nothing about what is judged and read. Without calls of
 * foreign libraries, since commands use it too.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, type Stats } from 'node:fs';
import { resolve } from 'node:path';
import type { PathComponent } from '../../model/trust.ts';

/** include/uapi/asm-generic/fcntl.h; Node has no name for it. */
const O_PATH = 0o10000000;
/** MAXSYMLINKS, include/linux/namei.h */
const MAX_LINKS = 40;
const PERMISSIONS = 0o7777;

export interface WalkedPath {
  readonly components: readonly PathComponent[];
  /** The target of the path, perhaps not open for reading (O_PATH). Belongs to the caller. */
  readonly fd: number;
}

const throughFd = (fd: number, name = ''): string => `/proc/self/fd/${fd}${name === '' ? '' : `/${name}`}`;

function kindOf(stats: Stats): PathComponent['kind'] {
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'link';
  return stats.isFile() ? 'file' : 'other';
}

function tooManyLinks(path: string): Error {
  return Object.assign(new Error(`ELOOP: too many symbolic links, ${path}`), { code: 'ELOOP' });
}

/** The target of the link that is open; entry and descriptor must be the same one. */
function targetOf(link: number, directory: number, name: string, path: string): string {
  const entry = throughFd(directory, name);
  const target = readlinkSync(entry);
  const [opened, now] = [fstatSync(link), lstatSync(entry)];
  // A link cannot be written to, only replaced.
  if (opened.ino !== now.ino || opened.dev !== now.dev) throw tooManyLinks(path);
  return target;
}

const namesOf = (path: string): string[] => path.split('/').filter((name) => name !== '' && name !== '.');

/**
 * @param path absolute
 * @param hasAcl whether an access control list is at what a path in /proc leads to; asked where the group may write
 * @throws the error of open(2), with its code
 */
export function walkPath(path: string, hasAcl: (path: string) => boolean = () => false): WalkedPath {
  const components: PathComponent[] = [];
  let left = namesOf(path);
  let links = 0;
  let at = '/';
  let fd = openSync('/', O_PATH | constants.O_DIRECTORY);
  const note = (opened: number, where: string): PathComponent => {
    const stats = fstatSync(opened);
    const { uid, gid, nlink: names } = stats;
    const [kind, mode] = [kindOf(stats), stats.mode & PERMISSIONS];
    const acl = kind !== 'link' && (mode & 0o020) !== 0 && hasAcl(throughFd(opened));
    const component = { path: where, kind, uid, gid, mode, names, acl };
    components.push(component);
    return component;
  };
  try {
    note(fd, at);
    for (let name = left.shift(); name !== undefined; name = left.shift()) {
      const where = resolve(at, name);
      const next = openSync(throughFd(fd, name), O_PATH | constants.O_NOFOLLOW);
      let target: string | null = null;
      try {
        if (note(next, where).kind === 'link') target = targetOf(next, fd, name, path);
      } catch (error) {
        closeSync(next);
        throw error;
      }
      if (target === null) {
        closeSync(fd);
        [fd, at] = [next, where];
        continue;
      }
      closeSync(next);
      if (++links > MAX_LINKS) throw tooManyLinks(path);
      left = [...namesOf(target), ...left];
      if (!target.startsWith('/')) continue;
      const root = openSync('/', O_PATH | constants.O_DIRECTORY);
      closeSync(fd);
      [fd, at] = [root, '/'];
    }
    return { components, fd };
  } catch (error) {
    closeSync(fd);
    throw inWordsOf(path, error);
  }
}

/** An error of a descriptor's name, as of the path that was asked for. */
function inWordsOf(path: string, error: unknown): unknown {
  if (!(error instanceof Error && 'code' in error)) return error;
  const message = error.message.replace(/'\/proc\/self\/fd\/[^']*'/, `'${path}'`);
  return Object.assign(new Error(message, { cause: error }), { code: error.code });
}

/** Opens what a walk has come to, the same inode. @param flags of open(2) */
export const reopen = (fd: number, flags: number): number => openSync(throughFd(fd), flags);
