/** Reactions to changed files, with real containers; signals are in policies.test.ts. */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findBusybox } from '../support/images.ts';
import { BUSYBOX_IMAGE, IDLE, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const supervisor = new TestSupervisor();

beforeAll(async () => {
  await supervisor.start();
});

afterAll(async () => {
  await supervisor.destroy();
});

test('a changed file restarts, recreates or is ignored, an env file and a secret restart', async () => {
  const conf = supervisor.file('files/app.conf', 'one\n');
  const env = supervisor.file('files/app.env', 'MODE=one\n');
  const secret = supervisor.file('files/password', 'first secret\n');
  const mount = (onChange: string) =>
    `volumes: [{ source: ${conf}, target: /app.conf, readOnly: true, onChange: ${onChange} }]`;
  // What was written into the container's own files shows whether it is still the same one.
  const tell = (what: string) => shell(`ls /made 2> /dev/null; echo "${what}"; touch /made; ${IDLE}`);
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}containers:
  restarts: { image: busybox, command: ${tell('$(cat /app.conf)')}, ${mount('restart')} }
  recreates: { image: busybox, command: ${tell('$(cat /app.conf)')}, ${mount('recreate')} }
  ignores: { image: busybox, command: ${tell('$(cat /app.conf)')}, ${mount('ignore')} }
  env: { image: busybox, command: ${tell('$MODE')}, envFile: [${env}] }
  secret: { image: busybox, command: ${tell(`\${#PASSWORD} letters`)}, env: { PASSWORD: { fromFile: ${secret} } } }
  apart: { image: busybox, command: ${tell('apart')} }
`,
  );
  const names = ['restarts', 'recreates', 'ignores', 'env', 'secret', 'apart'] as const;
  const log = async (name: string) => (await supervisor.ok('logs', name)).split('\n').filter((line) => line !== '');
  const before = await Promise.all(names.map((name) => supervisor.waitFor(name, 'ready', ({ ready }) => ready)));
  for (const name of names) await until(`${name} has told`, async () => (await log(name)).length > 0);

  writeFileSync(conf, 'two\n');
  writeFileSync(env, 'MODE=two\n');
  writeFileSync(secret, 'second secret\n');
  const last = async (name: string, line: string) => (await log(name)).at(-1) === line;
  for (const name of ['restarts', 'recreates', 'env']) {
    await until(`${name} with the new content`, () => last(name, 'two'));
  }
  await until('the secret as it is now', () => last('secret', '13 letters'));
  const after = await Promise.all(names.map((name) => supervisor.waitFor(name, 'ready', ({ ready }) => ready)));
  const fate = names.map((name, index) => {
    const [first, second] = [before[index], after[index]];
    const kept = first?.pid === second?.pid ? 'untouched' : first?.id === second?.id ? 'restarted' : 'recreated';
    return [name, kept];
  });
  expect(Object.fromEntries(fate)).toEqual({
    restarts: 'restarted',
    recreates: 'recreated',
    ignores: 'untouched',
    env: 'restarted',
    secret: 'restarted',
    apart: 'untouched',
  });
  expect(await log('restarts')).toEqual(['one', '/made', 'two']);
  expect((await log('recreates')).includes('/made')).toBe(false);
  // The file is the new one, but no signal was sent.
  expect(await supervisor.ok('exec', 'ignores', 'busybox', 'cat', '/app.conf')).toBe('two\n');
  const plan = JSON.parse((await supervisor.cli('plan', '-o', 'json')).stdout);
  expect(JSON.stringify([plan.ops, plan.holds])).not.toContain('container/app/ignores');
  expect(plan.fileNotes).toEqual([expect.objectContaining({ kind: 'live', resource: 'container/app/ignores' })]);
  expect(await supervisor.ok('why', 'restarts')).toContain(`content of ${conf} changed`);
  expect(await supervisor.ok('why', 'env')).toContain(`content of ${env} changed`);
  const told = await supervisor.ok('why', 'secret');
  expect(told).toContain(secret);
  for (const text of [told, await supervisor.ok('describe', 'secret'), await supervisor.ok('history', '--diff', '2')]) {
    expect(text).not.toMatch(/(first|second) secret/);
  }
  const onDisk = spawnSync('grep', ['-rlE', '(first|second) secret', supervisor.root], { encoding: 'utf8' });
  expect(onDisk.stdout).toBe('');
});

test('a file may be missing for a moment or be created after its manifest', async () => {
  const state = async (app: string): Promise<string> =>
    JSON.parse(await supervisor.ok('get', 'manifests', app, '-o', 'json'))[0]?.state;
  const becomes = (app: string, wanted: string) =>
    until(`${app}: ${wanted}`, async () => (await state(app)) === wanted);
  const env = supervisor.file('moment/app.env', 'MODE=one\n');
  supervisor.drop(
    'moment.yaml',
    `${BUSYBOX_IMAGE}containers: { moment: { image: busybox, command: ${shell(IDLE)}, envFile: [${env}] } }\n`,
  );
  await supervisor.waitFor('moment', 'ready', ({ ready }) => ready);
  rmSync(env);
  await becomes('moment', 'Rejected');
  writeFileSync(env, 'MODE=two\n');
  await becomes('moment', 'Active');
  await until('the new content', async () => (await supervisor.ok('why', 'moment')).includes(`content of ${env}`));

  const secret = join(supervisor.base, 'moment/later');
  supervisor.drop(
    'later.yaml',
    `containers: { later: { image: moment/busybox, command: ${shell(IDLE)}, env: { P: { fromFile: ${secret} } } } }\n`,
  );
  await becomes(join(supervisor.manifests, 'later.yaml'), 'Rejected');
  writeFileSync(secret, 'x');
  await supervisor.waitFor('later', 'ready', ({ ready }) => ready);
});

test('a rootfs directory is read again only with --refresh, also for a watched file', async () => {
  const rootfs = join(supervisor.base, 'rootfs');
  mkdirSync(join(rootfs, 'bin'), { recursive: true });
  copyFileSync(findBusybox() ?? '', join(rootfs, 'bin/busybox'));
  chmodSync(join(rootfs, 'bin/busybox'), 0o755);
  writeFileSync(join(rootfs, 'version'), 'one\n');
  const manifest = (app: string) =>
    `app: ${app}\nimages: { own: { rootfs: ${rootfs} } }\n` +
    `containers: { ${app}: { image: own, command: [/bin/busybox, sh, -c, ${JSON.stringify(IDLE)}], stopTimeout: 0s } }\n`;
  const [watched, applied] = [
    supervisor.drop('tree.yaml', manifest('tree')),
    supervisor.file('leaf.yaml', manifest('leaf')),
  ];
  await supervisor.ok('apply', '--wait=2m', '-f', applied);
  await supervisor.waitFor('tree', 'ready', ({ ready }) => ready);
  const version = (name: string) => supervisor.ok('exec', name, '/bin/busybox', 'cat', '/version');
  expect([await version('tree'), await version('leaf')]).toEqual(['one\n', 'one\n']);

  writeFileSync(join(rootfs, 'version'), 'two\n');
  expect((await supervisor.cli('apply', '-f', watched)).stderr).toMatch(/in the watched directory[\s\S]*--refresh/);
  expect(await supervisor.ok('plan')).toContain('Nothing to do');
  const { stdout: dry } = await supervisor.cli('apply', '--refresh', '--dry-run', '-f', watched);
  expect(dry).toMatch(/load image\/tree\/own/);
  expect(dry).not.toContain('leaf');
  await supervisor.ok('apply', '--refresh', '--wait=2m', '-f', watched);
  expect([await version('tree'), await version('leaf')]).toEqual(['two\n', 'one\n']);
  await supervisor.ok('apply', '--refresh', '--wait=2m', '-f', applied);
  expect(await version('leaf')).toBe('two\n');
  // The same content again is the same image.
  const before = await supervisor.container('tree');
  await supervisor.ok('apply', '--refresh', '--wait=2m', '-f', watched);
  expect(await supervisor.container('tree')).toMatchObject({ id: before?.id, pid: before?.pid });
});
