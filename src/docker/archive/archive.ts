/** Copying between a client and the files of a container. */
import { closeSync, fstatSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { linkTarget } from '../../ffi/files/lookup.ts';
import { fromBytes, readable } from '../../images/tar/header.ts';
import { decompressed } from '../../images/unpack/decompress.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { DockerError } from '../wire/docker-error.ts';
import { type ContainerFiles, type FoundPlace, joinNames } from './container-files.ts';
import { type FileParts, openFiles, writableIn, writing } from './open-files.ts';
import { pathStat } from './path-stat.ts';
import { TarIn } from './tar-in.ts';
import { TarOut } from './tar-out.ts';

export interface AskedPlace {
  readonly record: ContainerRecord;
  /** What the client calls the container. */
  readonly called: string;
  readonly path: string;
}

const bytesOf = (text: string): string => fromBytes(Buffer.from(text));

function missing({ path, called }: AskedPlace): DockerError {
  return new DockerError(404, `Could not find the file ${path} in container ${called}`);
}

/** The last name of a path: `.` for what ends so, `/` for the root. */
function baseOf(path: string): string {
  if (/(^|\/)\.$/.test(path) && path !== '.') return '.';
  return posix.basename(posix.join('/', path)) || '/';
}

/** A link that is named last is the thing itself, unless a slash or `/.` follows. */
function find(files: ContainerFiles, asked: AskedPlace): FoundPlace {
  const followLast = /\/\.?$/.test(asked.path);
  const found = files.resolve(bytesOf(asked.path), followLast);
  if (found === null) throw missing(asked);
  if (!followLast || fstatSync(found.fd).isDirectory()) return found;
  closeSync(found.fd);
  throw missing(asked);
}

/** The header that describes the place. @throws DockerError 404 */
export function statOf(parts: FileParts, asked: AskedPlace): string {
  const files = openFiles(parts, asked.record, false);
  try {
    const { fd, names } = find(files, asked);
    try {
      const stat = fstatSync(fd, { bigint: true });
      const link = stat.isSymbolicLink() ? leadsTo(files, fd, names) : '';
      return pathStat(baseOf(asked.path), stat, link);
    } finally {
      closeSync(fd);
    }
  } finally {
    files.close();
  }
}

/** Where a link leads in the container; where that is not there, what it says. */
function leadsTo(files: ContainerFiles, fd: number, names: readonly string[]): string {
  const found = files.resolve(joinNames(names), true);
  if (found !== null) {
    closeSync(found.fd);
    return readable(joinNames(found.names));
  }
  const target = linkTarget(fd).toString();
  return posix.resolve(readable(joinNames(names.slice(0, -1))), target);
}

/** The place as a tar, whose names begin with the last name of the path. */
export async function* tarOf(parts: FileParts, asked: AskedPlace): AsyncGenerator<Buffer> {
  const files = openFiles(parts, asked.record, false);
  try {
    const place = find(files, asked);
    try {
      yield* new TarOut(files).of(place, bytesOf(baseOf(asked.path)));
    } finally {
      closeSync(place.fd);
    }
  } finally {
    files.close();
  }
}

export interface PutOptions {
  readonly keepsKinds: boolean;
  readonly owner: { readonly uid: number; readonly gid: number } | null;
}

/** Unpacks what the client sends. @throws DockerError 404, 400 */
export async function unpackInto(
  parts: FileParts,
  asked: AskedPlace,
  request: IncomingMessage,
  { keepsKinds, owner }: PutOptions,
): Promise<void> {
  const requireWritable = writableIn(asked.record);
  await writing(parts, asked.record, async (files) => {
    const into = files.resolve(bytesOf(asked.path), true);
    if (into === null) throw missing(asked);
    try {
      if (!fstatSync(into.fd).isDirectory()) throw new DockerError(400, 'extraction point is not a directory');
      requireWritable(into.names);
      // Reading ends early where something is wrong: the connection is needed for the answer.
      const body = Readable.from(request.iterator({ destroyOnReturn: false }));
      await new TarIn(files, into, { keepsKinds, owner, requireWritable }).take(decompressed(body, () => {}));
    } finally {
      closeSync(into.fd);
    }
  });
}
