/** Looking names up below a directory, on a quiet host and on one where files are renamed and mounted without a pause. */
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { constants as os } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { raceCounts } from '../../../src/ffi/call/retry.ts';
import { Beneath } from '../../../src/ffi/files/beneath.ts';
import { find, type LookupPath, type LookupWay, OPEN_FLAGS } from '../../../src/ffi/files/lookup.ts';
import { BusyHost } from '../../support/busy-host.ts';
import { until } from '../../support/wait.ts';

let base: string;
let root: string;
let rootFd: number;
let host: BusyHost | null;
beforeEach(() => {
  base = mkdtempSync('/tmp/tsd-test-');
  root = join(base, 'root');
  mkdirSync(join(root, 'dir/sub'), { recursive: true });
  writeFileSync(join(root, 'file'), 'content');
  symlinkSync('dir/../dir/sub/../../file', join(root, 'round'));
  symlinkSync('circle', join(root, 'circle'));
  symlinkSync('/file', join(root, 'absolute'));
  rootFd = openSync(root, constants.O_DIRECTORY);
  host = null;
});
afterEach(async () => {
  await host?.rest();
  closeSync(rootFd);
  rmSync(base, { recursive: true });
});

/** Inode of what is found, null for nothing, or the name of the error. */
function found(path: LookupPath, way: LookupWay = 'inRoot', flags: number = OPEN_FLAGS.path): number | null | string {
  try {
    const fd = find(rootFd, path, way, flags);
    if (fd === null) return null;
    try {
      return fstatSync(fd).ino;
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const { errno, code } = error as { errno?: number; code: string };
    return `${code} ${Object.entries(os.errno).find(([, number]) => number === errno)?.[0]}`;
  }
}

describe('a lookup', () => {
  it('finds existing paths, also by links, which do not leave the directory', () => {
    const inode = found('file');
    expect(typeof inode).toBe('number');
    for (const path of ['/file', 'round', 'absolute', '../../file', Buffer.from('round')])
      expect(found(path)).toBe(inode);
    expect(found('')).toBe(fstatSync(rootFd).ino);
  });

  it('reports absence only for missing names, paths below a file and circular links', () => {
    for (const path of ['none', 'dir/none', 'file/none', 'circle', 'fi\0le']) expect(found(path)).toBeNull();
    expect(found('round', 'inRootWithoutLinks')).toBeNull();
    expect(found('n'.repeat(256))).toBe('TSD_SYSCALL ENAMETOOLONG');
    expect(found('dir/'.repeat(1100))).toBe('TSD_SYSCALL ENAMETOOLONG');
    expect(found('../file', 'beneathWithoutLinks')).toBe('TSD_SYSCALL EXDEV');
    expect(found('file', 'inRoot', constants.O_RDWR | constants.O_CREAT | 0x40000000)).toBe('TSD_SYSCALL EINVAL');
  });

  it('is right while programs rename and mount', async () => {
    const inode = found('file');
    const before = raceCounts().get('openat2')?.retried ?? 0;
    host = new BusyHost(join(base, 'busy'));
    await until('a hundred races', () => {
      for (let round = 0; round < 200; round++) {
        expect(found('round')).toBe(inode);
        expect(found('dir/../dir/../none')).toBeNull();
      }
      return (raceCounts().get('openat2')?.retried ?? 0) - before > 100;
    });
    expect(host.isBusy).toBe(true);
  });

  it('that runs out of tries is an error, never absence', async () => {
    // Milliseconds on the way, in which nothing may be renamed anywhere.
    for (let link = 0; link < 38; link++) {
      symlinkSync(`${'dir/../'.repeat(560)}${link === 37 ? 'file' : `far${link + 1}`}`, join(root, `far${link}`));
    }
    const files = Beneath.open(root);
    try {
      host = new BusyHost(join(base, 'busy'));
      await until('a lookup that is given up', () => {
        const answer = found('far0');
        expect(answer).not.toBeNull();
        return answer === 'TSD_LOOKUP EAGAIN';
      });
      await until('one of a build', () => {
        try {
          expect(files.resolve('far0')).toBe('file');
          return false;
        } catch (error) {
          expect(error).toMatchObject({ code: 'TSD_LOOKUP', class: 'unavailable' });
          return true;
        }
      });
    } finally {
      files.close();
    }
  });
});
