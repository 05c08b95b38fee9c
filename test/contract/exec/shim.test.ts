/** Properties of the native driver only: a process that survives the supervisor, its socket, and its end. */
import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TaskHandle, TaskSpec } from '../../../src/drivers/contract/exec.ts';
import { ShimConnection } from '../../../src/drivers/exec/native/shim/shim-connection.ts';
import { ANSWER, encodeFrame, encodeNumber, REQUEST } from '../../../src/drivers/exec/native/shim/shim-protocol.ts';
import { socketPair } from '../../../src/ffi/sockets/sockets.ts';
import { until } from '../../support/wait.ts';
import { BUSYBOX, Fixture, isAlive, logText, newId, readLog, shell, shimsOf } from './fixture.ts';
import { handMadeDriver } from './hand-made-driver.ts';
import { shimPidOf } from './shim-of.ts';

let fixture: Fixture;

beforeEach(() => {
  fixture = new Fixture(handMadeDriver);
});
afterEach(() => fixture.dispose());

const realTimeout = setTimeout;
const sleeper = () => fixture.spec([BUSYBOX, 'sleep', '1000']);
const socketOf = ({ containerId, run }: Pick<TaskHandle, 'containerId' | 'run'>): string =>
  join(fixture.instance.runDir, 'shim', `${containerId.slice(0, 12)}.${run}.sock`);
const status = (pid: number): string => readFileSync(`/proc/${pid}/status`, 'latin1');
/** CAP_SYS_RESOURCE, which not every root has. */
const maySpareProcesses = (): boolean => {
  const effective = /^CapEff:\s+([0-9a-f]+)$/m.exec(status(process.pid))?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> 24n) & 1n) === 1n;
};
const stateFile = (containerId: string, name: string): string =>
  join(fixture.instance.root, 'execdriver/native', containerId, name);

describe('the shim', () => {
  it('is small, in its own session, exempt from the OOM killer, and inherits nothing from the supervisor', async () => {
    const handle = await fixture.driver.start(sleeper());
    const { pid } = handle;
    const shimPid = shimPidOf(handle);
    const rollup = readFileSync(`/proc/${shimPid}/smaps_rollup`, 'latin1');
    expect(Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1])).toBeLessThanOrEqual(64);
    expect(readFileSync(`/proc/${shimPid}/comm`, 'latin1')).toBe('tsdocker-shim\n');
    expect(Number(readFileSync(`/proc/${shimPid}/stat`, 'latin1').split(' ')[5])).toBe(shimPid);
    expect(readFileSync(`/proc/${shimPid}/oom_score_adj`, 'latin1')).toBe(maySpareProcesses() ? '-999\n' : '0\n');
    expect(readFileSync(`/proc/${pid}/oom_score_adj`, 'latin1')).toBe('0\n');
    expect(readFileSync(`/proc/${shimPid}/maps`, 'latin1')).not.toMatch(/rwx/);
    const fds = readdirSync(`/proc/${shimPid}/fd`).map(Number);
    expect(Math.max(...fds)).toBeLessThan(32);
    expect(fds.length).toBeLessThanOrEqual(12);
  });

  it('is not reported as hanging when the supervisor reads its answer late', async () => {
    const { ours, theirs } = socketPair();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const connection = ShimConnection.ofRun(ours);
    try {
      const answered = connection.request(REQUEST.kill, encodeNumber(0));
      await new Promise<void>((resolve) => {
        // Timers come before what sockets have, as after a time without the processor.
        realTimeout(() => {
          const answer = Buffer.alloc(8);
          answer.writeUInt32LE(REQUEST.kill, 0);
          writeSync(theirs, encodeFrame(ANSWER.result, answer));
          vi.advanceTimersByTime(60_000);
          resolve();
        }, 0);
      });
      expect(await answered).toBe(0);
    } finally {
      vi.useRealTimers();
      connection.close();
      closeSync(theirs);
    }
  });

  it('gives the payload only stdio, no blocked signals and default actions', async () => {
    const { pid } = await fixture.driver.start(sleeper());
    expect(readdirSync(`/proc/${pid}/fd`).sort()).toEqual(['0', '1', '2']);
    expect(status(pid)).toMatch(/^SigBlk:\s+0+$/m);
    expect(status(pid)).toMatch(/^SigIgn:\s+0+$/m);
  });

  it('survives all signals that can be blocked', async () => {
    const handle = await fixture.driver.start(sleeper());
    const { containerId } = handle;
    const shimPid = shimPidOf(handle);
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGPIPE', 'SIGUSR1', 'SIGALRM'] as const)
      process.kill(shimPid, signal);
    const connection = ShimConnection.connect(socketOf({ containerId, run: 1 }), ShimConnection.ofRun);
    expect(await connection?.status()).toMatchObject({ containerId, run: 1, ended: false });
    connection?.close();
  });

  it('is killed together with the payload', async () => {
    const spec = sleeper();
    const handle = await fixture.driver.start(spec);
    const { pid } = handle;
    const shimPid = shimPidOf(handle);
    process.kill(shimPid, 'SIGKILL');
    expect(await fixture.exited(spec.containerId)).toMatchObject({ exitCode: null, signal: null });
    expect(isAlive(pid)).toBe(false);
    expect(fixture.exits).toHaveLength(1);
  });

  it('leaves an unknown exit when it is killed unobserved', async () => {
    const handle = await fixture.driver.start(sleeper());
    fixture.driver.close();
    process.kill(shimPidOf(handle), 'SIGKILL');
    await until('the payload to die', () => !isAlive(handle.pid));
    expect(await fixture.newDriver().adopt(handle)).toMatchObject({ state: 'exited', exit: { exitCode: null } });
  });

  it('differs from a run that never started by the run number', async () => {
    const failed = fixture.spec(['/missing']);
    await expect(fixture.driver.start(failed)).rejects.toThrow();
    expect(await fixture.newDriver().adopt({ containerId: failed.containerId, run: 1 })).toEqual({
      state: 'unstarted',
    });
    const handle = await fixture.driver.start(sleeper());
    fixture.driver.close();
    process.kill(shimPidOf(handle), 'SIGKILL');
    await until('the payload to die', () => !isAlive(handle.pid));
    expect(await fixture.newDriver().adopt({ containerId: handle.containerId, run: 1 })).toMatchObject({
      state: 'exited',
      exit: { exitCode: null },
    });
  });

  it('leaves no process and no socket', async () => {
    const spec = fixture.spec(shell('true'));
    const shimPid = shimPidOf(await fixture.driver.start(spec));
    await fixture.exited(spec.containerId);
    await until('the shim to be reaped', () => !existsSync(`/proc/${shimPid}`));
    expect(existsSync(socketOf(spec))).toBe(false);
    expect(existsSync(stateFile(spec.containerId, 'state.json'))).toBe(false);
    expect(readFileSync(fixture.recordPath(spec.containerId), 'latin1')).toMatch(
      /^tsdocker-exit version=1 code=0 signal=0 core=0 finished=\S+Z boottime=\d+\.\d{9}\n$/,
    );
  });

  it('leaves no descriptor in the supervisor', async () => {
    const count = () => readdirSync('/proc/self/fd').length;
    await fixture.runToEnd(fixture.spec(shell('true')));
    const before = count();
    for (let i = 0; i < 5; i++) await fixture.runToEnd(fixture.spec(shell('true')));
    await fixture.driver.start(fixture.spec(['/missing'])).catch(() => {});
    await until('descriptors to be closed', () => count() <= before);
  });

  it('says "running" on disk while it runs, in the form of Docker 1.4', async () => {
    const handle = await fixture.driver.start(sleeper());
    const state = JSON.parse(readFileSync(stateFile(handle.containerId, 'state.json'), 'utf8'));
    expect(state).toMatchObject({ init_pid: handle.pid, init_start_time: handle.startTime, network_state: {} });
    expect(readFileSync(`/proc/${handle.pid}/stat`, 'latin1').split(' ')[21]).toBe(handle.startTime);
    const container = JSON.parse(readFileSync(stateFile(handle.containerId, 'container.json'), 'utf8'));
    expect(container).toMatchObject({ hostname: 'test', namespaces: { NEWPID: true } });
    expect(container).not.toHaveProperty('environment');
  });
});

describe('a failing step', () => {
  it('is named by its purpose', async () => {
    const spec = fixture.spec(shell('true'), { cwd: '/missing' });
    await expect(fixture.driver.start(spec)).rejects.toMatchObject({
      code: 'TSD_CONTAINER_SETUP',
      step: 'enter /missing',
      errno: 2,
    });
    await until('the shim to leave', () => shimsOf(spec.containerId).length === 0);
    expect(readdirSync(join(fixture.instance.runDir, 'shim'))).toEqual([]);
  });

  it('can be a step of the shim itself', async () => {
    const spec = fixture.spec(shell('true'));
    mkdirSync(spec.log.path);
    await expect(fixture.driver.start(spec)).rejects.toMatchObject({ step: 'open the log', errno: 21 });
  });

  it('can be the path of the log', async () => {
    const spec = fixture.spec(shell('true'));
    const log = { ...spec.log, path: '/missing/directory/log' };
    await expect(fixture.driver.start({ ...spec, log })).rejects.toMatchObject({
      errno: 2,
      message: /open the log in \/missing/,
    });
  });

  it('can be the length of the run directory', async () => {
    const runDir = join(fixture.instance.root, 'r'.repeat(90));
    const driver = handMadeDriver({ ...fixture.instance, runDir });
    const error = driver.start(fixture.spec(shell('true')));
    await expect(error).rejects.toMatchObject({ code: 'TSD_FLAG', hint: expect.stringContaining('--run-dir') });
    driver.close();
  });

  it('can be the missing shim', async () => {
    const driver = handMadeDriver(fixture.instance, '/missing/shim');
    expect(driver.fingerprint()).toMatchObject({ works: false });
    await expect(driver.start(fixture.spec(shell('true')))).rejects.toMatchObject({ code: 'TSD_UNSUPPORTED_HOST' });
    driver.close();
  });
});

describe('when the supervisor is killed', () => {
  async function killedSupervisor(spec: TaskSpec): Promise<TaskHandle> {
    const child = spawn(
      process.execPath,
      [
        '--import',
        join(import.meta.dirname, '../../support/run-typescript.mjs'),
        join(import.meta.dirname, 'supervisor.child.ts'),
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const gone = new Promise((resolve) => child.once('close', resolve));
    child.stdin.end(JSON.stringify([fixture.instance, spec]));
    const line = await new Promise<string>((resolve) => child.stdout.once('data', (data) => resolve(String(data))));
    child.kill('SIGKILL');
    await gone;
    return JSON.parse(line);
  }

  const goFile = () => join(fixture.instance.root, 'go');
  const counting = `i=0; while [ ! -e "$GO" ]; do i=$((i+1)); echo "line $i"; sleep 0.001; done; echo "last $i"; exit 33`;

  it('the container continues, and the next supervisor adopts it', async () => {
    const spec = fixture.spec(shell(counting), { env: ['PATH=/bin', `GO=${goFile()}`] });
    const handle = await killedSupervisor(spec);
    expect(isAlive(handle.pid)).toBe(true);
    expect(await fixture.driver.adopt(handle)).toEqual({ state: 'running', handle });
    writeFileSync(goFile(), '');
    expect((await fixture.exited(spec.containerId)).exitCode).toBe(33);
    expectWholeLog(spec);
  });

  it('log and exit record are complete when the container ends before the next start', async () => {
    const spec = fixture.spec(shell(counting), { env: ['PATH=/bin', `GO=${goFile()}`] });
    const { containerId, run } = await killedSupervisor(spec);
    writeFileSync(goFile(), '');
    await until('the exit record', () => fixture.record(containerId));
    expect(await fixture.driver.adopt({ containerId, run })).toMatchObject({ state: 'exited', exit: { exitCode: 33 } });
    expectWholeLog(spec);
    await until('the shim to leave', () => shimsOf(containerId).length === 0);
  });

  it.each<[string, (path: string) => void]>([
    ['damaged', (path) => writeFileSync(path, 'x')],
    ['a directory', (path) => mkdirSync(path)],
  ])('an end whose record is %s counts as an end with unknown exit code', async (_what, put) => {
    const spec = fixture.spec(shell(counting), { env: ['PATH=/bin', `GO=${goFile()}`] });
    const { containerId, run } = await killedSupervisor(spec);
    writeFileSync(goFile(), '');
    await until('the shim to leave', () => shimsOf(containerId).length === 0);
    const path = fixture.recordPath(containerId, run);
    rmSync(path);
    put(path);
    expect(await fixture.driver.adopt({ containerId, run })).toMatchObject({
      state: 'exited',
      exit: { exitCode: null },
    });
  });

  it('an unadopted run can still be found, killed and removed', async () => {
    const { containerId, pid } = await killedSupervisor(sleeper());
    expect(fixture.driver.list()).toContain(containerId);
    await fixture.driver.kill(containerId);
    expect(isAlive(pid)).toBe(false);
    await fixture.driver.remove(containerId);
    expect(fixture.driver.list()).not.toContain(containerId);
  });

  function expectWholeLog(spec: TaskSpec): void {
    const lines = readLog(spec.log.path).map((entry) => entry.log);
    const last = Number(/^last (\d+)\n$/.exec(lines.at(-1) ?? '')?.[1]);
    expect(lines.slice(0, -1)).toEqual(Array.from({ length: last }, (_, index) => `line ${index + 1}\n`));
  }
});

describe('a full disk', () => {
  let mount: string;

  beforeEach(() => {
    mount = join(fixture.instance.root, 'small');
    mkdirSync(mount);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', mount]);
  });
  afterEach(() => execFileSync('umount', ['-l', mount]));

  it('never blocks the payload, loses whole lines only, and reports how much', async () => {
    const ballast = join(mount, 'ballast');
    const script =
      'read go; i=0; while [ $i -lt 3000 ]; do echo "line number $i of a long log"; i=$((i+1)); done; echo full >&2; read go; echo after';
    const spec = fixture.spec(shell(script), { stdin: true });
    const log = { path: join(mount, 'log'), maxBytes: 0, maxFiles: 1 };
    writeFileSync(ballast, Buffer.alloc(16 << 10));
    await fixture.driver.start({ ...spec, log });
    const session = await fixture.driver.attach(spec.containerId);
    session.stdout.resume();
    const full = new Promise<void>((resolve) => session.stderr.once('data', () => resolve()));
    session.stdin?.write('\n');
    await full;
    rmSync(ballast);
    session.stdin?.end('\n');
    session.stderr.resume();
    await session.exited;
    const entries = readLog(log.path).map((entry) => entry.log);
    // Space may come and go in small pieces: each time there is some, a marker says what was lost until then.
    const lost = entries.map((text) => Number(/^\[tsdocker: (\d+) bytes/.exec(text)?.[1] ?? 0));
    const dropped = lost.reduce((sum, bytes) => sum + bytes, 0);
    const kept = entries.filter((_, index) => lost[index] === 0).join('').length;
    expect(dropped).toBeGreaterThan(0);
    const written = Array.from({ length: 3000 }, (_, i) => `line number ${i} of a long log\n`).join('').length;
    expect(kept + dropped).toBe(written + 'full\nafter\n'.length);
    expect(entries.at(-1)).toBe('after\n');
    expect((await fixture.exited(spec.containerId)).exitCode).toBe(0);
  });

  it('does not lose the exit record, whose space is reserved', async () => {
    const instance = { ...fixture.instance, root: mount };
    const driver = handMadeDriver(instance);
    const exits: unknown[] = [];
    driver.onExit((exit) => exits.push(exit));
    const spec = fixture.spec(shell('read x; exit 21'), { stdin: true });
    try {
      await driver.start(spec);
      const session = await driver.attach(spec.containerId);
      expect(() => writeFileSync(join(mount, 'ballast'), Buffer.alloc(128 << 10))).toThrow(/ENOSPC/);
      session.stdin?.end('\n');
      await until('exit', () => exits.length > 0);
      expect(exits).toMatchObject([{ exitCode: 21 }]);
    } finally {
      await driver.kill(spec.containerId);
      driver.close();
    }
  });
});

describe('the control socket', () => {
  it('answers unknown requests and skips fields of later versions', async () => {
    const { containerId } = await fixture.driver.start(sleeper());
    const connection = ShimConnection.connect(socketOf({ containerId, run: 1 }), ShimConnection.ofRun);
    expect(await connection?.request(999, Buffer.alloc(5000))).toBe(38); // ENOSYS
    expect(await connection?.request(REQUEST.kill, Buffer.concat([encodeNumber(0), Buffer.alloc(100, 1)]))).toBe(0);
    expect(await connection?.request(REQUEST.kill, encodeNumber(12345))).toBe(22); // EINVAL
    expect(await connection?.request(REQUEST.resize, encodeNumber(0))).toBe(25); // ENOTTY
    connection?.close();
  });

  it('survives garbage and disconnecting clients', async () => {
    const { containerId } = await fixture.driver.start(sleeper());
    for (let round = 0; round < 40; round++) {
      const socket = connect(socketOf({ containerId, run: 1 }));
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.on('error', () => {});
      socket.end(Buffer.from(Array.from({ length: round * 7 }, (_, index) => (index * 31 + round * 17) % 251)));
      socket.resume();
      await closed;
    }
    const connection = ShimConnection.connect(socketOf({ containerId, run: 1 }), ShimConnection.ofRun);
    expect(await connection?.status()).toMatchObject({ containerId });
    connection?.close();
  });

  it('serves only root', async () => {
    const { containerId } = await fixture.driver.start(sleeper());
    const path = socketOf({ containerId, run: 1 });
    expect(statSync(join(fixture.instance.runDir, 'shim')).mode & 0o077).toBe(0);
    // As a user who was let through to the socket.
    execFileSync('chmod', ['-R', 'a+rwX', fixture.instance.root]);
    const script = `
      const socket = require('net').connect(${JSON.stringify(path)});
      socket.write(Buffer.from([1, 0, 1, 0, 0, 0, 0, 0]));
      socket.on('data', () => console.log('answered'));
      socket.on('error', (error) => console.log(error.code));
      socket.on('close', () => console.log('closed'));`;
    const said = execFileSync(process.execPath, ['-e', script], { uid: 65534, gid: 65534, encoding: 'utf8' });
    expect(said).not.toContain('answered');
    expect(said).toContain('closed');
  });
});

describe('init', () => {
  const init = (script: string) => ['/init', BUSYBOX, '--', ...shell(script)];
  const start = (script: string) => fixture.driver.start(fixture.spec(init(script), { init: true }));

  it.each([0, 7])('ends with the exit code %i of its child', async (code) => {
    const { containerId } = await start(`exit ${code}`);
    expect((await fixture.exited(containerId)).exitCode).toBe(code);
  });

  it('ends with 128 + the signal that killed its child', async () => {
    const { containerId } = await start('kill -USR1 $$');
    expect((await fixture.exited(containerId)).exitCode).toBe(138);
  });

  it('forwards signals', async () => {
    const spec = fixture.spec(init('trap "exit 5" TERM; echo up; while :; do sleep 0.01; done'), { init: true });
    await fixture.driver.start(spec);
    await until('up', () => logText(spec.log.path).includes('up'));
    await fixture.driver.signal(spec.containerId, 15);
    expect((await fixture.exited(spec.containerId)).exitCode).toBe(5);
  });

  it('reaps orphans', async () => {
    const spec = fixture.spec(init('for i in 1 2 3 4 5; do (sleep 0.01 & ) ; done; echo up; sleep 1000'), {
      init: true,
    });
    const { pid } = await fixture.driver.start(spec);
    await until('up', () => logText(spec.log.path).includes('up'));
    const children = () => readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ');
    await until('only the payload to be left', () => children().length === 1);
  });

  it('exits with 127 when the program is missing', async () => {
    const spec = fixture.spec(['/init', '/missing', '--', 'x'], { init: true });
    await fixture.driver.start(spec);
    expect((await fixture.exited(spec.containerId)).exitCode).toBe(127);
  });
});

it('a container id is validated before it becomes a path', async () => {
  await expect(fixture.driver.start({ ...sleeper(), containerId: '../../etc' })).rejects.toMatchObject({
    code: 'TSD_BUG',
  });
  expect(fixture.driver.running(newId())).toBeNull();
});
