import {
  type BigIntStats,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  symlinkSync,
} from 'node:fs';
import { TsdError } from '../../model/errors/errors.ts';
import { makeNode, readXattrs, setTimes, setXattr } from './layer-files.ts';
import { nameBatches } from './read-directory.ts';
import { copyFile } from './sparse-file.ts';

const SLASH = Buffer.from('/');
const NANOSECONDS = 1_000_000_000n;

interface Step {
  readonly from: Buffer;
  readonly to: Buffer;
}

/**
 * Copies a directory tree with owners, modes, times, extended attributes, hard links, holes, devices and symlinks; data blocks
 * are shared where the filesystem can. The copy shares no inode with the original. Sockets are left out: they mean nothing
 * without the process that listens.
 *
 * A generator, a file or a piece of one a step, so that the caller decides how long it keeps the event loop.
 * @param to must not exist.
 */
export function* copyTree(from: string, to: string): Generator<void> {
  const links = new Map<string, Buffer>();
  const directories: { readonly path: Buffer; readonly stat: BigIntStats }[] = [];
  const root: Step = { from: Buffer.from(from), to: Buffer.from(to) };
  // Files are copied as their names come: only directories wait.
  const pending: Step[] = [];
  const copyOne = function* (step: Step): Generator<void> {
    const stat = lstatSync(step.from, { bigint: true });
    if (!stat.isDirectory()) yield* copyLeaf(step, stat, links);
    else {
      mkdirSync(step.to);
      copyMetadata(step, stat);
      directories.push({ path: step.to, stat });
      pending.push(step);
    }
    yield;
  };
  yield* copyOne(root);
  for (let step = pending.pop(); step !== undefined; step = pending.pop()) {
    const { from: source, to: target } = step;
    for (const name of namesIn(source)) {
      yield* copyOne({ from: Buffer.concat([source, SLASH, name]), to: Buffer.concat([target, SLASH, name]) });
    }
  }
  // Children first: writing into a directory changes its time.
  for (const { path, stat } of directories.reverse()) {
    copyTimes(path, stat);
    yield;
  }
}

/** The names in a directory as they come. @param directory trusted; links in it are followed */
export function* namesIn(directory: Buffer): Generator<Buffer, undefined> {
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    for (const names of nameBatches(fd)) yield* names;
  } finally {
    closeSync(fd);
  }
}

function* copyLeaf(step: Step, stat: BigIntStats, links: Map<string, Buffer>): Generator<void> {
  const inode = `${stat.dev}:${stat.ino}`;
  const linked = stat.nlink > 1n ? links.get(inode) : undefined;
  if (linked !== undefined) {
    linkSync(linked, step.to);
    return;
  }
  if (stat.isSocket()) return;
  if (stat.isSymbolicLink()) symlinkSync(readlinkSync(step.from, { encoding: 'buffer' }), step.to);
  else if (stat.isFile()) yield* copyFile(step.from, step.to, stat);
  else if (stat.isFIFO() || stat.isCharacterDevice() || stat.isBlockDevice()) copyNode(step, stat);
  else throw new TsdError('TSD_BUG', `unknown file type of ${step.from.toString()}`);
  copyMetadata(step, stat);
  copyTimes(step.to, stat);
  if (stat.nlink > 1n) links.set(inode, step.to);
}

function copyNode(step: Step, stat: BigIntStats): void {
  // Device numbers as glibc's gnu_dev_major(3) splits them.
  const major = Number((stat.rdev >> 8n) & 0xfffn);
  const minor = Number((stat.rdev & 0xffn) | ((stat.rdev >> 12n) & 0xfff00n));
  makeNode(step.to, Number(stat.mode), major, minor);
}

function copyMetadata({ from, to }: Step, stat: BigIntStats): void {
  const [uid, gid] = [Number(stat.uid), Number(stat.gid)];
  if (stat.isSymbolicLink()) lchownSync(to, uid, gid);
  else {
    // chown clears setuid and file capabilities: owner first, then mode, then attributes.
    chownSync(to, uid, gid);
    chmodSync(to, Number(stat.mode & 0o7777n));
  }
  for (const [name, value] of readXattrs(from)) setXattr(to, name, value);
}

function copyTimes(path: Buffer, stat: BigIntStats): void {
  // The remainder of a time before 1970 is negative and the kernel wants 0–999999999.
  const nanos = ((stat.mtimeNs % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
  setTimes(path, Number((stat.mtimeNs - nanos) / NANOSECONDS), Number(nanos));
}
