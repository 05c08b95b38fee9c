import { describe, expect, it } from 'vitest';
import { readElf } from '../../../src/images/sources/host/elf.ts';
import { LibraryFinder, parseLdCache, rpathOf } from '../../../src/images/sources/host/libraries.ts';
import { accountsNamed, selectAccounts, withoutMembers } from '../../../src/images/sources/host/user-database.ts';

const PASSWD = `root:x:0:0:root:/root:/bin/bash
daemon:x:1:1::/:/usr/sbin/nologin
www-data:x:33:33::/var/www:/usr/sbin/nologin
nobody:x:65534:65534::/:/usr/sbin/nologin
postgres:x:104:110::/var/lib/postgresql:/bin/bash
redis:$6$secret:105:111::/var/lib/redis:/bin/false
alice:x:1000:1000::/home/alice:/bin/bash
# a comment
broken`;

describe('selectAccounts', () => {
  it('keeps static ids, owners and named users, by id, without passwords', () => {
    expect(selectAccounts(PASSWD, { ids: new Set([105]), names: new Set(['postgres']) })).toMatchInlineSnapshot(`
      "root:x:0:0:root:/root:/bin/bash
      daemon:x:1:1::/:/usr/sbin/nologin
      www-data:x:33:33::/var/www:/usr/sbin/nologin
      postgres:x:104:110::/var/lib/postgresql:/bin/bash
      redis:x:105:111::/var/lib/redis:/bin/false
      nobody:x:65534:65534::/:/usr/sbin/nologin
      "
    `);
  });

  it('drops the members of groups', () => {
    expect(withoutMembers('adm:x:4:alice,bob\nsudo:x:27:alice\n')).toBe('adm:x:4:\nsudo:x:27:\n');
  });

  it('understands user and group as names and ids', () => {
    expect(accountsNamed('postgres:110')).toEqual({
      users: { ids: new Set(), names: new Set(['postgres']) },
      groups: { ids: new Set([110]), names: new Set() },
    });
  });
});

describe('readElf', () => {
  it('reads the data of a real program that the loader uses', () => {
    const elf = readElf(process.execPath);
    expect(elf?.interpreter).toMatch(/\/ld-/);
    expect(elf?.needed.some((name) => name.startsWith('libc.'))).toBe(true);
  });

  it('returns null for a file that is not ELF', () => {
    expect(readElf('/etc/passwd')).toBeNull();
  });
});

/** An ld.so.cache with one entry for each name. */
function ldCache(entries: readonly (readonly [name: string, path: string, hwcap: bigint])[]): Buffer {
  const texts = entries.flatMap((entry) => entry.slice(0, 2).map(String));
  const start = 48 + entries.length * 24;
  const offsets = texts.map(
    (_, index) => start + texts.slice(0, index).reduce((sum, text) => sum + text.length + 1, 0),
  );
  const head = Buffer.alloc(start);
  head.write('glibc-ld.so.cache1.1');
  head.writeUInt32LE(entries.length, 20);
  entries.forEach(([, , hwcap], index) => {
    const at = 48 + index * 24;
    head.writeUInt32LE(offsets[index * 2] as number, at + 4);
    head.writeUInt32LE(offsets[index * 2 + 1] as number, at + 8);
    head.writeBigUInt64LE(hwcap, at + 16);
  });
  return Buffer.concat([head, Buffer.from(texts.map((text) => `${text}\0`).join(''))]);
}

describe('parseLdCache', () => {
  it('omits variants for special hardware', () => {
    const cache = ldCache([
      ['libx.so.1', '/usr/lib/glibc-hwcaps/x86-64-v3/libx.so.1', 1n << 62n],
      ['libx.so.1', '/usr/lib/libx.so.1', 0n],
      ['liby.so.2', '/opt/liby.so.2', 0n],
    ]);
    expect([...parseLdCache(cache)]).toEqual([
      ['libx.so.1', ['/usr/lib/libx.so.1']],
      ['liby.so.2', ['/opt/liby.so.2']],
    ]);
  });

  it('survives a damaged cache', () => {
    expect(parseLdCache(Buffer.from('nothing')).size).toBe(0);
    expect(parseLdCache(ldCache([['a', '/a', 0n]]).subarray(0, 60)).size).toBe(0);
  });
});

describe('library search', () => {
  const elf = { machine: 62, interpreter: null, needed: [], rpath: ['$ORIGIN/../lib', '/opt'], runpath: [] };
  const object = { realPath: '/srv/app/bin/x', elf, inheritedRpath: ['/from/loader'] };

  it('expands $ORIGIN and inherits DT_RPATH, unless there is a DT_RUNPATH', () => {
    expect(rpathOf(object)).toEqual(['/srv/app/bin/../lib', '/opt', '/from/loader']);
    expect(rpathOf({ ...object, elf: { ...elf, runpath: ['/run'] } })).toEqual([]);
  });

  it('names the program and the missing library', () => {
    expect(() => new LibraryFinder('/nonexistent').find('libnothing.so.9', object, '/lib')).toThrow(
      expect.objectContaining({
        code: 'TSD_IMAGE_SOURCE',
        message: expect.stringContaining('/srv/app/bin/x needs libnothing'),
      }),
    );
  });
});
