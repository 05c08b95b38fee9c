import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tryLockFile } from '../../../src/ffi/files/locks.ts';
import { openRoot, type RootOptions, type StateRoot } from '../../../src/state/root.ts';
import { temporaryDirectories } from '../../support/temp-root.ts';

const directory = temporaryDirectories('root');
const opened: StateRoot[] = [];
afterEach(() => {
  for (const root of opened.splice(0)) root.close();
});

let base = '';
let options: RootOptions;
beforeEach(() => {
  base = directory();
  options = { root: join(base, 'root'), runDir: join(base, 'run'), pidfile: join(base, 'tsdocker.pid') };
});

async function open(changes: Partial<RootOptions> = {}): Promise<StateRoot> {
  const root = await openRoot({ ...options, ...changes });
  opened.push(root);
  return root;
}

const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);

describe('a new root', () => {
  it('has private directories, an instance and a pid file', async () => {
    const root = await open();
    for (const name of ['', 'containers', 'graph', 'volumes', 'vfs/dir', 'execdriver/native', 'tmp']) {
      expect(mode(join(options.root, name))).toBe('700');
    }
    expect(root.instanceId).toMatch(/^[0-9a-f]{6}$/);
    expect(readFileSync(join(options.root, 'instance'), 'utf8')).toBe(`${root.instanceId}\n`);
    expect(readFileSync(join(base, 'tsdocker.pid'), 'utf8')).toBe(String(process.pid));
  });

  it('keeps its instance and removes the temporary files of a killed supervisor', async () => {
    const { instanceId } = await open();
    opened.pop()?.close();
    mkdirSync(join(options.root, 'tmp', 'container-x'));
    writeFileSync(join(options.root, 'tmp', 'container-x', 'config.json'), '{');
    writeFileSync(join(base, 'outside'), 'kept');
    symlinkSync(base, join(options.root, 'tmp', 'link'));
    expect((await open()).instanceId).toBe(instanceId);
    expect(readdirSync(join(options.root, 'tmp'))).toEqual([]);
    expect(readFileSync(join(base, 'outside'), 'utf8')).toBe('kept');
  });

  it('removes its pid file when closed', async () => {
    (await open()).close();
    expect(existsSync(join(base, 'tsdocker.pid'))).toBe(false);
  });
});

describe('a second supervisor', () => {
  it.each([
    ['root', { runDir: 'other-run', pidfile: null }],
    ['run', { root: 'other-root', pidfile: null }],
  ])('is refused the same %s directory, with the pid of the owner and a remedy', async (name, change) => {
    await open();
    const paths = Object.entries(change).map(
      ([key, value]) => [key, value === null ? null : join(base, value)] as const,
    );
    await expect(open(Object.fromEntries(paths))).rejects.toMatchObject({
      code: 'TSD_LOCKED',
      message: `another supervisor (pid ${process.pid}) owns ${join(base, name)}`,
      hint: expect.stringContaining('--root and --run-dir'),
    });
  });

  it('leaves no lock behind when it is refused', async () => {
    const first = await open();
    await expect(open({ root: join(base, 'other') })).rejects.toMatchObject({ code: 'TSD_LOCKED' });
    first.close();
    await open({ root: join(base, 'other') });
  });

  it('can take over when the owner has ended, also with its children alive', async () => {
    const lockPath = join(base, 'lock');
    const taken = tryLockFile(lockPath);
    if (!taken.locked) throw new Error('not locked');
    const child = spawn('sleep', ['60']);
    try {
      await once(child, 'spawn');
      const held = readdirSync(`/proc/${child.pid}/fd`).map((fd) => readlinkSync(`/proc/${child.pid}/fd/${fd}`));
      expect(held).not.toContain(lockPath);
      taken.lock.release();
      const again = tryLockFile(lockPath);
      expect(again.locked).toBe(true);
      if (again.locked) again.lock.release();
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });
});

describe('pid file', () => {
  it('of a supervisor that runs is an error', async () => {
    const pidfile = join(base, 'tsdocker.pid');
    const first = await open();
    await expect(open({ root: join(base, 'other'), runDir: join(base, 'other-run') })).rejects.toMatchObject({
      code: 'TSD_LOCKED',
      message: `pid file ${pidfile} is in use`,
      hint: expect.stringContaining(`pid ${process.pid}`),
    });
    expect(readFileSync(pidfile, 'utf8')).toBe(String(process.pid));
    first.close();
    await open({ root: join(base, 'other'), runDir: join(base, 'other-run') });
  });

  it('of a killed supervisor is replaced, also when its pid is in use again', async () => {
    const pidfile = join(base, 'tsdocker.pid');
    for (const left of ['1', '4194305', 'nonsense', 'a long text that is no pid\n']) {
      writeFileSync(pidfile, left);
      const root = await open();
      expect(readFileSync(pidfile, 'utf8')).toBe(String(process.pid));
      expect(mode(pidfile)).toBe('644');
      root.close();
      expect(existsSync(pidfile)).toBe(false);
    }
  });

  it('that is invalid is an error', async () => {
    mkdirSync(join(base, 'tsdocker.pid'));
    await expect(open()).rejects.toMatchObject({ code: 'TSD_FLAG', message: expect.stringContaining('EISDIR') });
  });
});

describe('damage', () => {
  it('to the instance file stops the start, because a new id orphans everything in the kernel', async () => {
    mkdirSync(options.root);
    writeFileSync(join(options.root, 'instance'), 'xyz');
    await expect(open()).rejects.toMatchObject({ code: 'TSD_STATE_CORRUPT' });
    expect(readFileSync(join(options.root, 'instance'), 'utf8')).toBe('xyz');
  });

  it.each(['native', 'other'])(
    'a missing instance file of a root with runs of exec driver %s stops the start',
    async (driver) => {
      const { instanceId } = await open();
      opened.pop()?.close();
      rmSync(join(options.root, 'instance'));
      mkdirSync(join(options.root, 'execdriver', driver, 'a'.repeat(64)), { recursive: true });
      await expect(open()).rejects.toMatchObject({
        code: 'TSD_STATE_CORRUPT',
        message: expect.stringContaining('containers were run from here'),
      });
      expect(existsSync(join(options.root, 'instance'))).toBe(false);
      writeFileSync(join(options.root, 'instance'), instanceId);
      expect((await open()).instanceId).toBe(instanceId);
    },
  );

  it('a directory that is a symbolic link stops the start', async () => {
    mkdirSync(options.root);
    symlinkSync(base, join(options.root, 'tmp'));
    await expect(open()).rejects.toMatchObject({ code: 'TSD_STATE_CORRUPT', message: expect.stringContaining('tmp') });
    expect(existsSync(base)).toBe(true);
  });
});
