/** A start that fails at any step closes what it opened, and the process ends by itself. */
import { type ChildProcess, execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import { tryLockFile } from '../../src/ffi/files/locks.ts';
import { app, FOREVER } from '../support/manifests.ts';
import { freePort } from '../support/servers.ts';
import { TestSupervisor } from '../support/supervisor.ts';

const TSDOCKER = resolve(import.meta.dirname, '../../bin/tsdocker');

/**
 * Writes down what a process has open when nothing is left for it to do. Node emits this event only where a process ends by
 * itself, not where process.exit() ends it.
 */
const WITNESS = `
const { readdirSync, readlinkSync, writeFileSync } = require('node:fs');
process.on('beforeExit', () => {
  const open = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return Number(fd) > 2 ? [readlinkSync('/proc/self/fd/' + fd)] : [];
    } catch {
      return [];
    }
  });
  writeFileSync(process.env.TSD_WITNESS, JSON.stringify(open));
});
`;

interface FailedStart {
  readonly code: number | string | null | undefined;
  readonly log: string;
  /** Descriptors when the process had nothing left to do; null where it was ended. */
  readonly open: readonly string[] | null;
}

function prepared(): TestSupervisor {
  const supervisor = new TestSupervisor();
  onTestFinished(() => supervisor.destroy());
  return supervisor;
}

/** Starts a supervisor that is to fail, and waits until its process is gone. A flag given here wins. */
const start = (supervisor: TestSupervisor, ...flags: string[]) => startAnd(() => {}, supervisor, ...flags);

function startAnd(
  onText: (child: ChildProcess, text: string) => void,
  { base, root, runDir, manifests, socket, bridge, subnet }: TestSupervisor,
  ...flags: string[]
) {
  const [witness, report] = [join(base, 'witness.cjs'), join(base, 'open.json')];
  writeFileSync(witness, WITNESS);
  const settings = {
    '--root': root,
    '--run-dir': runDir,
    '--manifests': manifests,
    '--pidfile': join(base, 'pid'),
    '--default-bridge': bridge,
    '--bip': `${subnet}.1/24`,
  };
  const given = Object.entries(settings).filter(([flag]) => !flags.includes(flag));
  const env = { ...process.env, NODE_OPTIONS: `--require=${witness}`, TSD_WITNESS: report, NO_COLOR: '1' };
  return new Promise<FailedStart>((done) => {
    const child = execFile(
      TSDOCKER,
      ['daemon', '-H', socket, ...given.flat(), ...flags],
      { env },
      (error, stdout, stderr) => {
        const open = existsSync(report) ? (JSON.parse(readFileSync(report, 'utf8')) as string[]) : null;
        done({ code: error === null ? 0 : error.code, log: stdout + stderr, open });
      },
    );
    child.stderr?.on('data', (text: string) => onText(child, text));
    // Where it starts after all, or does not end.
    onTestFinished(() => void child.kill('SIGKILL'));
  });
}

/** What Node itself keeps open to the end. */
const OF_NODE = /^(pipe:|anon_inode:|\/dev\/null$)/;

/** It ended by itself with the reason, and nothing is left of it but its files. */
function expectClosed(supervisor: TestSupervisor, { code, log, open }: FailedStart, reason: RegExp): void {
  expect(log).toMatch(reason);
  expect(code).toBe(1);
  expect(open?.filter((path) => !OF_NODE.test(path))).toEqual([]);
  expect(existsSync(join(supervisor.base, 'pid'))).toBe(false);
  // Before it has an id nothing in the kernel can be its.
  if (supervisor.instance !== '')
    expect(supervisor.hostState()).toEqual({ mounts: [], links: [], tables: [], cgroups: [], processes: [] });
  for (const directory of [supervisor.root, supervisor.runDir].filter((path) => existsSync(path))) {
    const result = tryLockFile(join(directory, 'lock'));
    expect(result).toMatchObject({ locked: true });
    if (result.locked) result.lock.release();
  }
}

/** Listens until the test has ended, and answers nothing. */
async function occupied(address: string | number): Promise<void> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((done) => server.listen(address, () => done()));
  onTestFinished(() => new Promise<void>((done) => void server.close(() => done())));
}

describe('before the open step', () => {
  test('a manifest directory that cannot be read', async () => {
    const supervisor = prepared();
    const circle = join(supervisor.base, 'circle');
    symlinkSync(circle, circle);
    expectClosed(supervisor, await start(supervisor, '--manifests', circle), /cannot look at .*circle: ELOOP.*namei/s);
  });

  test('a trust policy that cannot be used', async () => {
    const supervisor = prepared();
    const policy = supervisor.file('policy.yaml', 'nonsense: [');
    expectClosed(supervisor, await start(supervisor, '--trust-policy', policy), /policy\.yaml:1:12.*read trust policy/);
  });
});

describe('while state opens', () => {
  test('a pid file that cannot be written', async () => {
    const supervisor = prepared();
    const pidfile = join(supervisor.base, 'file/pid');
    supervisor.file('file', '');
    expectClosed(supervisor, await start(supervisor, '--pidfile', pidfile), /file\/pid/);
  });

  test('a damaged id, after root and pid file were taken', async () => {
    const supervisor = prepared();
    const path = supervisor.file('root/instance', 'nonsense');
    expectClosed(supervisor, await start(supervisor), /instance: does not hold six hex digits/);
    rmSync(path);
  });

  test('a database of a newer version, after another is open', async () => {
    const supervisor = prepared();
    const path = supervisor.file('root/history.db', '');
    const newer = new Database(path);
    newer.pragma('user_version = 9999');
    newer.close();
    expectClosed(supervisor, await start(supervisor), /has schema 9999/);
    new Database(path).pragma('user_version = 0');
  });

  test('a database that cannot be opened', async () => {
    const supervisor = prepared();
    const path = join(supervisor.root, 'history.db');
    mkdirSync(path, { recursive: true });
    expectClosed(supervisor, await start(supervisor), /open .*history\.db.*CANTOPEN/s);
    rmdirSync(path);
  });
});

describe('while drivers open', () => {
  test('a storage driver that does not exist', async () => {
    const supervisor = prepared();
    expectClosed(supervisor, await start(supervisor, '--storage-driver', 'nonsense'), /nonsense/);
  });

  test('an exec driver that does not exist, such as lxc', async () => {
    const supervisor = prepared();
    const failed = await start(supervisor, '--exec-driver', 'lxc');
    expectClosed(supervisor, failed, /unknown exec driver lxc; there are native/);
  });

  test('an invalid key, after the default bridge was created', async () => {
    const supervisor = prepared();
    const key = supervisor.file('key.json', 'nonsense');
    expectClosed(supervisor, await start(supervisor, '--trust-key', key), /key\.json/);
  });
});

describe('while it starts to serve', () => {
  test('a socket with another listener, before metrics and page are served', async () => {
    const supervisor = prepared();
    const [metrics, web] = [await freePort(), await freePort()];
    await occupied(web);
    mkdirSync(supervisor.runDir, { recursive: true });
    await occupied(supervisor.socket.replace('unix://', ''));
    const ports = ['--metrics', `127.0.0.1:${metrics}`, '--web', `127.0.0.1:${web}`];
    expectClosed(supervisor, await start(supervisor, ...ports), /another process already listens on .*tsdocker\.sock/);
    await occupied(metrics);
  });

  test('a second socket that fails, after the first was bound', async () => {
    const supervisor = prepared();
    supervisor.file('file', '');
    const failed = await start(supervisor, '-H', `unix://${join(supervisor.base, 'file/sock')}`);
    expectClosed(supervisor, failed, /file\/sock|cannot make/);
    expect(existsSync(join(supervisor.runDir, 'tsdocker.sock'))).toBe(false);
  });

  test('a socket with another listener leaves a container running, and the next supervisor adopts it', async () => {
    const supervisor = prepared();
    await supervisor.start();
    supervisor.drop('app.yaml', app(`  web: { image: busybox, command: ${FOREVER}, stopTimeout: 1s }\n`));
    const { pid } = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    await supervisor.stop();
    const busy = join(supervisor.base, 'busy.sock');
    await occupied(busy);
    const { code, log, open } = await start(supervisor, '-H', `unix://${busy}`);
    expect(log).toMatch(/already listens on .*busy\.sock/);
    expect({ code, open: open?.filter((path) => !OF_NODE.test(path)) }).toEqual({ code: 1, open: [] });
    await supervisor.start();
    expect(await supervisor.container('web')).toMatchObject({ pid });
    expect(JSON.parse(await supervisor.ok('plan', '-o', 'json'))).toMatchObject({ ops: [] });
  });
});

test('a second supervisor of a root ends without affecting the first', async () => {
  const supervisor = prepared();
  await supervisor.start();
  const { code, log, open } = await start(supervisor);
  expect(log).toMatch(new RegExp(`another supervisor \\(pid ${supervisor.pid}\\) owns`));
  expect({ code, open: open?.filter((path) => !OF_NODE.test(path)) }).toEqual({ code: 1, open: [] });
  expect(readFileSync(join(supervisor.base, 'pid'), 'utf8').trim()).toBe(String(supervisor.pid));
  expect((await supervisor.cli('info')).status).toBe(0);
});

test('a signal right after the ready message ends it cleanly', async () => {
  const supervisor = prepared();
  for (let round = 0; round < 3; round++) {
    const { code, log } = await startAnd(
      (child, text) => text.includes('"msg":"ready"') && child.kill('SIGTERM'),
      supervisor,
    );
    expect(log).toContain('"msg":"stopping"');
    expect({ code, pidfile: existsSync(join(supervisor.base, 'pid')) }).toEqual({ code: 0, pidfile: false });
    expect(existsSync(join(supervisor.runDir, 'tsdocker.sock'))).toBe(false);
  }
});
