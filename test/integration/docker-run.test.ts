/** `docker run` of the real client: output from the first byte, input, exit codes, terminals. */
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { docker } from '../support/docker-client.ts';
import { OnTerminal } from '../support/pty.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;

const run = (args: readonly string[], input = '') => docker(supervisor.socket, ['run', ...args], { input });

beforeAll(async () => {
  supervisor = await new TestSupervisor().start();
  const archive = spawnSync('tar', ['-C', '/', '-c', 'bin/busybox'], { maxBuffer: 2 ** 26 }).stdout;
  const made = await docker(supervisor.socket, ['import', '-', 'busybox'], { input: archive });
  if (made.status !== 0) throw new Error(made.stderr);
}, 60_000);

afterAll(async () => {
  await supervisor.destroy();
}, 60_000);

test('run carries both outputs, the input and the exit code, and leaves nothing with --rm', async () => {
  for (let round = 0; round < 20; round++) {
    const both = await run(['--rm', 'busybox', '/bin/busybox', 'sh', '-c', 'echo out; echo err >&2; exit 3']);
    expect(both).toEqual({ status: 3, stdout: 'out\n', stderr: 'err\n' });
  }
  const input = await run(['--rm', '-i', 'busybox', '/bin/busybox', 'cat'], 'some\ninput\n');
  expect(input).toEqual({ status: 0, stdout: 'some\ninput\n', stderr: '' });
  const { stdout } = await docker(supervisor.socket, ['ps', '-aq', '--filter', 'status=exited']);
  expect(stdout).toBe('');
});

test('a program that is not there is 127, one that cannot be executed 126', async () => {
  const missing = await run(['--rm', 'busybox', 'nofile']);
  expect(missing).toMatchObject({ status: 127, stderr: expect.stringContaining('executable file not found in $PATH') });
  expect(await run(['--rm', 'busybox', '/etc'])).toMatchObject({ status: 126 });
});

test('events of a container have the image as its client wrote it', async () => {
  expect(await run(['--name', 'heard', 'busybox', '/bin/busybox', 'true'])).toMatchObject({ status: 0 });
  const filters = ['image=busybox', 'container=heard', 'event=die'].flatMap((filter) => ['--filter', filter]);
  const past = ['--since', '1h', '--until', `${Date.now() / 1000}`, '--format', '{{.Actor.Attributes.image}}'];
  expect((await docker(supervisor.socket, ['events', ...past, ...filters])).stdout).toBe('busybox\n');
  await docker(supervisor.socket, ['rm', 'heard']);
});

test('what never passed its health check is unhealthy when it failed as often as it may', async () => {
  const check = ['--health-cmd', '/bin/busybox false', '--health-interval', '50ms', '--health-retries', '2'];
  const shell = ['--health-timeout', '5s', '--name', 'never', 'busybox', '/bin/busybox', 'sleep', '1000'];
  expect(await run(['-d', ...check, ...shell])).toMatchObject({ status: 0 });
  const listed = () =>
    docker(supervisor.socket, ['ps', '-q', '--filter', 'name=never', '--filter', 'health=unhealthy']);
  await until('unhealthy', async () => (await listed()).stdout !== '');
  await docker(supervisor.socket, ['rm', '-f', 'never']);
});

test('a terminal of the client is that of the program, and its keys leave it', async () => {
  const env = { ...process.env, DOCKER_HOST: supervisor.socket };
  const argv = [
    'docker',
    'run',
    '-it',
    '--name',
    'screen',
    'busybox',
    '/bin/busybox',
    'sh',
    '-c',
    '/bin/busybox stty size; exec /bin/busybox cat',
  ];
  const terminal = new OnTerminal(argv, env, 33, 99);
  try {
    terminal.type('hello\r');
    await terminal.shows('hello\r\nhello');
    terminal.type('\u0010\u0011');
    expect(await terminal.exited).toBe(0);
  } finally {
    terminal.close();
  }
  const second = new OnTerminal(['docker', 'exec', '-it', 'screen', '/bin/busybox', 'sh'], env, 33, 99);
  try {
    second.type('/bin/busybox stty size\r');
    await second.shows('33 99');
    second.type('exit 5\r');
    expect(await second.exited).toBe(5);
  } finally {
    second.close();
  }
  expect(await docker(supervisor.socket, ['rm', '-f', 'screen'])).toMatchObject({ status: 0 });
});
