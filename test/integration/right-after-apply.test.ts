/** Commands about a container that is declared and not made yet: they wait for it, or say why it does not come. */
import { spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobsView } from '../../src/api/jobs.ts';
import { app, FOREVER, IDLE, shell } from '../support/manifests.ts';
import { type CliResult, TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const supervisor = new TestSupervisor();

beforeAll(async () => {
  await supervisor.start();
});

afterAll(async () => {
  await supervisor.destroy();
});

const SHUT = shell('while [ ! -e /open ]; do sleep 0.05; done');

/** Applies an app of that name, whose container `it` is made when {@link open} was called. */
async function apply(name: string, command: string, more = ''): Promise<void> {
  const gate = `  gate: { image: busybox, restart: no, stopTimeout: 0s, command: ${SHUT} }\n`;
  const it = `  it: { image: busybox, command: ${command}, dependsOn: ["gate:completed"]${more} }\n`;
  await supervisor.ok('apply', '-f', supervisor.file(`${name}.yaml`, app(gate + it)));
}

const open = (name: string): Promise<string> => supervisor.ok('exec', `${name}/gate`, 'busybox', 'touch', '/open');

const isRunning = (job: string, name: string): Promise<unknown> =>
  until(`job ${job} of ${name}`, async () => {
    const { running } = JSON.parse(await supervisor.ok('jobs', '-o', 'json')) as JobsView;
    return running.some((one) => one.name === job && one.args.includes(name));
  });

/** Runs a command while `it` is not made, and opens the gate when the supervisor has the request. */
async function early(name: string, job: string, ...args: string[]): Promise<CliResult> {
  const answer = supervisor.cli(...args);
  await Promise.race([isRunning(job, `${name}/it`), answer]);
  await open(name);
  return await answer;
}

const lineOf = (name: string): Promise<string> => supervisor.ok('logs', `${name}/it`);

describe('a container that is not made yet is waited for', () => {
  test('start: it is started once, and reported ready', async () => {
    await apply('start', shell(`echo up; ${IDLE}`), ', restart: always');
    expect(await early('start', 'start', 'start', 'start/it')).toEqual({
      status: 0,
      stdout: 'start/it ready\n',
      stderr: '',
    });
    expect(await lineOf('start')).toBe('up\n');
  });

  test('start: a job is reported as completed', async () => {
    await apply('task', shell('exit 0'), ', restart: no');
    expect(await early('task', 'start', 'start', 'task/it')).toMatchObject({
      status: 0,
      stdout: 'task/it completed\n',
    });
  });

  test('restart', async () => {
    await apply('again', FOREVER);
    expect(await early('again', 'restart', 'restart', 'again/it')).toMatchObject({ status: 0, stderr: '' });
  });

  test('stop: it stays stopped', async () => {
    await apply('halt', FOREVER, ', restart: always');
    expect(await early('halt', 'stop', 'stop', 'halt/it')).toMatchObject({ status: 0, stderr: '' });
    const views = await supervisor.containers();
    const view = views.find(({ app: of, name }) => of === 'halt' && name === 'it');
    expect(view?.pid).toBeNull();
    await until('it rests', async () => (await supervisor.ok('why', 'halt/it')).includes('stopped until'));
  });

  test('kill', async () => {
    await apply('shot', FOREVER, ', restart: no');
    expect(await early('shot', 'kill', 'kill', '-s', 'KILL', 'shot/it')).toMatchObject({ status: 0, stderr: '' });
    expect(await supervisor.cli('wait', 'shot/it')).toMatchObject({ stdout: '137\n' });
  });

  test('exec', async () => {
    await apply('inner', FOREVER);
    const ran = await early('inner', 'exec', 'exec', 'inner/it', '--', 'busybox', 'echo', 'inside');
    expect(ran).toEqual({ status: 0, stdout: 'inside\n', stderr: '' });
  });

  test('attach', async () => {
    await apply('near', shell('read line; echo "got $line"'), ', restart: no, stdin: true');
    const env = { ...process.env, TSDOCKER_HOST: supervisor.socket };
    const client = spawn(supervisor.program, ['attach', 'near/it'], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    let seen = '';
    client.stdout.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
    });
    const gone = new Promise((resolve) => client.once('close', resolve));
    client.stdin.end('me\n');
    await isRunning('attach', 'near/it');
    await open('near');
    expect(await gone).toBe(0);
    expect(seen).toBe('got me\n');
  });

  test('logs --follow', async () => {
    await apply('told', shell('echo first; echo last'), ', restart: no');
    const followed = await early('told', 'logs', 'logs', '--follow', 'told/it');
    expect(followed).toEqual({ status: 0, stdout: 'first\nlast\n', stderr: '' });
  });

  test('export', async () => {
    await apply('out', FOREVER);
    const tar = join(supervisor.base, 'out.tar');
    expect(await early('out', 'export', 'export', '-o', tar, 'out/it')).toMatchObject({ status: 0, stderr: '' });
    expect(statSync(tar).size).toBeGreaterThan(0);
  });

  test('a command whose client is gone is not run', async () => {
    await apply('left', FOREVER);
    const args = ['exec', 'left/it', '--', 'busybox', 'touch', '/ran'];
    const client = spawn(supervisor.program, args, { env: { ...process.env, TSDOCKER_HOST: supervisor.socket } });
    await isRunning('exec', 'left/it');
    client.kill('SIGKILL');
    await until('the job of exec ended', async () => {
      const { running } = JSON.parse(await supervisor.ok('jobs', '-o', 'json')) as JobsView;
      return running.every(({ name }) => name !== 'exec');
    });
    await open('left');
    expect(await supervisor.cli('exec', 'left/it', '--', 'busybox', 'ls', '/ran')).toMatchObject({ status: 1 });
  });
});

describe('a container that is held back is answered with the reason', () => {
  const commands: string[][] = [
    ['start'],
    ['restart'],
    ['stop'],
    ['kill'],
    ['logs'],
    ['attach'],
    ['exec', '--', 'busybox', 'true'],
  ];
  const of = (name: string, [command = '', ...rest]: string[]): string[] => [command, name, ...rest];

  test.each(commands)('%s: its image cannot be loaded', async (...command) => {
    const gone = join(supervisor.base, 'gone.tar');
    const text = `images: { lost: { archive: ${gone} } }\ncontainers: { it: { image: lost, command: ${FOREVER} } }\n`;
    await supervisor.ok('apply', '-f', supervisor.file('lost.yaml', text));
    const { status, stdout, stderr } = await supervisor.cli(...of('lost/it', command));
    expect({ status: status === 0, stdout }).toEqual({ status: false, stdout: '' });
    expect(stderr).toMatch(/^error: container lost-it does not exist yet: waits for image\/lost\/lost/);
  });

  test.each(commands)('%s: what it needs is stopped', async (...command) => {
    await apply('stuck', FOREVER);
    await supervisor.ok('stop', 'stuck/gate');
    const { status, stderr } = await supervisor.cli(...of('stuck/it', command));
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/^error: container stuck-it does not exist yet: waits for container\/stuck\/gate/);
  });

  test('start: what keeps it back is named when its time is over', async () => {
    await apply('slow', FOREVER);
    const { status, stderr } = await supervisor.cli('start', '--wait=1s', 'slow/it');
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^error: container slow-it does not exist yet: waits for container\/slow\/gate.* after 1 s\n/,
    );
    await open('slow');
  });
});

test('a command in a container that has ended says how it ended', async () => {
  await supervisor.ok(
    'apply',
    '-f',
    supervisor.file('over.yaml', app(`  it: { image: busybox, restart: no, command: ${shell('exit 4')} }\n`)),
  );
  expect(await supervisor.cli('wait', 'over/it')).toMatchObject({ stdout: '4\n' });
  const { status, stderr } = await supervisor.cli('exec', 'over/it', '--', 'busybox', 'true');
  expect(status).toBe(125);
  expect(stderr).toMatch(/^error: container over-it is not running: exited with 4/);
});
