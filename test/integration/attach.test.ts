import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SupervisorClient } from '../../src/api/client.ts';
import { BUSYBOX_IMAGE, shell } from '../support/manifests.ts';
import { OnTerminal } from '../support/pty.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;
const terminals: OnTerminal[] = [];

beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});

afterEach(async () => {
  for (const terminal of terminals.splice(0)) terminal.close();
  await supervisor.destroy();
});

async function running(fields: string, script: string): Promise<number> {
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}containers:\n  it: { image: busybox, restart: no, ${fields}, command: ${shell(script)} }\n`,
  );
  const { pid } = await supervisor.waitFor('it', 'running', ({ phase }) => phase === 'Running');
  return pid ?? 0;
}

function onTerminal(...args: readonly string[]): OnTerminal {
  const env = { ...process.env, TSDOCKER_HOST: supervisor.socket };
  const terminal = new OnTerminal([supervisor.program, 'attach', ...args], env, 33, 99);
  terminals.push(terminal);
  return terminal;
}

const ECHO = 'while read line; do echo "got $line"; echo "$line" >&2; [ "$line" = end ] && exit 7; done';

test('pipes carry both outputs, input after its sender ends, and the exit code', async () => {
  await running('stdin: true', ECHO);
  const env = { ...process.env, TSDOCKER_HOST: supervisor.socket };
  const watching = spawn(supervisor.program, ['attach', 'it'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const watched = Promise.all([
    text(watching.stdout),
    text(watching.stderr),
    new Promise((resolve) => watching.once('exit', resolve)),
  ]);
  let seen = '';
  watching.stdout.on('data', (chunk: Buffer) => {
    seen += chunk.toString();
  });
  // What comes before it is attached is not for it: it says so with the first line that it sees.
  const first = spawn(supervisor.program, ['attach', 'it'], { env, stdio: ['pipe', 'ignore', 'ignore'] });
  await until('a line for both', () => {
    first.stdin.write('one\n');
    return seen.includes('got one\n');
  });
  first.stdin.end();
  const last = await supervisor.cliWithInput('end\n', 'attach', 'it');
  expect(last).toMatchObject({
    status: 7,
    stdout: expect.stringContaining('got end\n'),
    stderr: expect.stringContaining('end\n'),
  });
  const [stdout, stderr, exitCode] = await watched;
  expect(exitCode).toBe(7);
  expect(stdout).toMatch(/^(got one\n)+got end\n$/);
  expect(stderr).toMatch(/^(one\n)+end\n$/);
  await supervisor.waitFor('it', 'ended', ({ phase }) => phase === 'Exited');
  const refused = await supervisor.cli('attach', 'it');
  expect(refused).toMatchObject({ status: 125, stderr: expect.stringContaining('is not running') });
});

test('killed clients free their places also while the payload does not read', async () => {
  await running('stdin: true', 'while :; do [ -e /tick ] && echo tick; sleep 0.05; done');
  const inside = (script: string) => supervisor.ok('exec', 'it', '--', 'busybox', 'sh', '-c', script);
  const env = { ...process.env, TSDOCKER_HOST: supervisor.socket };
  const clients = Array.from({ length: 12 }, () =>
    spawn(supervisor.program, ['attach', 'it'], { env, stdio: ['pipe', 'pipe', 'ignore'] }),
  );
  await inside('touch /tick');
  let ticks = 0;
  await Promise.all(clients.map(({ stdout }) => new Promise((resolve) => stdout.once('data', resolve))));
  for (const { stdin, stdout } of clients) {
    stdout.on('data', () => ticks++);
    stdin.on('error', () => {});
    stdin.write(Buffer.alloc(8 << 20));
  }
  // From now on the payload is silent: no write to a client reveals that the client is gone.
  await inside('rm /tick');
  let before = '';
  const settled = (): boolean => {
    const seen = [ticks, ...clients.map(({ stdin }) => stdin.writableLength)].join();
    const same = seen === before;
    before = seen;
    return same;
  };
  await until('all to wait for the payload', settled, undefined, 300);
  const attach = async (): Promise<void> => {
    const session = await new SupervisorClient(supervisor.socket).attach('it', { stdin: false });
    session.close();
  };
  await expect(attach()).rejects.toThrow('12 sessions are attached');
  for (const client of clients) client.kill('SIGKILL');
  await until('a place', () => attach().then(() => true));
});

test('a terminal passes keys and size, detaches and reattaches, also after kill -9 of the supervisor', async () => {
  const pid = await running(
    'stdin: true, tty: true',
    'trap "stty size" WINCH; echo up; while :; do read line && echo "got $line"; [ "$line" = end ] && exit 7; done',
  );
  const terminal = onTerminal('it');
  await terminal.shows('33 99');
  terminal.resize(40, 120);
  await terminal.shows('40 120');
  terminal.type('hello\r');
  await terminal.shows('got hello');
  terminal.type('\x10\x11');
  expect(await terminal.exited).toBe(0);
  await terminal.shows('detached; it keeps running');
  expect(await supervisor.container('it')).toMatchObject({ phase: 'Running', pid });

  // The shim alone holds the terminal, so the next supervisor finds it as it was.
  await supervisor.crash();
  await supervisor.start();
  const again = onTerminal('--detach-keys', 'ctrl-a,d', 'it');
  await again.shows('33 99');
  again.type('\x10\x11\rend\r');
  expect(await again.exited).toBe(7);
});

test('Ctrl-C signals a container without a terminal, and with --no-sig-proxy ends only attach', async () => {
  const pid = await running(
    'stdin: true',
    'trap "echo interrupted; exit 9" INT; while :; do echo tick; sleep 0.1; done',
  );
  const watching = onTerminal('--no-stdin', '--no-sig-proxy', 'it');
  await watching.shows('tick');
  watching.type('\x03');
  expect(await watching.exited).toBe(130);
  expect(await supervisor.container('it')).toMatchObject({ phase: 'Running', pid });

  const proxying = onTerminal('it');
  await proxying.shows('tick');
  proxying.type('\x03');
  expect(await proxying.exited).toBe(9);
  await proxying.shows('interrupted');
});

test('a closed terminal does not end the container', async () => {
  const pid = await running('stdin: true, tty: true', 'while :; do echo tick; sleep 0.1; done');
  const terminal = onTerminal('it');
  await terminal.shows('tick');
  terminal.close();
  await terminal.exited;
  expect(await supervisor.container('it')).toMatchObject({ phase: 'Running', pid });
});
