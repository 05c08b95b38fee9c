import { type BigIntStats, readlinkSync } from 'node:fs';
import { fileError, readXattrs } from '../../ffi/files/layer-files.ts';
import {
  isTooDeep,
  namesWithoutLinks,
  readWithoutLinks,
  statWithoutLinks,
  tooDeep,
} from '../../ffi/files/without-links.ts';
import { itemsInSlices } from '../../ffi/slices.ts';
import { sortInSteps } from '../../model/sort-in-steps.ts';
import { fromBytes, readable, type TarHeader, type TarType, toBytes } from '../tar/header.ts';
import { ChangedMeanwhile, type TreeEntry } from './tree-tar.ts';

const NANOSECONDS = 1_000_000_000n;
/** Attributes that belong to a file's content; the others (overlay's, SELinux's, ACLs by host id) belong to the host. */
const KEPT_XATTR = /^(user\.(?!overlay\.)|security\.capability$)/;

interface ScannedFile {
  /** Byte string, relative to the scanned directory; empty for the directory itself. */
  readonly path: string;
  readonly hostPath: Buffer;
  readonly stat: BigIntStats;
}

/**
 * Everything below a directory, itself included, sorted by name in each directory, parents first. It stays on one
 * filesystem: what is mounted below it appears as an empty directory. Entries that are exchanged during the scan are skipped, so that
 * nothing outside is ever looked at. A root that is gone or exchanged, and what lies deeper than a path can say, is an error.
 * @param root without links in it, as realpath(3) gives it, or a descriptor's path of this process
 */
export async function* scanTree(root: string | Buffer, signal?: AbortSignal): AsyncGenerator<ScannedFile> {
  yield* itemsInSlices(filesOf(Buffer.from(root)), signal);
}

function* filesOf(base: Buffer): Generator<ScannedFile | null> {
  const pending: string[] = [''];
  let device: bigint | null = null;
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    yield null;
    const hostPath = path === '' ? base : Buffer.concat([base, Buffer.from('/'), toBytes(path)]);
    if (isTooDeep(hostPath)) throw tooDeep(readable(path));
    const stat = statWithoutLinks(hostPath);
    if (path === '' && (stat === null || stat.isSymbolicLink())) throw new ChangedMeanwhile(fromBytes(base));
    if (stat === null) continue;
    device ??= stat.dev;
    yield { path, hostPath, stat };
    if (!stat.isDirectory() || stat.dev !== device) continue;
    // The last of them comes first from the pile.
    for (const name of yield* namesBackwards(hostPath)) pending.push(path === '' ? name : `${path}/${name}`);
  }
}

function* namesBackwards(directory: Buffer): Generator<null, string[]> {
  const names: string[] = [];
  for (const batch of namesWithoutLinks(directory)) {
    for (const name of batch) names.push(fromBytes(name));
    yield null;
  }
  return yield* sortInSteps(names, (a, b) => (a < b ? 1 : a > b ? -1 : 0));
}

function tarType(stat: BigIntStats): TarType | null {
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isFile()) return 'file';
  if (stat.isFIFO()) return 'fifo';
  if (stat.isCharacterDevice()) return 'character-device';
  if (stat.isBlockDevice()) return 'block-device';
  return null;
}

/**
 * The entry of a file, with everything that its inode says.
 * @param name byte string; the path in the layer.
 * @returns null for a socket: it means nothing without the process that listens.
 */
export function entryOf(name: string, { hostPath, stat }: Omit<ScannedFile, 'path'>): TreeEntry | null {
  const type = tarType(stat);
  if (type === null) return null;
  // The remainder of a time before 1970 is negative and tar wants 0–999999999.
  const nanos = ((stat.mtimeNs % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
  const device = type === 'character-device' || type === 'block-device' ? stat.rdev : 0n;
  try {
    const inode = readWithoutLinks(hostPath, (held) => ({
      linkname: type === 'symlink' ? fromBytes(readlinkSync(held, { encoding: 'buffer' })) : '',
      xattrs: new Map([...readXattrs(held)].filter(([key]) => KEPT_XATTR.test(key))),
    }));
    if (inode === null) throw new ChangedMeanwhile(name);
    const header: TarHeader = {
      name: type === 'directory' ? `${name}/` : name,
      type,
      mode: type === 'symlink' ? 0o777 : Number(stat.mode & 0o7777n),
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      size: type === 'file' ? Number(stat.size) : 0,
      mtimeSeconds: Number((stat.mtimeNs - nanos) / NANOSECONDS),
      mtimeNanos: Number(nanos),
      // Device numbers as glibc's gnu_dev_major(3) splits them.
      major: Number((device >> 8n) & 0xfffn),
      minor: Number((device & 0xffn) | ((device >> 12n) & 0xfff00n)),
      ...inode,
    };
    return { header, content: type === 'file' ? { hostPath } : null };
  } catch (thrown) {
    throw fileError(thrown, `read ${hostPath.toString()}`);
  }
}

/** The same file under a second name. */
export function linkEntry(entry: TreeEntry, target: string): TreeEntry {
  return { header: { ...entry.header, type: 'link', linkname: target, size: 0, xattrs: new Map() }, content: null };
}
