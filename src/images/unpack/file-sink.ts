/** Writing one regular file of a layer. */
import { fchmodSync, fchownSync, ftruncateSync, futimesSync, lutimesSync, writeSync } from 'node:fs';
import { fileError, setTimes } from '../../ffi/files/layer-files.ts';
import { readable, type TarHeader } from '../tar/header.ts';
import type { DataSink } from '../tar/sparse.ts';

/** A block of most filesystems. */
const LEAST_HOLE = 4096;
const ZEROS = Buffer.alloc(256 * 1024);

/** A piece of zeros takes no room on the disk: archives have the holes of files so that no tool made sparse. */
function isHole(bytes: Buffer): boolean {
  return bytes.length >= LEAST_HOLE && bytes.length <= ZEROS.length && bytes.equals(ZEROS.subarray(0, bytes.length));
}

export interface SinkOptions {
  readonly path: Buffer;
  readonly setXattrs: () => void;
  /** Closes the descriptor. */
  readonly done: () => void;
}

/** @param fd of the new file, to be written */
export function fileSink(fd: number, header: TarHeader, { path, setXattrs, done }: SinkOptions): DataSink {
  const step = `unpack ${readable(header.name)}`;
  let position = 0;
  let hasHoles = header.sparse === true;
  return {
    write: (bytes) => {
      if (isHole(bytes)) {
        hasHoles = true;
        position += bytes.length;
        return;
      }
      try {
        for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, position + at);
        position += bytes.length;
      } catch (thrown) {
        throw fileError(thrown, step);
      }
    },
    skip: (bytes) => {
      position += bytes;
    },
    end: () => {
      try {
        // A hole at the end.
        if (hasHoles) ftruncateSync(fd, position);
        // chown clears setuid and file capabilities: owner first, then mode, then attributes.
        if (header.uid !== 0 || header.gid !== 0) fchownSync(fd, header.uid, header.gid);
        fchmodSync(fd, header.mode);
        setXattrs();
        if (header.mtimeNanos !== 0 || header.mtimeSeconds < 0) setPathTimes(header, path);
        else futimesSync(fd, header.mtimeSeconds, header.mtimeSeconds);
      } catch (thrown) {
        throw fileError(thrown, step);
      } finally {
        done();
      }
    },
  };
}

/** node:fs takes times as doubles: exact for whole seconds from 1970 on, and then several times cheaper than FFI. */
export function setPathTimes(header: TarHeader, path: Buffer): void {
  if (header.mtimeNanos === 0 && header.mtimeSeconds >= 0) lutimesSync(path, header.mtimeSeconds, header.mtimeSeconds);
  else setTimes(path, header.mtimeSeconds, header.mtimeNanos);
}
