/** The contract of exec drivers, run against each of them. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Instance } from '../../../src/drivers/contract/driver.ts';
import type { DriverState, ExecDriver, TaskHandle } from '../../../src/drivers/contract/exec.ts';
import { TsdError } from '../../../src/model/errors/errors.ts';
import { execSpec } from '../../support/exec-specs.ts';
import { StuckMount } from '../../support/stuck-mount.ts';
import { until } from '../../support/wait.ts';
import { BUSYBOX, Fixture, finish, isAlive, logText, lookOf, newId, parentOf, readLog, shell } from './fixture.ts';

const SIGTERM = 15;
const SIGUSR1 = 10;
const SIGKILL = 9;

type Capabilities = ExecDriver['capabilities'];

/** What the native driver can do. */
export const ALL_CAPABILITIES: Capabilities = { exec: true, attach: true, pause: true, limits: true };

export interface TestedExecDriver {
  readonly capabilities: Capabilities;
  readonly create: (instance: Instance) => ExecDriver;
  /** The state of a run's handle as it would be if the processes that it names were others that have their pids by now. */
  readonly staleState: (state: DriverState) => DriverState;
}

export function describeExecDriver(name: string, { create, capabilities, staleState }: TestedExecDriver): void {
  describe(`exec driver ${name}`, () => {
    let fixture: Fixture;
    let driver: ExecDriver;

    beforeEach(() => {
      fixture = new Fixture(create);
      driver = fixture.driver;
    });
    afterEach(() => fixture.dispose());

    const logged = (path: string, text: string) => until(`"${text}" in the log`, () => logText(path).includes(text));

    describe('a look at a path', () => {
      it('reports whether it exists, following links', async () => {
        expect(await driver.reach('/')).toBe(0);
        expect(await driver.reach('/proc/self/exe')).toBe(0);
        expect(await driver.reach(join(fixture.instance.root, 'none'))).toBe(constants.errno.ENOENT);
        expect(await driver.reach('/etc/passwd/none')).toBe(constants.errno.ENOTDIR);
      });

      it('blocks on a filesystem that does not answer without blocking other calls', async () => {
        const mount = new StuckMount(join(fixture.instance.root, 'mount'));
        try {
          const kept = driver.reach(join(mount.path, 'a'));
          await until('the look to be stuck', () => mount.stuck === 1);
          expect(await driver.reach('/')).toBe(0);
          mount.goOn();
          expect(await kept).toBe(0);
        } finally {
          mount.release();
        }
      });

      it.each(['process', 'shim'] as const)('has no result when its %s is killed', async (which) => {
        const mount = new StuckMount(join(fixture.instance.root, 'mount'));
        try {
          const kept = expect(driver.reach(join(mount.path, 'a'))).rejects.toMatchObject({ code: 'TSD_SHIM' });
          await until('the look to be stuck', () => mount.stuck === 1);
          const look = lookOf(process.pid);
          process.kill(look[which], 'SIGKILL');
          mount.goOn();
          await kept;
          await until('both to be gone', () => !isAlive(look.process) && !isAlive(look.shim));
        } finally {
          mount.release();
        }
      });
    });

    describe('a run', () => {
      it('is alive after start and reports its exit once', async () => {
        const spec = fixture.spec(shell('echo up; read line; exit 7'), { stdin: true });
        const handle = await driver.start(spec);
        expect(isAlive(handle.pid)).toBe(true);
        expect(driver.running(spec.containerId)).toEqual(handle);
        const session = await driver.attach(spec.containerId);
        session.stdin?.end('\n');
        expect(await fixture.exited(spec.containerId)).toMatchObject({
          run: 1,
          exitCode: 7,
          signal: null,
          oomKilled: false,
        });
        expect(driver.running(spec.containerId)).toBeNull();
        expect(isAlive(handle.pid)).toBe(false);
        await finish(session);
        expect(fixture.exits).toHaveLength(1);
      });

      it.each([0, 1, 126, 255])('ends with exit code %i', async (code) => {
        expect((await fixture.runToEnd(fixture.spec(shell(`exit ${code}`)))).exitCode).toBe(code);
      });

      it('that is killed has 128 + signal as its code', async () => {
        const spec = fixture.spec(shell('echo up; while :; do sleep 1000; done'));
        await driver.start(spec);
        await driver.signal(spec.containerId, SIGKILL);
        expect(await fixture.exited(spec.containerId)).toMatchObject({ exitCode: 137, signal: SIGKILL });
      });

      it('counts as ending as soon as its payload does, also when that cannot be read', async () => {
        const spec = fixture.spec(shell('while :; do sleep 1000; done'));
        const { pid } = await driver.start(spec);
        const keeper = parentOf(pid) as number;
        expect(driver.ending(spec.containerId)).toBe(false);
        process.kill(keeper, 'SIGSTOP');
        try {
          process.kill(pid, 'SIGKILL');
          await until('the payload to go', () => driver.ending(spec.containerId));
          expect(driver.running(spec.containerId)).not.toBeNull();
        } finally {
          process.kill(keeper, 'SIGCONT');
        }
        await fixture.exited(spec.containerId);
        expect(driver.ending(spec.containerId)).toBe(false);
      });

      it('gets signals it handles', async () => {
        const script = 'trap "echo got it" USR1; trap "exit 3" TERM; echo up; while :; do sleep 0.01; done';
        const spec = fixture.spec(shell(script));
        await driver.start(spec);
        await logged(spec.log.path, 'up');
        await driver.signal(spec.containerId, SIGUSR1);
        await logged(spec.log.path, 'got it');
        await driver.signal(spec.containerId, SIGTERM);
        expect((await fixture.exited(spec.containerId)).exitCode).toBe(3);
      });

      it('that goes on beyond the time it has is killed', async () => {
        const spec = fixture.spec(shell('trap "echo asked" TERM; echo up; while :; do sleep 0.01; done'));
        await driver.start(spec);
        await logged(spec.log.path, 'up');
        expect(await driver.end(spec.containerId, SIGTERM, Number.POSITIVE_INFINITY)).toBe(true);
        await logged(spec.log.path, 'asked');
        expect(await driver.end(spec.containerId, 0, 1)).toBe(true);
        expect(await fixture.exited(spec.containerId)).toMatchObject({ exitCode: 137, signal: SIGKILL });
        expect(readFileSync(spec.log.path, 'utf8').match(/asked/g)).toHaveLength(1);
      });

      it('that goes on beyond the time it has is killed without a supervisor too', async () => {
        const spec = fixture.spec(shell('trap "" TERM; echo up; while :; do sleep 1000; done'));
        const { pid } = await driver.start(spec);
        await logged(spec.log.path, 'up');
        expect(await driver.end(spec.containerId, SIGTERM, 500)).toBe(true);
        driver.close();
        await until('the payload to go', () => !isAlive(pid));
        const next = fixture.newDriver();
        await until(
          'the record',
          async () => (await next.adopt({ containerId: spec.containerId, run: 1 })).state === 'exited',
        );
      });

      it('that ignores signals is killed with all of its processes', async () => {
        const spec = fixture.spec(shell('trap "" TERM HUP INT; sleep 1000 & sleep 1000 & echo up; wait'));
        const { pid } = await driver.start(spec);
        await logged(spec.log.path, 'up');
        await driver.signal(spec.containerId, SIGTERM);
        expect(isAlive(pid)).toBe(true);
        await driver.kill(spec.containerId);
        expect(fixture.exits).toMatchObject([{ containerId: spec.containerId, exitCode: 137 }]);
        expect(isAlive(pid)).toBe(false);
      });

      it('is killed without waiting for a run that follows at once', async () => {
        const spec = fixture.spec([BUSYBOX, 'sleep', '1000']);
        await driver.start(spec);
        const next = new Promise<TaskHandle>((resolve) => {
          driver.onExit(({ run }) => {
            if (run === 1) resolve(driver.start({ ...spec, run: 2 }));
          });
        });
        await driver.kill(spec.containerId);
        expect(isAlive((await next).pid)).toBe(true);
      });

      it('can be followed by another of the same container, in the same log', async () => {
        const spec = fixture.spec(shell('echo again'));
        await fixture.runToEnd(spec);
        await driver.start({ ...spec, run: 2 });
        await until('second exit', () => fixture.exits.length === 2);
        expect(fixture.exits.map((exit) => exit.run)).toEqual([1, 2]);
        expect(readLog(spec.log.path).map((entry) => entry.log)).toEqual(['again\n', 'again\n']);
      });

      it('started twice is one run; another run beside it is refused', async () => {
        const spec = fixture.spec([BUSYBOX, 'sleep', '1000']);
        const handle = await driver.start(spec);
        expect(await driver.start(spec)).toEqual(handle);
        await expect(driver.start({ ...spec, run: 2 })).rejects.toMatchObject({ class: 'conflict' });
        expect(isAlive(handle.pid)).toBe(true);
      });

      it('that has ended is not started again', async () => {
        const spec = fixture.spec(shell('true'));
        await fixture.runToEnd(spec);
        await expect(driver.start(spec)).rejects.toMatchObject({ class: 'conflict' });
      });

      it('starts at the same time as thirty others', async () => {
        const specs = Array.from({ length: 30 }, (_, index) => fixture.spec(shell(`echo ${index}; exit ${index}`)));
        await Promise.all(specs.map((spec) => driver.start(spec)));
        const codes = await Promise.all(specs.map(async (spec) => (await fixture.exited(spec.containerId)).exitCode));
        expect(codes).toEqual(specs.map((_, index) => index));
        expect(specs.map((spec) => logText(spec.log.path))).toEqual(specs.map((_, index) => `${index}\n`));
      });
    });

    describe('a failed start', () => {
      it('names the step and leaves nothing', async () => {
        const spec = fixture.spec(['/missing/program']);
        const error = await driver.start(spec).catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(TsdError);
        expect((error as TsdError).message).toContain('/missing/program');
        expect(driver.running(spec.containerId)).toBeNull();
        expect(fixture.exits).toEqual([]);
        expect(existsSync(fixture.recordPath(spec.containerId))).toBe(false);
        expect(existsSync(`${fixture.recordPath(spec.containerId)}.tmp`)).toBe(false);
      });

      it('can be tried again as the same run', async () => {
        const spec = fixture.spec(['/missing/program']);
        await expect(driver.start(spec)).rejects.toThrow();
        expect((await fixture.runToEnd({ ...spec, argv: shell('exit 4') })).exitCode).toBe(4);
      });
    });

    describe('the absent', () => {
      it('is not running, can be killed and removed without error, and refuses everything else', async () => {
        const id = newId();
        expect(driver.running(id)).toBeNull();
        await driver.kill(id);
        await driver.remove(id);
        for (const asked of [
          driver.signal(id, SIGTERM),
          driver.attach(id),
          ...(capabilities.exec ? [driver.exec(id, execSpec(['/x']))] : []),
          ...(capabilities.pause ? [driver.pause(id)] : []),
        ]) {
          await expect(asked).rejects.toMatchObject({ code: 'TSD_CONTAINER_NOT_RUNNING' });
        }
      });

      it('exists until remove', async () => {
        const spec = fixture.spec([BUSYBOX, 'sleep', '1000']);
        await driver.start(spec);
        expect(driver.list()).toContain(spec.containerId);
        await expect(driver.remove(spec.containerId)).rejects.toMatchObject({ class: 'conflict' });
        await driver.kill(spec.containerId);
        expect(driver.list()).toContain(spec.containerId);
        await driver.remove(spec.containerId);
        expect(driver.list()).not.toContain(spec.containerId);
      });
    });

    if (capabilities.attach)
      describe('attach', () => {
        it('carries stdin, stdout and stderr', async () => {
          const spec = fixture.spec(shell('cat; echo done >&2; exit 5'), { stdin: true });
          await driver.start(spec);
          const session = await driver.attach(spec.containerId);
          expect(session.tty).toBe(false);
          session.stdin?.end('through\n');
          expect(await finish(session)).toEqual({ stdout: 'through\n', stderr: 'done\n', exitCode: 5 });
          expect(logText(spec.log.path)).toBe('through\ndone\n');
        });

        it('carries more than any buffer holds, both ways', async () => {
          const spec = fixture.spec([BUSYBOX, 'cat'], { stdin: true });
          await driver.start(spec);
          const session = await driver.attach(spec.containerId);
          const text = `${'0123456789'.repeat(100)}\n`.repeat(2000);
          session.stdin?.end(text);
          const { stdout, exitCode } = await finish(session);
          expect(exitCode).toBe(0);
          expect(stdout === text).toBe(true);
          expect(logText(spec.log.path) === text).toBe(true);
        });

        it('works for several clients at once', async () => {
          const spec = fixture.spec(shell('read line; echo "$line"'), { stdin: true });
          await driver.start(spec);
          const sessions = await Promise.all([1, 2, 3].map(() => driver.attach(spec.containerId)));
          sessions[0]?.stdin?.write('hello\n');
          const results = await Promise.all(sessions.map(finish));
          expect(results.map((result) => result.stdout)).toEqual(['hello\n', 'hello\n', 'hello\n']);
        });

        it('without a reader does not block the payload', async () => {
          const flood = 'head -c 16777216 /dev/zero | tr "\\0" "x"';
          const spec = fixture.spec(shell(`read line; ${flood}; echo; echo end >&2; sleep 1000`), { stdin: true });
          await driver.start({ ...spec, log: { ...spec.log, maxBytes: 1 << 20 } });
          const session = await driver.attach(spec.containerId);
          session.stdin?.write('go\n');
          await until('the end of the output in the log', () =>
            readLog(spec.log.path).some(({ log }) => log === 'end\n'),
          );
          session.close();
        });

        it('has a limit of clients and a free place after one leaves', async () => {
          const { containerId } = await startedWithStdin('while :; do sleep 1000; done');
          const sessions = await Promise.all(Array.from({ length: 12 }, () => driver.attach(containerId)));
          await expect(driver.attach(containerId)).rejects.toMatchObject({ class: 'exhausted' });
          sessions[0]?.close();
          await sessions[0]?.exited.catch(() => {});
          sessions[0] = await driver.attach(containerId);
          for (const session of sessions) session.close();
        });

        it('does not disturb the payload when closed early', async () => {
          const { containerId, log } = await startedWithStdin('while read line; do echo "got $line"; done; exit 2');
          (await driver.attach(containerId)).close();
          const session = await driver.attach(containerId);
          session.stdin?.write('a\n');
          await logged(log, 'got a');
          session.stdin?.end();
          expect((await finish(session)).exitCode).toBe(2);
        });

        it('reports to a writer that stdin is not read', async () => {
          const spec = fixture.spec(shell('exec <&-; echo closed; sleep 1000'), { stdin: true });
          await driver.start(spec);
          await logged(spec.log.path, 'closed');
          const { stdin } = await driver.attach(spec.containerId);
          const failed = new Promise((resolve) => stdin?.once('error', resolve));
          stdin?.write('x');
          expect(await failed).toMatchObject({ errno: 32 });
        });

        async function startedWithStdin(script: string) {
          const spec = fixture.spec(shell(script), { stdin: true });
          await driver.start(spec);
          return { containerId: spec.containerId, log: spec.log.path };
        }
      });

    describe('a terminal', () => {
      it("is the payload's stdio, can be resized, and ends with ^D", async () => {
        const spec = fixture.spec(shell('[ -t 0 ] && echo "is a tty"; read x; stty size; cat'), {
          tty: true,
          stdin: true,
        });
        await driver.start(spec);
        const session = await driver.attach(spec.containerId);
        expect(session.tty).toBe(true);
        await logged(spec.log.path, 'is a tty');
        session.resize(33, 99);
        session.stdin?.write('\n');
        await logged(spec.log.path, '33 99');
        session.stdin?.end();
        expect((await finish(session)).exitCode).toBe(0);
        expect(readLog(spec.log.path).every((entry) => entry.stream === 'stdout')).toBe(true);
      });

      it('turns ^C into a signal', async () => {
        const spec = fixture.spec(shell('trap "echo interrupted; exit 9" INT; echo up; while :; do sleep 0.01; done'), {
          tty: true,
          stdin: true,
        });
        await driver.start(spec);
        await logged(spec.log.path, 'up');
        const session = await driver.attach(spec.containerId);
        session.stdin?.write('\x03');
        expect((await finish(session)).exitCode).toBe(9);
        expect(logText(spec.log.path)).toContain('interrupted');
      });

      it('logs what was written last', async () => {
        const spec = fixture.spec(shell('i=0; while [ $i -lt 500 ]; do echo "line $i"; i=$((i+1)); done; printf end'), {
          tty: true,
        });
        await fixture.runToEnd(spec);
        expect(logText(spec.log.path).endsWith('line 499\r\nend')).toBe(true);
      });
    });

    describe('the log', () => {
      it('has one complete entry for each line, with stream and time', async () => {
        const spec = fixture.spec(shell('echo one; echo two >&2; printf "thr"; printf "ee\\n\\nno end"'));
        const before = Date.now();
        await fixture.runToEnd(spec);
        const entries = readLog(spec.log.path);
        const of = (stream: string) => entries.filter((entry) => entry.stream === stream).map((entry) => entry.log);
        expect(of('stdout')).toEqual(['one\n', 'three\n', '\n', 'no end']);
        expect(of('stderr')).toEqual(['two\n']);
        for (const { time } of entries) {
          expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z$/);
          expect(Date.parse(time)).toBeGreaterThanOrEqual(before - 1);
        }
      });

      it('escapes as Docker does and replaces invalid bytes', async () => {
        const hostile = Buffer.concat([
          Buffer.from('<a href="x">&\\ \t\r\x00\x1b\x7f é 日本 😀 \u2028\u2029|'),
          Buffer.from([0xff, 0xc0, 0x80, 0xed, 0xa0, 0x80, 0xf4, 0x90, 0x80, 0x80, 0xe2, 0x28]),
          Buffer.from('|\n'),
        ]);
        const spec = fixture.spec([BUSYBOX, 'cat'], { stdin: true });
        await driver.start(spec);
        const session = await driver.attach(spec.containerId);
        session.stdin?.end(hostile);
        await finish(session);
        const raw = readFileSync(spec.log.path, 'utf8');
        expect(raw).toContain(
          '\\u003ca href=\\"x\\"\\u003e\\u0026\\\\ \\t\\r\\u0000\\u001b\x7f é 日本 😀 \\u2028\\u2029|',
        );
        expect(raw).toContain(`|${'\\ufffd'.repeat(11)}(|\\n`);
        expect(readLog(spec.log.path)).toHaveLength(1);
      });

      it('splits lines over 16 KiB, never inside a character', async () => {
        const spec = fixture.spec([BUSYBOX, 'cat'], { stdin: true });
        await driver.start(spec);
        const session = await driver.attach(spec.containerId);
        const line = `${'x'.repeat(16383)}${'é'.repeat(20_000)}\n`;
        session.stdin?.end(line);
        await finish(session);
        const entries = readLog(spec.log.path);
        expect(entries.map((entry) => entry.log).join('')).toBe(line);
        expect(entries.length).toBe(4);
        expect(entries.map((entry) => entry.log.endsWith('\n'))).toEqual([false, false, false, true]);
      });

      it('is rotated by size without losing a line, and keeps as many files as asked', async () => {
        const spec = fixture.spec(shell('i=0; while [ $i -lt 2000 ]; do echo "line $i"; i=$((i+1)); done'));
        const log = { ...spec.log, maxBytes: 20_000, maxFiles: 100 };
        await fixture.runToEnd({ ...spec, log });
        const files = Array.from({ length: 100 }, (_, number) =>
          number === 0 ? log.path : `${log.path}.${number}`,
        ).filter(existsSync);
        expect(files.length).toBeGreaterThan(5);
        for (const file of files) expect(readFileSync(file).length).toBeLessThanOrEqual(20_000);
        const lines = files.reverse().flatMap((file) => readLog(file).map((entry) => entry.log));
        expect(lines).toEqual(Array.from({ length: 2000 }, (_, index) => `line ${index}\n`));
      });

      it('keeps no more files than asked', async () => {
        const spec = fixture.spec(shell('i=0; while [ $i -lt 2000 ]; do echo "line $i"; i=$((i+1)); done'));
        await fixture.runToEnd({ ...spec, log: { ...spec.log, maxBytes: 5000, maxFiles: 3 } });
        expect(
          [0, 1, 2, 3].map((number) => existsSync(number === 0 ? spec.log.path : `${spec.log.path}.${number}`)),
        ).toEqual([true, true, true, false]);
        expect(readLog(spec.log.path).at(-1)?.log).toBe('line 1999\n');
      });

      it('continues after a half entry from a crash of the host', async () => {
        const spec = fixture.spec(shell('echo next'));
        writeFileSync(spec.log.path, '{"log":"hal');
        await fixture.runToEnd(spec);
        expect(readFileSync(spec.log.path, 'utf8')).toMatch(
          /^\{"log":"hal\n\{"log":"next\\n","stream":"stdout","time":"[^"]+"\}\n$/,
        );
      });
    });

    it('declares what it can do', () => expect(driver.capabilities).toEqual(capabilities));

    it.runIf(!capabilities.exec)('says that it runs no program in a container', async () => {
      const spec = fixture.spec([BUSYBOX, 'sleep', '1000']);
      await driver.start(spec);
      const lacking = { code: 'TSD_DRIVER_LACKS' };
      await expect(driver.exec(spec.containerId, execSpec([BUSYBOX, 'true']))).rejects.toMatchObject(lacking);
    });

    if (capabilities.exec)
      describe('exec', () => {
        let containerId: string;

        beforeEach(async () => {
          const spec = fixture.spec([BUSYBOX, 'sleep', '1000']);
          containerId = spec.containerId;
          await driver.start(spec);
        });

        it('gives output and exit code, apart from the log of the container', async () => {
          const session = await driver.exec(containerId, execSpec(shell('echo out; echo err >&2; exit 6')));
          expect(await finish(session)).toEqual({ stdout: 'out\n', stderr: 'err\n', exitCode: 6 });
          expect(driver.running(containerId)).not.toBeNull();
        });

        it('carries stdin and more output than any buffer holds', async () => {
          const session = await driver.exec(containerId, execSpec([BUSYBOX, 'cat'], { stdin: true }));
          const text = `${'0123456789'.repeat(100)}\n`.repeat(3000);
          session.stdin?.end(text);
          const { stdout, exitCode } = await finish(session);
          expect(exitCode).toBe(0);
          expect(stdout === text).toBe(true);
        });

        it('is killed by a signal', async () => {
          const session = await driver.exec(containerId, execSpec([BUSYBOX, 'sleep', '1000']));
          expect(isAlive(session.pid)).toBe(true);
          session.signal(SIGKILL);
          expect((await finish(session)).exitCode).toBe(137);
        });

        it('has a terminal of its own', async () => {
          const session = await driver.exec(
            containerId,
            execSpec(shell('[ -t 0 ] && echo yes; tty; read x; stty size'), { tty: true, stdin: true }),
          );
          session.resize(11, 22);
          session.stdin?.write('\n');
          const { stdout, exitCode } = await finish(session);
          expect(stdout).toMatch(/^(?:\r\n)?yes\r\n[\s\S]*\/dev\/pts\/\d+\r\n[\s\S]*11 22\r\n$/);
          expect(exitCode).toBe(0);
        });

        it('names what is missing', async () => {
          await expect(driver.exec(containerId, execSpec(['/missing/program']))).rejects.toThrow('/missing/program');
        });

        it('ends with its container', async () => {
          const session = await driver.exec(containerId, execSpec([BUSYBOX, 'sleep', '1000']));
          await driver.kill(containerId);
          expect((await finish(session)).exitCode).toBe(137);
        });

        it('continues after its client disconnects', async () => {
          const session = await driver.exec(containerId, execSpec([BUSYBOX, 'sleep', '1000']));
          session.close();
          await expect(session.exited).rejects.toMatchObject({ code: 'TSD_SHIM' });
          expect(isAlive(session.pid)).toBe(true);
        });
      });

    describe('adopt', () => {
      it('takes over a live run: state, exit, attach and exec', async () => {
        const spec = fixture.spec(shell('while read line; do echo "got $line"; done; exit 3'), { stdin: true });
        const handle = await driver.start(spec);
        driver.close();
        const next = fixture.newDriver();
        const exits: unknown[] = [];
        next.onExit((exit) => exits.push(exit));
        expect(await next.adopt(handle)).toEqual({ state: 'running', handle });
        expect(next.running(spec.containerId)).toEqual(handle);
        if (capabilities.exec) {
          const inside = await next.exec(spec.containerId, execSpec(shell('echo in')));
          expect((await finish(inside)).stdout).toBe('in\n');
        }
        const session = await next.attach(spec.containerId);
        session.stdin?.end('more\n');
        expect(await finish(session)).toMatchObject({ stdout: 'got more\n', exitCode: 3 });
        await until('exit', () => exits.length > 0);
        expect(exits).toMatchObject([{ containerId: spec.containerId, run: 1, exitCode: 3 }]);
        expect(fixture.exits).toEqual([]);
      });

      it('needs only container and run', async () => {
        const handle = await driver.start(fixture.spec([BUSYBOX, 'sleep', '1000']));
        driver.close();
        const { containerId, run } = handle;
        expect(await fixture.newDriver().adopt({ containerId, run })).toEqual({ state: 'running', handle });
      });

      it('reports a run that ended in between', async () => {
        const spec = fixture.spec(shell('read line; echo last words; exit 12'), { stdin: true });
        const handle = await driver.start(spec);
        const session = await driver.attach(spec.containerId);
        driver.close();
        session.stdin?.end('\n');
        await finish(session);
        const next = fixture.newDriver();
        expect(await next.adopt(handle)).toMatchObject({
          state: 'exited',
          exit: { exitCode: 12, signal: null, run: 1 },
        });
        expect(logText(spec.log.path)).toBe('last words\n');
        expect(next.running(spec.containerId)).toBeNull();
      });

      it('reports an unknown exit for a run of another boot and touches no process of this one', async () => {
        const bystander = await driver.start(fixture.spec([BUSYBOX, 'sleep', '1000']));
        const lost = { ...bystander, containerId: newId(), bootId: '00000000-0000-0000-0000-000000000000' };
        expect(await driver.adopt(lost)).toMatchObject({ state: 'exited', exit: { exitCode: null } });
        expect(isAlive(bystander.pid)).toBe(true);
      });

      it('does not confuse a reused pid with the run', async () => {
        const bystander = await driver.start(fixture.spec([BUSYBOX, 'sleep', '1000']));
        const keeper = parentOf(bystander.pid) as number;
        const driverState = staleState(bystander.driverState);
        const lost = { ...bystander, containerId: newId(), startTime: '1', driverState };
        expect(await driver.adopt(lost)).toMatchObject({ state: 'exited', exit: { exitCode: null } });
        expect(isAlive(bystander.pid)).toBe(true);
        expect(isAlive(keeper)).toBe(true);
      });
    });
  });
}
