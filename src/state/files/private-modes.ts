/** Restricts files on disk to the supervisor's user: checks and repairs their modes before any of them is read. */
import { chmodSync, chownSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoCode } from './state-file.ts';

/** Directories of a root that hold nothing but ours: what later versions of Docker keep beside them is left alone. */
const DIRECTORIES: ReadonlySet<string> = new Set([
  ...['containers', 'graph', 'volumes', 'vfs', 'execdriver', 'tmp', 'downloads', 'contents', 'trust', 'distribution'],
  'declarations',
  ...['overlay', 'btrfs', 'aufs', 'devicemapper'],
]);
/** Everyone's rights to read, write and enter, and the group's. */
const OTHERS = 0o077;
const OTHERS_WRITE = 0o022;

export interface RestrictedMode {
  readonly path: string;
  readonly message: string;
}

const octal = (mode: number): string => (mode & 0o7777).toString(8).padStart(4, '0');

/** Removes rights, and takes ownership of foreign files; returns null when nothing needs a change. */
function restrict(path: string, taken: number): RestrictedMode | null {
  const { mode, uid } = lstatSync(path);
  const own = process.geteuid?.() ?? 0;
  if (uid === own && (mode & taken) === 0) return null;
  if (uid !== own) chownSync(path, own, -1);
  chmodSync(path, mode & 0o7777 & ~taken);
  const owner = uid === own ? '' : ` and belonged to uid ${uid}`;
  return { path, message: `${path} had mode ${octal(mode)}${owner}; it is ${octal(mode & ~taken)} now` };
}

/** Checks the root and its direct entries: everything below is inside a directory that others cannot enter. */
export function restrictRoot(root: string): RestrictedMode[] {
  const entries = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isFile() || (entry.isDirectory() && DIRECTORIES.has(entry.name)))
    .map(({ name }) => join(root, name));
  return [root, ...entries].flatMap((path) => {
    try {
      return restrict(path, OTHERS) ?? [];
    } catch (error) {
      // Temporary files of SQLite come and go.
      if (path !== root && errnoCode(error) === 'ENOENT') return [];
      throw error;
    }
  });
}

/** The directory of the sockets: others reach them through it, and must not put theirs in their place. */
export function restrictRunDirectory(runDir: string): RestrictedMode[] {
  return [restrict(runDir, OTHERS_WRITE) ?? []].flat();
}
