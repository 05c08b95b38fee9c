import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FileTree, mountedTree } from '../../../src/drivers/exec/native/container-tree.ts';
import { envValue, processEnv } from '../../../src/drivers/exec/native/program/env.ts';
import { findExecutable, interpreterOf } from '../../../src/drivers/exec/native/program/executable.ts';
import { lookUpUser } from '../../../src/drivers/exec/native/program/users.ts';
import { lookupError } from '../../../src/ffi/files/lookup.ts';

let root: string;
let rootFd: number;
let tree: FileTree;
beforeEach(() => {
  root = mkdtempSync('/tmp/tsd-test-');
  rootFd = openSync(root, 'r');
  tree = mountedTree(rootFd);
});
afterEach(() => {
  closeSync(rootFd);
  rmSync(root, { recursive: true });
});

function file(path: string, content: string, mode = 0o644): void {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), content, { mode });
}

describe('a user', () => {
  beforeEach(() => {
    const numbers = '42:x:0:0::/forty-two:\n9999999999:x:0:0::/:\n-1:x:0:0::/:\n';
    file('etc/passwd', `root:x:0:0::/root:/bin/sh\nweb:x:5:6::/home/web:\n${numbers}`);
    const groups = '77:x:0:\n9999999999:x:0:\n-1:x:0:\n';
    file('etc/group', `root:x:0:\nwheel:x:10:root,web\nweb:x:6:\nops:x:20:other\n${groups}`);
  });

  it.each([
    ['', 'uid 0 gid 0 groups 0,10 home /root'],
    ['root', 'uid 0 gid 0 groups 0,10 home /root'],
    ['0', 'uid 0 gid 0 groups 0,10 home /root'],
    ['web', 'uid 5 gid 6 groups 6,10 home /home/web'],
    ['5', 'uid 5 gid 6 groups 6,10 home /home/web'],
    ['web:ops', 'uid 5 gid 20 groups 20 home /home/web'],
    ['web:77', 'uid 5 gid 77 groups 77 home /home/web'],
    ['1000', 'uid 1000 gid 0 groups 0 home /'],
    ['1000:ops', 'uid 1000 gid 20 groups 20 home /'],
    [':ops', 'uid 0 gid 20 groups 20 home /root'],
    ['42', 'uid 42 gid 0 groups 0 home /'],
    ['42:77', 'uid 42 gid 77 groups 77 home /'],
  ])('%j is %s', (wanted, expected) => {
    const { uid, gid, groups, home } = lookUpUser(tree, wanted);
    expect(`uid ${uid} gid ${gid} groups ${groups.join(',')} home ${home}`).toBe(expected);
  });

  it.each(['nobody', '-1', '2147483648', '9999999999', 'web:nobody', 'web:-1', 'web:9999999999', '0x5', '../etc'])(
    '%j is not found',
    (wanted) => {
      expect(() => lookUpUser(tree, wanted)).toThrow(expect.objectContaining({ code: 'TSD_USER_NOT_FOUND' }));
    },
  );

  it('needs no database for a number', () => {
    rmSync(join(root, 'etc'), { recursive: true });
    expect(lookUpUser(tree, '3:4')).toEqual({ uid: 3, gid: 4, groups: [4], home: '/' });
  });
});

describe('an environment', () => {
  it('has each name once, with its last value, and HOME', () => {
    const env = processEnv(['A=1', 'B=2', 'A=3=4', 'EMPTY='], '/root');
    expect(env).toEqual(['A=3=4', 'B=2', 'EMPTY=', 'HOME=/root']);
    expect(processEnv(['HOME=/mine'], '/root')).toEqual(['HOME=/mine']);
    expect([envValue(env, 'A'), envValue(env, 'EMPTY'), envValue(env, 'C')]).toEqual(['3=4', '', undefined]);
  });
});

describe('a program', () => {
  const env = ['PATH=/one:/two::relative'];
  const find = (command: string, cwd = '/') => findExecutable(tree, command, env, cwd);

  it('is the first executable file in PATH', () => {
    file('one/app', '', 0o644);
    mkdirSync(join(root, 'one/tool'));
    file('two/app', '', 0o755);
    file('two/tool', '', 0o100);
    file('work/here', '', 0o755);
    file('work/relative/there', '', 0o755);
    expect([find('app'), find('tool'), find('here', '/work'), find('there', '/work'), find('./here', '/work')]).toEqual(
      ['/two/app', '/two/tool', '/work/here', '/work/relative/there', '/work/here'],
    );
  });

  it('that cannot run is an error with the reason', () => {
    file('one/app', '', 0o644);
    file('one/script', '#!  /bin/sh -e\n', 0o755);
    symlinkSync('/etc/hostname', join(root, 'one/out'));
    const message = (command: string): string => {
      try {
        return find(command);
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(['none', '/none', 'app', 'script', 'out', ''].map(message)).toMatchInlineSnapshot(`
      [
        ""none" is not in the image in PATH (/one:/two::relative)",
        ""/none" is not in the image",
        "/one/app is not an executable file",
        "/one/script needs /bin/sh, which is not in the image",
        ""out" is not in the image in PATH (/one:/two::relative)",
        """ is not in the image in PATH (/one:/two::relative)",
      ]
    `);
  });

  it('that could not be looked up is not reported as absent', () => {
    file('two/app', '', 0o755);
    const failing = (errno: number): FileTree => ({
      find: (path) => {
        if (path.startsWith('/one/')) throw lookupError(`look up ${path}`, errno);
        return tree.find(path);
      },
    });
    const found = (command: string, errno: number): string => findExecutable(failing(errno), command, env, '/');
    // With /one/app out of sight for a moment, /two/app would be another program.
    expect(() => found('app', constants.errno.EAGAIN)).toThrow(
      expect.objectContaining({ code: 'TSD_LOOKUP', class: 'unavailable', errno: constants.errno.EAGAIN }),
    );
    expect(() => found('app', constants.errno.EIO)).toThrow(expect.objectContaining({ errno: constants.errno.EIO }));
    expect(found('app', constants.errno.EACCES)).toBe('/two/app');
    expect(() => found('none', constants.errno.EACCES)).toThrow(expect.objectContaining({ class: 'denied' }));
    const users: FileTree = { find: () => tree.find('/absent') };
    expect(lookUpUser(users, '7')).toMatchObject({ uid: 7 });
    const unseen: FileTree = {
      find: (path) => {
        throw lookupError(`look up ${path}`, constants.errno.EAGAIN);
      },
    };
    expect(() => lookUpUser(unseen, '7')).toThrow(expect.objectContaining({ code: 'TSD_LOOKUP' }));
  });

  it('whose name is too long is reported as such', () => {
    expect(() => find('n'.repeat(300))).toThrow(/"n{60}…" is longer than a path or one of its names may be/);
    expect(() => find(`/${'n/'.repeat(3000)}app`)).toThrow(
      expect.objectContaining({ code: 'TSD_COMMAND_NOT_FOUND', errno: constants.errno.ENAMETOOLONG }),
    );
  });

  it('names its interpreter', () => {
    const elf = Buffer.alloc(256);
    elf.writeUInt32LE(0x464c457f, 0);
    elf.writeUInt8(2, 4);
    elf.writeBigUInt64LE(64n, 32);
    elf.writeUInt16LE(56, 54);
    elf.writeUInt16LE(1, 56);
    elf.writeUInt32LE(3, 64);
    elf.writeBigUInt64LE(200n, 72);
    elf.writeBigUInt64LE(11n, 96);
    elf.write('/lib/ld.so\0', 200);
    expect(interpreterOf(elf)).toBe('/lib/ld.so');
    elf.writeBigUInt64LE(2n ** 63n, 96);
    expect(interpreterOf(elf)).toBeNull();
    elf.writeBigUInt64LE(2n ** 63n, 32);
    expect(interpreterOf(elf)).toBeNull();
    for (const text of ['', '#!', '#!\n', '\x7fELF', 'plain']) expect(interpreterOf(Buffer.from(text))).toBeNull();
    expect(interpreterOf(Buffer.from('#! /usr/bin/env node\n'))).toBe('/usr/bin/env');
  });
});
