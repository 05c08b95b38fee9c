import { spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobsView } from '../../src/api/jobs.ts';
import { BUILTINS } from '../../src/composition/builtins.ts';
import { Command } from '../support/command.ts';
import { app, FOREVER, shell } from '../support/manifests.ts';
import { type CliResult, TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const MANIFEST = app(
  `  web: { image: busybox, command: ${FOREVER}, stdin: true }\n  spare: { image: busybox, restart: always, command: ${FOREVER} }\n`,
);
let supervisor: TestSupervisor;

beforeAll(async () => {
  supervisor = await new TestSupervisor(['--log-level', 'debug']).start();
  const applied = await supervisor.cliWithInput(
    `app: shop\n${MANIFEST}`,
    'job',
    'apply',
    '--env',
    'waitMs=120000',
    '--env',
    'settleMs=0',
  );
  expect(applied).toMatchObject({ status: 0, stderr: '' });
  expect(lines(applied.stdout).map(({ type }) => type)).toEqual(expect.arrayContaining(['accepted', 'op', 'ready']));
}, 120_000);
afterAll(() => supervisor.destroy());

/** Variables as options. */
const env = (variables: Readonly<Record<string, string>>): string[] =>
  Object.entries(variables).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
const job = (name: string, ...args: string[]): Promise<CliResult> => supervisor.cli('job', name, ...args);
const lines = (text: string): { type: string; [member: string]: unknown }[] =>
  text
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
async function answer<T>(name: string, ...args: string[]): Promise<T> {
  const { status, stdout, stderr } = await job(name, ...args);
  if (status !== 0) throw new Error(`${name}: ${status} ${stderr}`);
  return (stdout === '' ? undefined : JSON.parse(stdout)) as T;
}
const jobs = async (): Promise<JobsView> => JSON.parse(await supervisor.ok('jobs', '-o', 'json'));
const runs = (name: string): Promise<unknown> =>
  until(`${name} to run`, async () => (await jobs()).running.some((one) => one.name === name));
const isOver = (name: string): Promise<unknown> =>
  until(`${name} to end`, async () => (await jobs()).running.every((one) => one.name !== name));
const file = (name: string): string => join(supervisor.base, name);

describe('what there is', () => {
  test('every module has registered its jobs, and no job is of none', async () => {
    const named = BUILTINS.flatMap((module) => module.jobs.map(({ name }) => name));
    const { jobs: registered } = await jobs();
    expect(registered.map(({ name }) => name)).toEqual(named.sort());
    expect(registered.filter(({ summary }) => summary === '')).toEqual([]);
    const { stdout } = await job('commands');
    expect(stdout.trim().split('\n')).toEqual(registered.map(({ name }) => name));
  });

  test('the version job has all of its fields', async () => {
    expect(await answer('version')).toEqual({
      ApiVersion: '1',
      Arch: process.arch,
      GitCommit: expect.stringMatching(/^[0-9a-f]{7,}$/),
      KernelVersion: release(),
      Os: 'linux',
      Runtime: `node ${process.version}`,
      Version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    });
  });

  test('an unknown name is status 127 with what was meant', async () => {
    expect(await job('stpo', 'web')).toEqual({
      status: 127,
      stdout: '',
      stderr: 'stpo: command not found\nhint: Did you mean stop? `tsdocker jobs` lists all jobs.\n',
    });
    expect((await job('no/such job')).status).toBe(127);
  });

  test.each([
    'pause',
    'unpause',
    'top',
    'container_copy',
    'image_set',
    'image_tag',
    'image_tarlayer',
    'viz',
    'execInspect',
    'execCreate',
    'resize',
  ])('Docker’s %s is no job here: status 127', async (name) => {
    const answered = await job(name, 'web');
    expect(answered).toMatchObject({ status: 127, stdout: '' });
    expect(answered.stderr).toMatch(
      new RegExp(`^${name}: command not found\\nhint: .*\`tsdocker jobs\` lists all jobs`),
    );
  });

  test('no name of a dangerous job is offered, and an empty name is an error', async () => {
    const rest = await job('rest');
    expect(rest.status).toBe(127);
    expect(rest.stderr).not.toContain('reset');
    const nameless = await job('');
    expect(nameless).toMatchObject({ status: 1, stderr: expect.stringContaining('the name of the job is empty') });
  });

  test('a job that is no call of the API refuses what it does not declare', async () => {
    const port = env({ ContainerPort: '80', hostPort: '18390' });
    expect(await job('allocate_port', 'vm1', ...port)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('allocate_port has no variable hostPort'),
    });
    for (const args of [
      ['init_networkdriver', ...env({ Bogus: '0' })],
      ['version', 'extra'],
      ['version', ...env({ FOO: '1' })],
      ['subscribers_count', 'x'],
      ['commands', 'x'],
      ['collect', 'x'],
    ]) {
      const { status, stdout, stderr } = await supervisor.cli('job', ...args);
      expect({ status, stdout }, args.join(' ')).toEqual({ status: 1, stdout: '' });
      expect(stderr, args.join(' ')).toMatch(/has no variable|takes no argument/);
    }
  });

  test('an approval by a name that nothing has is an error', async () => {
    expect(await job('approve', 'zzz')).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringMatching(/named zzz\n.*tsdocker job approvals/),
    });
  });

  test('a flag is 1, 0, true or false in every job', async () => {
    for (const off of ['0', 'false', 'no']) {
      expect((await job('logs', 'web', ...env({ follow: off, stdout: '1', stderr: 'true' }))).status, off).toBe(0);
    }
    expect((await job('timeline', ...env({ follow: '0' }))).status).toBe(0);
    expect((await job('logs', 'web', ...env({ follow: 'perhaps' }))).stderr).toContain('follow has a wrong value');
  });

  test('an op is the loop’s to run', async () => {
    const refused = await job('container.remove', 'container/shop/web');
    expect(refused).toMatchObject({ status: 1, stdout: '' });
    expect(refused.stderr).toContain('only the supervisor runs the job container.remove');
    expect(await supervisor.container('web')).toMatchObject({ phase: 'Running' });
  });

  test('a missing argument, one too many, an unknown or a wrong variable are errors with the usage', async () => {
    expect(await job('stop')).toMatchObject({ status: 1, stderr: expect.stringContaining('stop needs CONTAINER') });
    expect((await job('info', 'more')).stderr).toContain('info takes no argument more');
    expect((await job('stop', 'web', ...env({ timeout: '1' }))).stderr).toMatch(
      /stop has no variable timeout.*\nhint: Usage: tsdocker job stop CONTAINER \[--env timeoutMs=…\]/,
    );
    expect((await job('stop', 'web', ...env({ timeoutMs: 'soon' }))).stderr).toMatch(
      /timeoutMs has a wrong value: it is no number\nhint: Usage: tsdocker job stop .*docs\/jobs\.md/,
    );
    expect((await job('generation_diff', 'soon')).stderr).toMatch(
      /GENERATION has a wrong value: it is no (whole )?number\nhint: Usage: tsdocker job generation_diff GENERATION/,
    );
    for (const args of [[], ['name'], ['name', ...env({ PublicKey: 'none' })]]) {
      expect((await job('trust_key_check', ...args)).stderr).toContain(
        'hint: Usage: tsdocker job trust_key_check NAMESPACE',
      );
    }
    expect(await supervisor.container('web')).toMatchObject({ phase: 'Running' });
  });
});

describe('the calls of the facade, by name', () => {
  test('queries answer what the commands show', async () => {
    expect(await answer('info')).toMatchObject({ root: supervisor.root, running: 2 });
    const names = (await answer<{ name: string }[]>('list', 'containers')).map(({ name }) => name);
    expect(names.sort()).toEqual(['spare', 'web']);
    expect(await answer('describe', 'container', 'web')).toMatchObject({ view: { phase: 'Running' } });
    expect((await answer<string[]>('members', 'shop')).toSorted()).toEqual(['shop/spare', 'shop/web']);
    expect(await answer('why', 'container', 'web')).toMatchObject({ resource: 'container/shop/web' });
    expect(await answer('approvals')).toEqual([]);
    expect(await answer('approve')).toMatchObject({ names: [] });
    expect((await answer<object[]>('doctor')).length).toBeGreaterThan(0);
    expect(await answer('plan')).toMatchObject({ ops: [] });
    expect(await answer('generations', ...env({ limit: '1' }))).toHaveLength(1);
    expect(await answer('generation_diff', '1')).toEqual(
      expect.arrayContaining([expect.objectContaining({ resource: 'container/shop/web' })]),
    );
    const events = lines((await job('timeline')).stdout);
    expect(events.map(({ what }) => what)).toEqual(expect.arrayContaining(['container.start']));
  });

  test('plan and diff read a manifest from standard input and change nothing', async () => {
    const text = `app: shop\n${MANIFEST.replace('spare:', 'other:')}`;
    const planned = JSON.parse((await supervisor.cliWithInput(text, 'job', 'plan')).stdout);
    expect(planned.ops.map(({ op }: { op: string }) => op)).toEqual(expect.arrayContaining(['container.create']));
    const changed = JSON.parse((await supervisor.cliWithInput(text, 'job', 'diff')).stdout);
    expect(changed).toEqual(expect.arrayContaining([expect.objectContaining({ change: 'added' })]));
    const rejected = await supervisor.cliWithInput('nonsense: 1\n', 'job', 'apply');
    expect(rejected.status).toBe(1);
    expect(lines(rejected.stdout)).toMatchObject([{ type: 'rejected' }]);
    expect(await supervisor.containers()).toHaveLength(2);
  });

  test('a container is stopped, started, restarted, sent a signal and waited for', async () => {
    await answer('stop', 'spare', ...env({ timeoutMs: '5000' }));
    expect(await supervisor.container('spare')).toMatchObject({ phase: 'Exited' });
    expect(await answer('start', 'spare', ...env({ settleMs: '0' }))).toMatchObject({ state: 'ready' });
    const { pid } = (await supervisor.container('spare')) ?? {};
    expect(await answer('restart', 'spare', ...env({ settleMs: '0' }))).toMatchObject({ state: 'ready' });
    const again = await supervisor.container('spare');
    expect(again?.pid).not.toBe(pid);
    const waiting = job('wait', 'spare');
    await until('the wait to run', async () => (await jobs()).running.some(({ name }) => name === 'wait'));
    await answer('kill', 'spare', 'KILL');
    expect(JSON.parse((await waiting).stdout)).toBe(137);
    await supervisor.waitFor(
      'spare',
      'running again',
      ({ phase, pid: now }) => phase === 'Running' && now !== again?.pid,
    );
  });

  test('a command has input, both outputs, and its exit code as status', async () => {
    const script = 'read line; echo "out $line"; echo "err $HOW" >&2; exit 7';
    const variables = env({ stdin: '1', env: '["HOW=well"]' });
    const result = await supervisor.cliWithInput(
      'hello\n',
      'job',
      'exec',
      ...variables,
      'web',
      '--',
      'busybox',
      'sh',
      '-c',
      script,
    );
    expect(result).toEqual({
      status: 7,
      stdout: 'out hello\n',
      stderr: expect.stringContaining('err well\n'),
    });
  });

  test('input larger than any buffer goes through a command and back', async () => {
    const bytes = 96 * 1024 * 1024;
    const command = `head -c ${bytes} /dev/zero | ${supervisor.program} job exec --env stdin=1 web busybox cat | wc -c`;
    const child = spawn('sh', ['-c', command], { env: { ...process.env, TSDOCKER_HOST: supervisor.socket } });
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    await new Promise((resolve) => child.once('close', resolve));
    expect(Number(out)).toBe(bytes);
    const memory = readFileSync(`/proc/${supervisor.pid}/status`, 'utf8').match(/VmHWM:\s+(\d+)/)?.[1];
    expect(Number(memory) / 1024, 'MiB of the supervisor at most').toBeLessThan(400);
  });

  test('logs, and what is attached to, stream until they are cancelled', async () => {
    await supervisor.ok('exec', 'web', 'busybox', 'true');
    expect((await job('logs', 'web')).status).toBe(0);
    const child = spawn(supervisor.program, ['job', 'logs', 'web', '--env', 'follow=true'], {
      env: { ...process.env, TSDOCKER_HOST: supervisor.socket },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await until('logs to run', async () => (await jobs()).running.some(({ name }) => name === 'logs'));
    child.kill('SIGINT');
    expect(await ended).toBe(1);
    await until('logs to end', async () => (await jobs()).running.every(({ name }) => name !== 'logs'));
  });

  test('a client that is killed takes its job along', async () => {
    const child = spawn(supervisor.program, ['job', 'watch', 'containers'], {
      env: { ...process.env, TSDOCKER_HOST: supervisor.socket },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    await until('watch to run', async () => (await jobs()).running.some(({ name }) => name === 'watch'));
    child.kill('SIGKILL');
    await until('watch to end', async () => (await jobs()).running.every(({ name }) => name !== 'watch'));
  });

  test('images are exported, loaded, tagged, described and deleted', async () => {
    const [{ id: image }] = (await answer<{ id: string }[]>('list', 'images')) as [{ id: string }];
    await answer('tag', image, 'copy:1');
    expect(await answer<object[]>('history', 'copy:1')).not.toEqual([]);
    expect((await job('image_export', file('copy.tar'), ...env({ images: 'copy:1' }))).status).toBe(0);
    expect(statSync(file('copy.tar')).size).toBeGreaterThan(1000);
    expect((await job('load', file('copy.tar'))).status).toBe(0);
    expect((await job('export', 'web', file('web.tar'))).status).toBe(0);
    expect((await job('import', file('web.tar'), ...env({ name: 'web:imported' }))).status).toBe(0);
    expect((await job('commit', 'web', ...env({ name: 'web:committed', message: 'by hand' }))).status).toBe(0);
    expect(await answer<object[]>('image_tree')).not.toEqual([]);
    expect(await answer('disk_usage')).toHaveProperty('rows');
    expect(await answer('container_changes', 'web')).toBeInstanceOf(Array);
    for (const name of ['copy:1', 'web:imported', 'web:committed']) {
      expect(await answer('image_delete', name), name).toEqual(
        expect.arrayContaining([expect.objectContaining({ Untagged: name })]),
      );
    }
    expect(await answer('prune', ...env({ dryRun: '1' }))).toHaveProperty('images');
    const missing = await job('load', file('missing.tar'));
    expect(missing.status).toBe(1);
    expect(missing.stderr).toContain('missing.tar');
    expect(existsSync(file('missing.tar'))).toBe(false);
  });

  test('an image is built from a Dockerfile', async () => {
    const built = await job('build', ...env({ dockerfileText: 'FROM scratch\nLABEL a=b\n', tags: 'made:1' }));
    expect(built).toMatchObject({ status: 0 });
    expect(lines(built.stdout).map(({ type }) => type)).toEqual(expect.arrayContaining(['built', 'ready']));
    expect(await answer('image_delete', 'made:1')).toEqual(
      expect.arrayContaining([expect.objectContaining({ Untagged: 'made:1' })]),
    );
    expect((await job('build', ...env({ dockerfileText: 'NONSENSE\n' }))).status).toBe(1);
  });

  test('collection runs', async () => {
    expect(await job('collect')).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });

  test('what is removed by name is gone, and a rollback brings it back', async () => {
    const { generation } = await answer<{ generation: number }>('info');
    const removed = await job('remove', ...env({ all: '1', waitMs: '120000' }));
    expect(removed).toMatchObject({ status: 0 });
    expect(await supervisor.containers()).toEqual([]);
    const back = await job('rollback', String(generation), ...env({ waitMs: '120000', settleMs: '0' }));
    expect(back).toMatchObject({ status: 0 });
    expect(await supervisor.containers()).toHaveLength(2);
  });
});

describe('a job that is cancelled', () => {
  /** Says that it gets SIGHUP, and ends on SIGTERM once /go exists. */
  const SLOW = shell(
    'trap "echo got HUP" HUP; trap "busybox touch /asked" TERM; while [ ! -e /go ] || [ ! -e /asked ]; do busybox sleep 0.1; done',
  );
  let pid: number | null;
  beforeAll(async () => {
    supervisor.drop('slow.yaml', app(`  slow: { image: busybox, command: ${SLOW}, stopTimeout: 10m }\n`));
    ({ pid } = await supervisor.waitFor('slow', 'ready', ({ ready }) => ready));
  });

  test.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)(
    'attach by name, ended by %s, leaves the payload alone',
    async (signal) => {
      const attach = new Command(supervisor, 'job', 'attach', 'slow');
      await runs('attach');
      await attach.kill(signal);
      expect(await attach.ended).not.toBe(0);
      if (signal !== 'SIGKILL') expect(attach.output).toMatch(/attach: cancelled by signal \d+\n$/);
      await isOver('attach');
      expect(await supervisor.container('slow')).toMatchObject({ pid, restarts: 0, phase: 'Running' });
      expect(await supervisor.ok('logs', 'slow')).not.toContain('HUP');
    },
  );

  test('attach by name leaves the payload alone when the supervisor ends', async () => {
    const attach = new Command(supervisor, 'job', 'attach', 'slow');
    await runs('attach');
    await supervisor.stop();
    expect(await attach.ended).not.toBe(0);
    await supervisor.start();
    expect(await supervisor.container('slow')).toMatchObject({ pid, restarts: 0, phase: 'Running' });
    expect(await supervisor.ok('logs', 'slow')).not.toContain('HUP');
  });

  test('exec says that it was cancelled', async () => {
    const exec = new Command(supervisor, 'job', 'exec', 'slow', 'busybox', 'sleep', '1000');
    await runs('exec');
    await exec.kill('SIGINT');
    expect([await exec.ended, exec.output]).toEqual([1, 'exec: cancelled by signal 2\n']);
    await isOver('exec');
  });

  test('start ends at once and says that the start continues', async () => {
    supervisor.drop(
      'late.yaml',
      app(
        `  late: { image: busybox, command: ${FOREVER}, health: { exec: [busybox, 'false'], interval: 100ms, startPeriod: 10m } }\n`,
      ),
    );
    await supervisor.waitFor('late', 'running', ({ phase }) => phase === 'Running');
    const start = new Command(supervisor, 'job', 'start', 'late');
    await runs('start');
    await start.kill('SIGINT');
    expect([await start.ended, start.output]).toEqual([
      1,
      'start: cancelled by signal 2\nhint: The start continues; `tsdocker stop late-late` takes it back.\n',
    ]);
  });

  test('stop ends at once, and the stop continues', async () => {
    const stop = new Command(supervisor, 'job', 'stop', 'slow');
    await runs('stop');
    await until('the stop to begin', () => supervisor.log.includes('+job container.stop(container/slow/slow)'));
    await stop.kill('SIGINT');
    expect([await stop.ended, stop.output]).toEqual([
      1,
      'stop: cancelled by signal 2\nhint: The stop continues; `tsdocker start slow-slow` takes it back.\n',
    ]);
    await isOver('stop');
    await supervisor.ok('exec', 'slow', 'busybox', 'touch', '/go');
    expect(await supervisor.waitFor('slow', 'down', ({ phase }) => phase === 'Exited')).toMatchObject({ restarts: 0 });
  });
});

describe('what is written about jobs', () => {
  test('the list beside a busy supervisor names what runs, who asked, and no secret', async () => {
    const words = ['web', 'busybox', 'sleep', '--password=hunter2'];
    const child = spawn(supervisor.program, ['exec', '-e', 'TOKEN=hunter3', 'web', ...words.slice(1, 3), '1000'], {
      env: { ...process.env, TSDOCKER_HOST: supervisor.socket },
      stdio: 'ignore',
    });
    const busy = Array.from({ length: 20 }, () => supervisor.cli('exec', 'web', 'busybox', 'true'));
    const seen = await until('exec among running jobs', async () =>
      (await jobs()).running.find(({ name, args }) => name === 'exec' && args[1] === 'busybox'),
    );
    expect(seen).toMatchObject({ by: { uid: 0, user: 'root' }, calledOff: false });
    expect(seen.args.length).toBeLessThanOrEqual(3);
    expect(JSON.stringify(await jobs())).not.toContain('hunter');
    const table = await supervisor.ok('jobs', '--running');
    expect(table).toMatch(/^RUNNING +FOR +ASKED BY +STATE +ARGUMENTS/);
    expect(table).toMatch(/^exec +\d+s +root .* web busybox/m);
    expect((await Promise.all(busy)).map(({ status }) => status)).toEqual(busy.map(() => 0));
    child.kill('SIGKILL');
    await supervisor.ok('exec', 'web', 'busybox', 'pkill', 'sleep').catch(() => {});
    await until('no exec', async () => (await jobs()).running.every(({ name }) => name !== 'exec'));
    expect(supervisor.log).not.toContain('hunter');
  });

  test('a job that a person asks for stands in the timeline, with its failure', async () => {
    await job('load', file('nothing.tar'));
    const events = lines((await job('timeline')).stdout);
    expect(events.filter(({ kind, what }) => kind === 'override' && what === 'load').at(-1)).toMatchObject({
      ok: false,
      cause: 'asked for by root',
      message: expect.stringContaining('nothing.tar'),
    });
    expect(await supervisor.ok('events')).toMatch(/asked +load: .*nothing\.tar/);
  });

  test('the way of one manifest is a row of jobs', async () => {
    const manifest = app(`  traced: { image: busybox, command: ${shell('sleep 1000')} }\n`);
    const { ops } = JSON.parse((await supervisor.cliWithInput(`app: traced\n${manifest}`, 'job', 'plan')).stdout) as {
      ops: { op: string; resource: string }[];
    };
    const planned = ops.filter(({ resource }) => resource.includes('/traced/'));
    const before = supervisor.log.length;
    supervisor.drop('traced.yaml', manifest);
    await supervisor.waitFor('traced', 'running', ({ phase }) => phase === 'Running');
    const messages = supervisor.log
      .slice(before)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => String((JSON.parse(line) as { msg?: string }).msg));
    const trace = messages
      .filter((text) => /^[+-]job [a-z]+\.[a-z-]+\(.*\/traced(\/|\))/.test(text))
      .map((text) => text.replace(/ = OK \(0\)$/, ''));
    // Each op that was planned, and each that was carried out, is a job.
    const begun = trace.filter((text) => text.startsWith('+'));
    expect(begun).toEqual(planned.map(({ op, resource }) => `+job ${op}(${resource})`));
    const done = lines((await job('timeline')).stdout).filter(
      ({ kind, resource, what }) => kind !== 'edit' && String(resource).includes('/traced/') && /\./.test(String(what)),
    );
    expect(done.map(({ what, resource }) => `+job ${what}(${resource})`)).toEqual(begun);
    expect(trace).toEqual([
      '+job image.load(image/traced/busybox)',
      '-job image.load(image/traced/busybox)',
      '+job container.create(container/traced/traced)',
      '-job container.create(container/traced/traced)',
      '+job container.connect(container/traced/traced)',
      '-job container.connect(container/traced/traced)',
      '+job container.start(container/traced/traced)',
      '-job container.start(container/traced/traced)',
    ]);
  });
});
