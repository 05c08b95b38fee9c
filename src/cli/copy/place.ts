/** Where a copy goes: the rules of `cp` and of Docker's. Pure. */
import { posix } from 'node:path';
import { TsdError } from '../../model/errors/errors.ts';

export interface Target {
  /** Directory that is there and in which the copy is unpacked. */
  readonly directory: string;
  /** What the topmost entry is called there; null for its own name. */
  readonly name: string | null;
}

export interface Found {
  readonly isDirectory: boolean;
}

/** True for `dir/.`: what is in the directory, not itself. */
export const meansContents = (path: string): boolean => path === '.' || path === '/' || path.endsWith('/.');

function refusal(message: string): TsdError {
  return new TsdError('TSD_BAD_REQUEST', message, { hint: '`tsdocker cp --help` has the rules.' });
}

/**
 * @param path of the target, absolute
 * @param found what is there; null for nothing
 * @throws TsdError TSD_BAD_REQUEST where nothing can be copied to it
 */
export function targetOf(path: string, found: Found | null, source: Found, contents: boolean): Target {
  const isNamedDirectory = path.endsWith('/') || path.endsWith('/.');
  const plain = posix.resolve('/', path);
  if (found?.isDirectory === true) return { directory: plain, name: contents ? '.' : null };
  if (found !== null && source.isDirectory) throw refusal(`cannot copy a directory over the file ${plain}`);
  if (isNamedDirectory && !source.isDirectory) throw refusal(`there is no directory ${plain}`);
  if (plain === '/') throw refusal('/ is no name for a copy');
  return { directory: posix.dirname(plain), name: posix.basename(plain) };
}

/** `container:path`; null for a path of this host. Docker's rule: a path with a colon is written `./a:b`. */
export function inContainer(word: string): { readonly container: string; readonly path: string } | null {
  if (word.startsWith('/') || word.startsWith('.')) return null;
  const colon = word.indexOf(':');
  if (colon < 1) return null;
  const path = word.slice(colon + 1);
  return { container: word.slice(0, colon), path: path.startsWith('/') ? path : `/${path}` };
}

/** Where a link leads. @param path of the link */
export const linkedPath = (path: string, linkTarget: string): string => posix.resolve(posix.dirname(path), linkTarget);
