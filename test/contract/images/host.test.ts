import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DeclaredImageConfig, LoadedImage } from '../../../src/images/image.ts';
import { OverlayFixture } from './fixture.ts';

const on = new OverlayFixture();

const load = (binaries: string[], paths: string[] = [], config: DeclaredImageConfig = {}): Promise<LoadedImage> =>
  on.load({ type: 'host', binaries, paths, config });
const inImage = (image: LoadedImage, path = ''): string => on.at('root/overlay', image.topLayer ?? '', 'diff', path);

/** Runs a program in the image's files, in a mount namespace of its own. */
function run(image: LoadedImage, ...argv: string[]): { stdout: string; stderr: string; status: number | null } {
  const { stdout, stderr, status } = spawnSync('unshare', ['-m', 'chroot', inImage(image), ...argv], {
    encoding: 'utf8',
  });
  return { stdout, stderr, status };
}

describe('an image of host binaries', () => {
  it('runs node with no other file of the host', async () => {
    const image = await load([process.execPath]);
    const script =
      'const os = require("os"); console.log(process.version, os.userInfo().username, new Intl.DateTimeFormat("de").format(0))';
    expect(run(image, process.execPath, '-e', script)).toEqual({
      stdout: `${process.version} root 1.1.1970\n`,
      stderr: '',
      status: 0,
    });
  });

  it('finds names in PATH and has a shell only when it is named', async () => {
    const without = await load(['cat']);
    expect(run(without, '/usr/bin/cat', '/etc/nsswitch.conf').stdout).toMatch(/^hosts: files dns$/m);
    expect(existsSync(inImage(without, 'usr/bin/sh'))).toBe(false);
    const withShell = await load(['sh', 'cat']);
    expect(run(withShell, '/bin/sh', '-c', 'echo $((6*7)) | cat').stdout).toBe('42\n');
  });

  it('accepts a library that finds its own library only through the program', async () => {
    const directory = on.at('libraries');
    mkdirSync(join(directory, 'lib/server'), { recursive: true });
    const [machine, plugin] = [join(directory, 'lib/server/libtsdmachine.so'), join(directory, 'lib/libtsdplugin.so')];
    const cc = (...args: string[]) => execFileSync('cc', ['-shared', '-nostdlib', ...args, '-x', 'c', '/dev/null']);
    cc('-o', machine, '-Wl,-soname,libtsdmachine.so');
    execFileSync('cc', ['-shared', '-nostdlib', '-o', plugin, '-Wl,--no-as-needed', machine]);
    const image = await load([], [join(directory, 'lib')]);
    expect(existsSync(inImage(image, machine))).toBe(true);
    rmSync(machine);
    await expect(load([], [join(directory, 'lib')])).rejects.toMatchObject({
      message: expect.stringContaining('needs libtsdmachine.so, which is not on this host'),
    });
  });

  it('gives the same image twice', async () => {
    const first = await load(['cat', 'ls']);
    expect((await load(['ls', 'cat'])).id).toBe(first.id);
    expect(first.created).toBe('1970-01-01T00:00:00Z');
  });

  it('keeps the links of a merged /usr', async () => {
    const image = await load(['cat']);
    for (const link of ['/bin', '/lib64'].filter((path) =>
      lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink(),
    )) {
      expect(readlinkSync(inImage(image, link))).toBe(readlinkSync(link));
    }
  });

  it('brings the interpreter of a script, also through env', async () => {
    const direct = on.at('direct');
    writeFileSync(direct, '#!/bin/sh\necho direct\n');
    const throughEnv = on.at('through-env');
    writeFileSync(throughEnv, '#!/usr/bin/env sh\necho env\n');
    for (const path of [direct, throughEnv]) chmodSync(path, 0o755);
    const image = await load([direct, throughEnv]);
    expect(run(image, direct).stdout).toBe('direct\n');
    expect(run(image, throughEnv).stdout).toBe('env\n');
  });

  it('includes more paths, directories and link targets', async () => {
    const tree = on.at('site');
    mkdirSync(join(tree, 'sub'), { recursive: true });
    writeFileSync(join(tree, 'sub/page'), 'hello');
    writeFileSync(on.at('elsewhere'), 'linked');
    symlinkSync('../elsewhere', join(tree, 'link'));
    symlinkSync('/nowhere', join(tree, 'dangling'));
    const image = await load(['cat'], [tree]);
    expect(run(image, '/bin/cat', join(tree, 'sub/page'), join(tree, 'link')).stdout).toBe('hellolinked');
    expect(readlinkSync(inImage(image, join(tree, 'dangling')))).toBe('/nowhere');
  });

  it('has users that are static, named or own a file, and a writable /tmp directory', async () => {
    const image = await load(['cat'], [], { user: 'nobody' });
    const passwd = readFileSync(inImage(image, 'etc/passwd'), 'utf8');
    expect(passwd).toMatch(/^root:x:0:0:/m);
    expect(passwd).toMatch(/^nobody:x:65534:/m);
    expect(readFileSync(inImage(image, 'etc/group'), 'utf8')).toMatch(/^root:x:0:$/m);
    expect(lstatSync(inImage(image, 'tmp')).mode & 0o7777).toBe(0o1777);
  });

  it('names missing files', async () => {
    const missing = (message: RegExp) =>
      expect.objectContaining({ code: 'TSD_IMAGE_SOURCE', message: expect.stringMatching(message) });
    await expect(load(['no-such-program'])).rejects.toThrow(missing(/no program no-such-program/));
    await expect(load(['relative/path'])).rejects.toThrow(missing(/no program relative\/path/));
    await expect(load(['cat'], ['/no/such/path'])).rejects.toThrow(missing(/\/no\/such\/path/));
    await expect(load(['cat'], ['/'])).rejects.toThrow(missing(/whole host/));
    expect(on.graph.list()).toEqual([]);
  });
});
