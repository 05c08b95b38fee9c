/** A file or directory of this host as a tar. */
import { lstatSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { TreeEntry } from '../../images/tree/tree-tar.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { Found } from './place.ts';

export interface LocalSource extends Found {
  /** Without links on the way; the last part may be one. */
  readonly path: string;
  /** What it is called in the tar. */
  readonly name: string;
}

/** @param follows a link is what it leads to @throws TsdError TSD_BAD_REQUEST for what is not there */
export function localSource(cwd: string, word: string, follows: boolean): LocalSource {
  const asked = resolve(cwd, word);
  const isFollowed = follows || word.endsWith('/') || word.endsWith('/.');
  try {
    const path = isFollowed ? realpathSync(asked) : join(realpathSync(dirname(asked)), basename(asked));
    return { path, name: basename(asked), isDirectory: lstatSync(path).isDirectory() };
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    throw new TsdError('TSD_BAD_REQUEST', `${asked}: ${code === 'ENOENT' ? 'no such file or directory' : message}`, {
      hint: 'Check the path to copy from.',
      cause: thrown,
    });
  }
}

// Trees are read by system calls: what reads them is loaded here, so that no other command waits for it.
const reader = () => import('../../images/tree/scan.ts');

/** @param name of its topmost entry; `.` for the contents of a directory */
export async function* tarOfLocal(source: LocalSource, name: string): AsyncGenerator<Buffer> {
  const { treeTar } = await import('../../images/tree/tree-tar.ts');
  yield* treeTar(source.isDirectory ? treeEntries(source.path, name) : [await fileEntry(source.path, name)]);
}

const bytes = (text: string): string => Buffer.from(text).toString('latin1');

async function fileEntry(path: string, name: string): Promise<TreeEntry> {
  const { entryOf } = await reader();
  const entry = entryOf(bytes(name), { hostPath: Buffer.from(path), stat: lstatSync(path, { bigint: true }) });
  if (entry !== null) return entry;
  throw new TsdError('TSD_BAD_REQUEST', `${path} is a socket, which cannot be copied`);
}

async function* treeEntries(root: string, name: string): AsyncGenerator<TreeEntry> {
  const { entryOf, scanTree } = await reader();
  for await (const file of scanTree(root)) {
    const entry = entryOf(file.path === '' ? bytes(name) : `${bytes(name)}/${file.path}`, file);
    if (entry !== null) yield entry;
  }
}
