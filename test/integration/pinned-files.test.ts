/** What generations pin, and what an applied app runs with, on real containers. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BUSYBOX_IMAGE, IDLE, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;

beforeAll(async () => {
  supervisor = await new TestSupervisor().start();
});

afterAll(async () => {
  await supervisor.destroy();
});

const CANARY = 'canary-9f4c21';

/** Prints what it was built from and its configuration. */
const TELL = shell(`echo "$(cat /built 2>/dev/null) $(cat /app.conf) $MODE $(echo -n "$PASSWORD" | wc -c)"; ${IDLE}`);

/** Files of an app below a directory of its own, and its manifest. */
function application(name: string, { top = '', container = '', mount = '' } = {}) {
  const path = (file: string) => join(supervisor.base, name, file);
  const write = (file: string, text: string) => supervisor.file(join(name, file), text);
  write('ctx/Dockerfile', 'FROM base\nCOPY built /built\n');
  write('ctx/built', 'built-one\n');
  write('app.conf', 'conf-one\n');
  write('app.env', 'MODE=env-one\n');
  write('password', `${CANARY}-1\n`);
  const manifest = `app: ${name}
${top}images:
  base: { host: [busybox] }
  own: { build: ./ctx }
containers:
  ${name}:
    image: own
    command: ${TELL}
    volumes: [{ source: ./app.conf, target: /app.conf, readOnly: true${mount} }]
    envFile: [./app.env]
    env: { PASSWORD: { fromFile: ./password } }
${container}`;
  return { path, write, manifest };
}

/** The last line of a container. */
async function lastLine(name: string): Promise<string> {
  return (await supervisor.ok('logs', name)).trimEnd().split('\n').at(-1) ?? '';
}

const prints = (name: string, text: string) =>
  until(`${name} prints ${text}`, async () => (await lastLine(name)) === text);

async function generation(): Promise<number> {
  return JSON.parse(await supervisor.ok('history', '-n', '1', '-o', 'json'))[0].generation;
}

/** Exits otherwise while something is held, as what is on trial. */
const plan = async (): Promise<string> => (await supervisor.cli('plan')).stdout;

const copies = (): string[] => {
  try {
    return readdirSync(join(supervisor.root, 'contents'));
  } catch {
    return [];
  }
};

const findSecret = () => spawnSync('grep', ['-rlF', CANARY, supervisor.root], { encoding: 'utf8' }).stdout;

describe('an applied app', () => {
  test('keeps the files that apply read until the next apply, also after kill -9 of the supervisor', async () => {
    const { path, write, manifest } = application('stays');
    const file = write('stays.yaml', manifest);
    await supervisor.ok('apply', '-f', file, '--wait=2m');
    await prints('stays', 'built-one conf-one env-one 15');
    const before = await supervisor.container('stays');
    const first = await generation();

    write('app.conf', 'conf-two\n');
    write('app.env', 'MODE=env-two\n');
    write('ctx/built', 'built-two\n');
    const shown = await until('the plan tells of the changes', async () => {
      const text = await plan();
      return text.includes('ctx') && text.includes('app.conf') && text.includes('app.env') ? text : null;
    });
    expect(shown).toMatch(new RegExp(`changed: sources changed since generation ${first}: .*app.conf`));
    expect(shown).toContain(`tsdocker apply -f ${file}`);
    expect(shown).toContain('Nothing to do');
    expect(await supervisor.ok('get', 'manifests')).toContain(`sources changed since generation ${first}`);
    expect(await supervisor.ok('describe', 'manifest', 'stays')).toMatch(
      /sources changed since generation[\s\S]*tsdocker apply -f/,
    );
    expect(await supervisor.container('stays')).toMatchObject({ id: before?.id, pid: before?.pid });

    await supervisor.crash();
    await supervisor.start();
    expect(await plan()).toContain('Nothing to do');
    expect(await supervisor.container('stays')).toMatchObject({ id: before?.id, pid: before?.pid });
    expect(await generation()).toBe(first);
    // A new run, with the source of the bind gone, has what was applied.
    rmSync(path('app.conf'));
    rmSync(path('app.env'));
    await supervisor.ok('restart', 'stays');
    await until('a new run', async () => (await supervisor.container('stays'))?.pid !== before?.pid);
    await prints('stays', 'built-one conf-one env-one 15');

    write('app.conf', 'conf-two\n');
    write('app.env', 'MODE=env-two\n');
    await supervisor.ok('apply', '-f', file, '--wait=2m');
    await prints('stays', 'built-two conf-two env-two 15');
    expect(await plan()).not.toContain('sources changed');
    // The same again changes nothing.
    const second = await generation();
    await supervisor.ok('apply', '-f', file, '--wait=2m');
    expect(await generation()).toBe(second);
    await supervisor.ok('delete', '-f', file, '--wait=2m');
  });

  test('follows its files with `follow: true`', async () => {
    const { write, manifest } = application('follows', { top: 'follow: true\n' });
    await supervisor.ok('apply', '-f', write('follows.yaml', manifest), '--wait=2m');
    await prints('follows', 'built-one conf-one env-one 15');
    write('app.conf', 'conf-two\n');
    await prints('follows', 'built-one conf-two env-one 15');
    write('ctx/built', 'built-two\n');
    await prints('follows', 'built-two conf-two env-one 15');
    expect(await plan()).not.toContain('sources changed');
    await supervisor.ok('delete', '-f', join(supervisor.base, 'follows/follows.yaml'), '--wait=2m');
  });

  test('follows only files with an explicit `onChange`', async () => {
    const { write, manifest } = application('partly', { mount: ', onChange: restart' });
    await supervisor.ok('apply', '-f', write('partly.yaml', manifest), '--wait=2m');
    await prints('partly', 'built-one conf-one env-one 15');
    write('app.env', 'MODE=env-two\n');
    write('app.conf', 'conf-two\n');
    await prints('partly', 'built-one conf-two env-one 15');
    expect(await plan()).toMatch(/sources changed since generation \d+: \.\/app\.env\n/);
    await supervisor.ok('delete', '-f', join(supervisor.base, 'partly/partly.yaml'), '--wait=2m');
  });

  test('is built again with --no-cache, and only then', async () => {
    const { write, manifest } = application('again');
    const file = write('again.yaml', manifest);
    const built = async (...flags: string[]) => {
      const out = await supervisor.ok('apply', '-f', file, '--wait=2m', ...flags);
      return out.split('\n').filter((line) => line.includes('COPY built'));
    };
    await built();
    expect(await built()).toEqual([]);
    expect(await supervisor.ok('apply', '-f', file, '--no-cache', '--dry-run')).toContain('load image/again/own');
    const steps = await built('--no-cache');
    expect(steps.length).toBeGreaterThan(0);
    expect(steps.join()).not.toContain('cached');
    expect(await plan()).toContain('Nothing to do');
    await supervisor.ok('delete', '-f', file, '--wait=2m');
  });
});

describe('rollback', () => {
  test('restores build, bound file and env file of an applied app without writing user files', async () => {
    const { path, write, manifest } = application('back');
    const file = write('back.yaml', manifest);
    // The plan knows of the copies that apply will make.
    const firstPlan = await supervisor.cli('plan', '-f', file);
    expect(firstPlan).toMatchObject({ status: 2, stdout: expect.stringContaining('start container/back/back') });
    expect(firstPlan.stdout).not.toContain('held');
    await supervisor.ok('apply', '-f', file, '--wait=2m');
    await prints('back', 'built-one conf-one env-one 15');
    const first = await generation();
    const image = (await supervisor.container('back'))?.imageId;
    write('app.conf', 'conf-two\n');
    write('app.env', 'MODE=env-two\n');
    write('ctx/built', 'built-two\n');
    write('password', `${CANARY}-two\n`);
    expect((await supervisor.cli('plan', '-f', file)).stdout).not.toContain('pinned copy');
    await supervisor.ok('apply', '-f', file, '--wait=2m');
    await prints('back', 'built-two conf-two env-two 17');

    const dry = await supervisor.ok('rollback', '--to', String(first), '--dry-run');
    expect(dry).toContain(`secret ./password is newer than generation ${first}`);
    expect(dry).toContain('load image/back/own');
    await supervisor.crash();
    await supervisor.start();
    const out = await supervisor.ok('rollback', '--to', String(first), '--wait=2m');
    expect(out.indexOf('is newer than generation')).toBeLessThan(out.indexOf('operation'));
    expect(out).toContain('is newer than generation');
    // Never with the files of one generation and the image of another.
    expect(out.match(/start container\/back\/back/g)).toHaveLength(1);
    await prints('back', 'built-one conf-one env-one 17');
    expect((await supervisor.container('back'))?.imageId).toBe(image);
    expect(readFileSync(path('app.conf'), 'utf8')).toBe('conf-two\n');
    expect(readFileSync(path('app.env'), 'utf8')).toBe('MODE=env-two\n');
    expect(readFileSync(path('ctx/built'), 'utf8')).toBe('built-two\n');
    expect(await plan()).toContain('Nothing to do');

    // It stays so over a restart of the supervisor and of the container.
    await supervisor.crash();
    await supervisor.start();
    const { pid } = (await supervisor.container('back')) ?? {};
    await supervisor.ok('restart', 'back');
    await until('a new run', async () => (await supervisor.container('back'))?.pid !== pid);
    await prints('back', 'built-one conf-one env-one 17');
    expect(await plan()).toContain('Nothing to do');
    expect(findSecret()).toBe('');
    await supervisor.ok('delete', '-f', file, '--wait=2m');
  });

  test('of a watched app names its files, and --hold keeps the app until one of them changes', async () => {
    const { path, write, manifest } = application('held');
    const text = manifest.replaceAll('./', `${join(supervisor.base, 'held')}/`);
    supervisor.drop('held.yaml', text);
    await prints('held', 'built-one conf-one env-one 15');
    const first = await generation();
    write('app.conf', 'conf-two\n');
    await prints('held', 'built-one conf-two env-one 15');
    write('ctx/built', 'built-two\n');
    await prints('held', 'built-two conf-two env-one 15');

    const refused = await supervisor.cli('rollback', '--to', String(first));
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain(path('app.conf'));
    expect(refused.stderr).toContain('--hold');
    await supervisor.ok('rollback', '--to', String(first), '--hold', '--wait=2m');
    await prints('held', 'built-one conf-one env-one 15');
    await supervisor.crash();
    await supervisor.start();
    expect((await supervisor.cli('plan')).stdout).toContain('rolled back to generation');
    expect(await lastLine('held')).toBe('built-one conf-one env-one 15');

    write('app.conf', 'conf-three\n');
    await prints('held', 'built-two conf-three env-one 15');
    await until('nothing left to do', async () => (await plan()).includes('Nothing to do'));
    rmSync(join(supervisor.manifests, 'held.yaml'));
    await until('held is gone', async () => (await supervisor.container('held')) === undefined);
  });

  test('reports the replacement of a missing image before it acts', async () => {
    const { write, manifest } = application('gone');
    const file = write('gone.yaml', manifest);
    await supervisor.ok('apply', '-f', file, '--wait=2m');
    const first = await generation();
    const image = (await supervisor.container('gone'))?.imageId ?? '';
    write('ctx/built', 'built-two\n');
    await supervisor.ok('apply', '-f', file, '--wait=2m');
    await supervisor.ok('rmi', '--force', image);
    const out = await supervisor.ok('rollback', '--to', String(first), '--wait=2m');
    expect(out).toMatch(/lost: image gone\/own of generation \d+ is gone from this host[\s\S]*operation/);
    await prints('gone', 'built-two conf-one env-one 15');
    await supervisor.ok('delete', '-f', file, '--wait=2m');
  });

  test('after a failed update restores the previous bound file', async () => {
    const conf = supervisor.file('fails/app.conf', 'good\n');
    supervisor.drop(
      'fails.yaml',
      `${BUSYBOX_IMAGE}containers:
  fails:
    image: busybox
    command: ${shell(`cat /app.conf; grep -q good /app.conf || exit 3; ${IDLE}`)}
    restart: { policy: on-failure, max: 1 }
    volumes: ['${conf}:/app.conf:ro']
    update: { onFailure: rollback, timeout: 20s }
`,
    );
    await supervisor.waitFor('fails', 'ready', ({ ready }) => ready);
    writeFileSync(conf, 'bad\n');
    await until('held', async () => (await supervisor.cli('plan')).stdout.includes('update of fails/fails failed'));
    await supervisor.waitFor('fails', 'ready', ({ ready }) => ready);
    await prints('fails', 'good');
    expect(readFileSync(conf, 'utf8')).toBe('bad\n');
    writeFileSync(conf, 'good again\n');
    await prints('fails', 'good again');
    rmSync(join(supervisor.manifests, 'fails.yaml'));
    await until('fails is gone', async () => (await supervisor.container('fails')) === undefined);
  });
});

test('a container binds the pinned copy with mode and owner of the file, and live files are named', async () => {
  const conf = supervisor.file('copy/app.conf', 'one\n');
  chmodSync(conf, 0o640);
  spawnSync('chown', ['12:34', conf]);
  mkdirSync(join(supervisor.base, 'copy/data'));
  const big = supervisor.file('copy/big', Buffer.alloc(1024 ** 2 + 1));
  supervisor.drop(
    'copy.yaml',
    `${BUSYBOX_IMAGE}containers:
  copy:
    image: busybox
    command: ${shell(IDLE)}
    volumes: ['${conf}:/app.conf:ro', '${join(supervisor.base, 'copy/data')}:/data', '${big}:/big:ro']
`,
  );
  const { id } = await supervisor.waitFor('copy', 'ready', ({ ready }) => ready);
  expect(await supervisor.ok('exec', 'copy', 'busybox', 'stat', '-c', '%a %u %g', '/app.conf')).toBe('640 12 34\n');
  const record = JSON.parse(readFileSync(join(supervisor.root, 'containers', id, 'config.json'), 'utf8'));
  expect(record.Volumes['/app.conf']).toMatch(`${supervisor.root}/contents/`);
  // What is written to the file later is not what the payload sees, but in its next run.
  const bound = statSync(record.Volumes['/app.conf']);
  expect([bound.mode & 0o7777, bound.uid, bound.gid]).toEqual([0o640, 12, 34]);
  const shown = await plan();
  expect(shown).toMatch(new RegExp(`live: ${supervisor.base}/copy/data is not pinned`));
  expect(shown).toMatch(new RegExp(`live: ${big} is not pinned`));
  expect(shown).not.toContain(`${conf} is not pinned`);
  rmSync(join(supervisor.manifests, 'copy.yaml'));
  await until('copy is gone', async () => (await supervisor.container('copy')) === undefined);
});

test('the signal follows the bind of the new copy', async () => {
  const conf = supervisor.file('signal/app.conf', 'one\n');
  supervisor.drop(
    'signal.yaml',
    `${BUSYBOX_IMAGE}containers:
  signal:
    image: busybox
    command: ${shell('trap "cat /app.conf" HUP; trap "exit 0" TERM; cat /app.conf; while :; do sleep 3600 & wait; done')}
    volumes: [{ source: ${conf}, target: /app.conf, readOnly: true, onChange: 'signal:HUP' }]
`,
  );
  const { pid } = await supervisor.waitFor('signal', 'ready', ({ ready }) => ready);
  await prints('signal', 'one');
  writeFileSync(conf, 'two\n');
  await prints('signal', 'two');
  writeFileSync(`${conf}.new`, 'three\n');
  renameSync(`${conf}.new`, conf);
  await prints('signal', 'three');
  expect((await supervisor.container('signal'))?.pid).toBe(pid);
  rmSync(join(supervisor.manifests, 'signal.yaml'));
  await until('signal is gone', async () => (await supervisor.container('signal')) === undefined);
});

test('secrets of variables, /run/secrets and secret mounts appear nowhere below the root', async () => {
  const key = supervisor.file('secrets/key', `${CANARY}-key\n`);
  const secret = supervisor.file('secrets/password', `${CANARY}-a\n`);
  const file = supervisor.file(
    'secrets/secrets.yaml',
    `${BUSYBOX_IMAGE}containers:
  secrets:
    image: busybox
    command: ${shell(`cat /run/secrets/password | wc -c; ${IDLE}`)}
    env: { PASSWORD: { fromFile: ${secret} } }
    volumes: ['${secret}:/run/secrets/password:ro', { source: ${key}, target: /etc/key, readOnly: true, secret: true }]
`,
  );
  await supervisor.ok('apply', '-f', file, '--wait=2m');
  const first = await generation();
  expect(findSecret()).toBe('');
  for (const path of [secret, key]) writeFileSync(path, `${CANARY}-another\n`);
  expect(
    await until('the plan tells', async () => {
      const text = await plan();
      return text.includes('newer than') ? text : null;
    }),
  ).toContain(`secret ${secret} is newer than generation ${first}`);
  await supervisor.ok('apply', '-f', file, '--wait=2m');
  expect(findSecret()).toBe('');
  await supervisor.ok('rollback', '--to', String(first), '--wait=2m');
  await supervisor.crash();
  expect(findSecret()).toBe('');
  await supervisor.start();
  await supervisor.waitFor('secrets', 'ready', ({ ready }) => ready);
  expect(findSecret()).toBe('');
  await supervisor.ok('delete', '-f', file, '--wait=2m');
});

test('a rollback to an old generation reports missing contents, and prune frees unused ones', async () => {
  await supervisor.stop();
  await supervisor.start('--keep-generations', '2');
  const { write, manifest } = application('old');
  const file = write('old.yaml', manifest);
  const numbers: number[] = [];
  for (const content of ['one', 'two', 'three', 'four']) {
    write('app.conf', `conf-${content}\n`);
    await supervisor.ok('apply', '-f', file, '--wait=2m');
    numbers.push(await generation());
  }
  const history: { generation: number; keeps: string }[] = JSON.parse(await supervisor.ok('history', '-o', 'json'));
  const keeps = numbers.map((n) => history.find((one) => one.generation === n)?.keeps);
  expect(keeps).toEqual(['specification', 'specification', 'contents', 'contents']);
  expect(await supervisor.ok('history')).toMatch(new RegExp(`^${numbers[0]} .*specification only`, 'm'));
  const out = await supervisor.ok('rollback', '--to', String(numbers[0]), '--wait=2m');
  expect(out).toMatch(/lost: \.\/app\.conf: the content of generation \d+ cannot be brought back/);
  expect(out).toContain('specification only');
  await prints('old', 'built-one conf-four env-one 15');
  await supervisor.ok('rollback', '--to', String(numbers[3]), '--wait=2m');
  await prints('old', 'built-one conf-four env-one 15');

  const usage: { type: string; bytes: number; count: number }[] = JSON.parse(
    await supervisor.ok('system', 'df', '-o', 'json'),
  ).rows;
  expect(usage.find(({ type }) => type === 'pinned files')?.count).toBe(copies().length);
  expect(copies().length).toBeGreaterThan(0);
  // A copy that nothing names is found and goes; those that the container and the generations need stay.
  const stray = `${'0'.repeat(64)}-0644-0-0`;
  writeFileSync(join(supervisor.root, 'contents', stray), 'stray');
  const before = copies();
  expect(await supervisor.ok('system', 'prune', '--dry-run')).toContain('1 pinned file');
  expect(copies()).toEqual(before);
  await supervisor.ok('system', 'prune', '-y');
  expect(copies()).toEqual(before.filter((name) => name !== stray));
  const { pid } = (await supervisor.container('old')) ?? {};
  await supervisor.ok('restart', 'old');
  await until('a new run', async () => (await supervisor.container('old'))?.pid !== pid);
  await prints('old', 'built-one conf-four env-one 15');
  await supervisor.ok('delete', '-f', file, '--wait=2m');
});
