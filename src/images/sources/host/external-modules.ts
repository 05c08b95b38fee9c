import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';

/** Debian's policy for JavaScript packages: nodejs(1)'s own modules from other packages lie here. */
const DIRECTORY = '/usr/share/nodejs';
const ENDING = Buffer.from('.js\0');
const CHUNK_BYTES = 1024 * 1024;
/** PATH_MAX of linux/limits.h. */
const MAX_PATH_BYTES = 4096;

/** What an earlier look found, as long as the file is the same one: the scan reads the whole file. */
const known = new Map<string, readonly string[]>();

/**
 * Files of its own that a distribution's Node reads at fixed absolute paths (`--shared-builtin-*-path` of its configure
 * script): without them it ends before it runs anything. Found as the C strings that the program or library holds.
 * @param path an ELF file; for any other than Node's nothing is read and nothing found.
 */
export function externalModules(path: string, directory = DIRECTORY): readonly string[] {
  if (!/^(node|nodejs|libnode\.so.*)$/.test(basename(path)) || !existsSync(directory)) return [];
  const fd = openSync(path, 'r');
  try {
    const { dev, ino, size, mtimeNs } = fstatSync(fd, { bigint: true });
    const identity = `${dev}:${ino}:${size}:${mtimeNs}:${directory}`;
    const found = known.get(identity) ?? [...pathsIn(fd, `${directory}/`)].filter((file) => existsSync(file)).sort();
    known.set(identity, found);
    return found;
  } finally {
    closeSync(fd);
  }
}

function pathsIn(fd: number, prefix: string): Set<string> {
  const found = new Set<string>();
  const buffer = Buffer.alloc(MAX_PATH_BYTES + CHUNK_BYTES);
  let kept = 0;
  for (let at = 0; ; ) {
    const length = readSync(fd, buffer, kept, CHUNK_BYTES, at);
    if (length === 0) return found;
    at += length;
    const text = buffer.subarray(0, kept + length);
    for (let end = text.indexOf(ENDING); end >= 0; end = text.indexOf(ENDING, end + 1)) {
      const start = text.lastIndexOf(0, end) + 1;
      const string = text.toString('latin1', start, end + ENDING.length - 1);
      if (string.startsWith(prefix)) found.add(string);
    }
    kept = Math.min(MAX_PATH_BYTES, text.length);
    text.copy(buffer, 0, text.length - kept);
  }
}
