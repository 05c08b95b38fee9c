/** Users of the host who are neither root nor in the group of the socket, and the files that the supervisor obeys. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DoctorCheck } from '../../src/api/views/host-views.ts';
import type { PlanView } from '../../src/api/views/plan-views.ts';
import type { ManifestView } from '../../src/api/views/resource-views.ts';
import { app, BUSYBOX_IMAGE, FOREVER, IDLE, shell } from '../support/manifests.ts';
import { hasCommit, programOf } from '../support/past-version.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

/** The last commit that obeyed files of every user. */
const BEFORE = 'd456a48';
const NOBODY = 65_534;
const USER = 1000;

let supervisor: TestSupervisor;
const made: string[] = [];

beforeEach(() => {
  supervisor = new TestSupervisor();
  // Others reach the directory of manifests, as they reach /etc/tsdocker.
  chmodSync(supervisor.base, 0o755);
});

afterEach(async () => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
  await supervisor.destroy();
});

/** A command of the user nobody. */
function asNobody(script: string): void {
  execFileSync('/bin/sh', ['-c', script], {
    uid: NOBODY,
    gid: NOBODY,
    env: { PATH: '/usr/bin:/bin' },
    stdio: 'pipe',
  });
}

/** A privileged container that leaves a file on the host, as a shell script that drops its manifest. */
function planting(file: string): string {
  const text = `${BUSYBOX_IMAGE}containers:
  it: { image: busybox, restart: no, privileged: true, volumes: ["${supervisor.base}:/host"], command: ${shell('echo was here > /host/owned')} }
`;
  return `cat > ${file} <<'END'\n${text}END`;
}

const owned = (): boolean => existsSync(join(supervisor.base, 'owned'));
const manifests = async () => JSON.parse(await supervisor.ok('get', 'manifests', '-o', 'json')) as ManifestView[];
const heldManifest = () =>
  until('a manifest that is held', async () => (await manifests()).find(({ state }) => state === 'Held'));
const commandIn = (hint: string): string => /`(.*?)`/.exec(hint)?.[1] ?? '';
const refusals = async () => {
  const { stdout } = await supervisor.cli('doctor', '-o', 'json');
  return (JSON.parse(stdout) as DoctorCheck[]).filter(
    ({ name, status }) => name === 'who may command' && status !== 'ok',
  );
};

test('a world-writable directory accepts no privileged container', async () => {
  const file = supervisor.drop('app.yaml', app(`  kept: { image: busybox, command: ${FOREVER} }\n`));
  await supervisor.start();
  const { pid } = await supervisor.waitFor('kept', 'running', ({ phase }) => phase === 'Running');
  chmodSync(supervisor.manifests, 0o777);
  asNobody(planting(join(supervisor.manifests, 'evil.yaml')));
  asNobody(`rm -f ${file}`);

  const held = await heldManifest();
  expect(held).toMatchObject({
    file,
    held: `${supervisor.manifests} is not obeyed: ${supervisor.manifests} is writable by everybody`,
  });
  expect(held.hint).toBe(`Run \`chmod o-w ${supervisor.manifests}\`.`);
  expect((await supervisor.containers()).map(({ name, pid }) => [name, pid])).toEqual([['kept', pid]]);
  expect(owned()).toBe(false);
  const plan = JSON.parse((await supervisor.cli('plan', '-o', 'json')).stdout) as PlanView;
  expect(plan).toMatchObject({ ops: [], manifests: [{ state: 'Held', hint: held.hint }] });
  expect((await supervisor.cli('plan')).stdout).toContain(held.hint);
  expect(await refusals()).toMatchObject([{ status: 'failed', message: held.held, fix: held.hint }]);
  expect(supervisor.log).toContain(held.hint);

  // As printed. The file of no one stays refused, now by its owner.
  execFileSync('/bin/sh', ['-c', commandIn(held.hint)]);
  expect(statSync(supervisor.manifests).mode & 0o7777).toBe(0o775);
  supervisor.drop(
    'app.yaml',
    app(`  kept: { image: busybox, command: ${FOREVER} }\n  new: { image: busybox, command: ${FOREVER} }\n`),
  );
  await supervisor.waitFor('new', 'running', ({ phase }) => phase === 'Running');
  const evil = join(supervisor.manifests, 'evil.yaml');
  expect((await manifests()).find(({ file: one }) => one === evil)).toMatchObject({
    state: 'Rejected',
    issues: [{ code: 'TSD_UNTRUSTED', hint: `Run \`chown root ${evil}\`.` }],
  });
  expect((await supervisor.containers()).map(({ name }) => name).sort()).toEqual(['kept', 'new']);
  expect(owned()).toBe(false);
});

test('what an earlier version accepted from an untrusted directory keeps running, and every command reports it', async () => {
  const env = supervisor.file('it.env', 'MODE=good\n');
  const secret = supervisor.file('secret', 'good');
  for (const path of [env, secret]) chownSync(path, USER, USER);
  const fields = `envFile: [${env}], env: { SECRET: { fromFile: ${secret} } }`;
  supervisor.drop('app.yaml', app(`  kept: { image: busybox, ${fields}, command: ${shell(`env; ${IDLE}`)} }\n`));
  const { program } = supervisor;
  if (hasCommit(BEFORE)) supervisor.program = programOf(BEFORE);
  await supervisor.start();
  const { pid } = await supervisor.waitFor('kept', 'running', ({ phase }) => phase === 'Running');
  await supervisor.stop();
  supervisor.program = program;
  chmodSync(supervisor.manifests, 0o777);
  asNobody(planting(join(supervisor.manifests, 'evil.yaml')));
  await supervisor.start();
  await heldManifest();
  const plan = JSON.parse((await supervisor.cli('plan', '-o', 'json')).stdout) as PlanView;
  expect(plan).toMatchObject({ ops: [], manifests: [{ state: 'Held' }] });
  expect((await supervisor.containers()).map(({ name, pid }) => [name, pid])).toEqual([['kept', pid]]);
  expect(owned()).toBe(false);
  // It can be started again with what was accepted.
  await supervisor.ok('restart', 'kept');
  expect((await supervisor.ok('logs', 'kept')).match(/SECRET=\w+/g)).toEqual(['SECRET=good', 'SECRET=good']);
  // Requests of authorised users still work.
  const file = supervisor.file('more.yaml', app(`  more: { image: busybox, command: ${FOREVER} }\n`));
  await supervisor.ok('apply', '-f', file, '--wait');
});

test('a directory below a world-writable one and a link of another user on the path are refused', async () => {
  const open = join(supervisor.base, 'open');
  mkdirSync(open);
  chmodSync(open, 0o777);
  rmSync(supervisor.manifests, { recursive: true });
  mkdirSync(join(open, 'manifests'));
  symlinkSync(join(open, 'manifests'), supervisor.manifests);
  asNobody(`mv ${open}/manifests ${open}/away && mkdir ${open}/manifests`);
  asNobody(planting(`${open}/manifests/evil.yaml`));
  await supervisor.start();
  expect(await heldManifest()).toMatchObject({
    file: supervisor.manifests,
    hint: `Run \`chmod o-w ${open} && chown root ${open}/manifests\`.`,
  });
  expect(await supervisor.containers()).toEqual([]);
  expect(owned()).toBe(false);
});

test('in a sticky directory only files of root are accepted', async () => {
  chmodSync(supervisor.manifests, 0o1777);
  const mine = supervisor.drop('app.yaml', app(`  mine: { image: busybox, command: ${FOREVER} }\n`));
  asNobody(planting(join(supervisor.manifests, 'evil.yaml')));
  asNobody(`ln -s ${mine} ${supervisor.manifests}/link.yaml`);
  await supervisor.start();
  await supervisor.waitFor('mine', 'running', ({ phase }) => phase === 'Running');
  const states = (await manifests()).map(({ file, state, issues }) => [
    file.replace(/.*\//, ''),
    state,
    issues[0]?.code,
  ]);
  expect(states.sort()).toEqual([
    ['app.yaml', 'Active', undefined],
    ['evil.yaml', 'Rejected', 'TSD_UNTRUSTED'],
    ['link.yaml', 'Rejected', 'TSD_UNTRUSTED'],
  ]);
  expect(await refusals()).toHaveLength(2);
  expect(owned()).toBe(false);
});

test('an env file and a secret that became writable keep their accepted content', async () => {
  const env = supervisor.file('it.env', 'MODE=good\n');
  const secret = supervisor.file('secret', 'good');
  const file = supervisor.drop(
    'app.yaml',
    app(
      `  it: { image: busybox, envFile: [${env}], env: { SECRET: { fromFile: ${secret} } }, restart: always, command: ${shell(`env; ${IDLE}`)} }\n`,
    ),
  );
  await supervisor.start();
  const { pid } = await supervisor.waitFor('it', 'running', ({ phase }) => phase === 'Running');
  chmodSync(env, 0o666);
  chmodSync(secret, 0o666);
  asNobody(`echo MODE=evil > ${env}`);
  const warned = await until('a warning', async () => {
    const found = (await manifests()).find(({ warnings }) => warnings.length === 2);
    return found;
  });
  expect(warned).toMatchObject({
    file,
    state: 'Active',
    warnings: [{ code: 'TSD_UNTRUSTED', hint: `Run \`chmod o-w ${env}\`.` }, { code: 'TSD_UNTRUSTED' }],
  });
  expect(await refusals()).toHaveLength(2);
  expect(await supervisor.container('it')).toMatchObject({ phase: 'Running', pid });
  // Its next run has what was accepted: the secret is what it was, of the env file there is a copy.
  await supervisor.ok('restart', 'it');
  const logs = await supervisor.ok('logs', 'it');
  expect(logs.match(/MODE=\w+/g)).toEqual(['MODE=good', 'MODE=good']);
  expect(logs.match(/SECRET=\w+/g)).toEqual(['SECRET=good', 'SECRET=good']);
});

test('a seccomp profile that became writable keeps its accepted content and rejects a new manifest', async () => {
  const refusing = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }],
  };
  const profile = supervisor.file('profile.json', JSON.stringify(refusing));
  const it = `{ image: app/busybox, seccomp: ${profile}, restart: always, command: ${FOREVER} }`;
  supervisor.drop('app.yaml', app(`  it: ${it}\n`));
  await supervisor.start();
  await supervisor.waitFor('it', 'running', ({ ready }) => ready);
  chmodSync(profile, 0o666);
  asNobody(`echo '{"defaultAction":"SCMP_ACT_ALLOW"}' > ${profile}`);
  await until('a warning', async () => (await manifests()).find(({ warnings }) => warnings.length > 0));
  await supervisor.ok('restart', 'it');
  await supervisor.waitFor('it', 'running', ({ ready }) => ready);
  expect((await supervisor.cli('exec', 'it', 'busybox', 'mkdir', '/x')).stderr).toContain('not permitted');
  supervisor.drop('more.yaml', `containers:\n  more: ${it}\n`);
  const rejected = await until('a rejection', async () =>
    (await manifests()).find(({ state }) => state === 'Rejected'),
  );
  expect(rejected.issues).toContainEqual(
    expect.objectContaining({ code: 'TSD_UNTRUSTED', hint: `Run \`chmod o-w ${profile}\`.` }),
  );
  expect(await supervisor.container('more')).toBeUndefined();
});

/** A directory of the user 1000 below a sticky one, as `git clone` with umask 002 makes it. */
function checkout(): string {
  const directory = mkdtempSync('/tmp/tsd-test-checkout-');
  made.push(directory);
  writeFileSync(join(directory, 'shop.yaml'), app(`  it: { image: busybox, command: ${FOREVER} }\n`));
  writeFileSync(join(directory, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
  for (const [name, mode] of [
    ['shop.yaml', 0o664],
    ['Dockerfile', 0o664],
    ['', 0o775],
  ] as const) {
    chmodSync(join(directory, name), mode);
    chownSync(join(directory, name), USER, USER);
  }
  return directory;
}

/** As sudo runs a command of the user 1000; null: as root does on its own. */
function command(sudoUid: number | null, ...args: string[]) {
  const { SUDO_UID: _, ...plain } = process.env;
  const env = {
    ...plain,
    TSDOCKER_HOST: supervisor.socket,
    NO_COLOR: '1',
    ...(sudoUid !== null && { SUDO_UID: `${sudoUid}` }),
  };
  const { status, stdout, stderr } = spawnSync(supervisor.program, args, { env, encoding: 'utf8' });
  return { status, stdout, stderr };
}

test('a checkout of the caller is applied and built with a warning, one of another user is refused', async () => {
  await supervisor.start();
  const directory = checkout();
  const shop = join(directory, 'shop.yaml');
  const warning = `warning: ${directory} is writable by group ${USER}`;
  for (const args of [
    ['apply', '-f', shop],
    ['apply', '-f', directory],
    ['build', '-t', 'own', directory],
  ]) {
    const refused = command(null, ...args);
    expect(refused, args.join(' ')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`put \`SUDO_UID=${USER}\` before the command`),
    });
    // As a hint it would take the home directory of a user away.
    expect(refused.stderr).not.toContain('chown');
    expect(command(1001, ...args)).toMatchObject({ status: 1 });
  }
  expect(await supervisor.containers()).toEqual([]);
  for (const args of [
    ['apply', '-f', shop],
    ['apply', '-f', directory],
    ['build', '-t', 'own', directory],
  ]) {
    const done = command(USER, ...args);
    expect(done, `${args.join(' ')}\n${done.stderr}`).toMatchObject({
      status: 0,
      stderr: expect.stringContaining(warning),
    });
  }
  await supervisor.waitFor('it', 'running', ({ phase }) => phase === 'Running');
});

test('a world-writable file is neither applied nor built', async () => {
  await supervisor.start();
  const directory = checkout();
  for (const [name, args] of [
    ['shop.yaml', ['apply', '-f', join(directory, 'shop.yaml')]],
    ['Dockerfile', ['build', '-t', 'own', directory]],
  ] as const) {
    const path = join(directory, name);
    chmodSync(path, 0o666);
    const refused = command(USER, ...args);
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining(`chmod go-w ${path}`) });
  }
  expect(await supervisor.containers()).toEqual([]);
  // A stream has no owner: it is what the caller gives.
  const text = `app: shop\n${readFileSync(join(directory, 'shop.yaml'), 'utf8')}`;
  expect(await supervisor.cliWithInput(text, 'apply', '-f', '-', '--base-dir', directory)).toMatchObject({ status: 0 });
});

test('an env file of the caller is applied, a world-writable one is refused', async () => {
  await supervisor.start();
  const directory = checkout();
  const env = join(directory, 'it.env');
  writeFileSync(env, 'MODE=good\n');
  chownSync(env, USER, USER);
  const shop = join(directory, 'shop.yaml');
  writeFileSync(shop, app(`  it: { image: busybox, envFile: [it.env], command: ${FOREVER} }\n`));
  chmodSync(env, 0o666);
  expect(command(USER, 'apply', '-f', shop)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(`chmod go-w ${env}`),
  });
  chmodSync(env, 0o664);
  expect(command(USER, 'apply', '-f', shop, '--wait')).toMatchObject({ status: 0 });
});

test('a fresh directory below /tmp is applied', async () => {
  await supervisor.start();
  const directory = mkdtempSync('/tmp/tsd-test-fresh-');
  made.push(directory);
  writeFileSync(join(directory, 'fresh.yaml'), app(`  it: { image: busybox, command: ${FOREVER} }\n`));
  expect(command(null, 'apply', '-f', directory, '--wait')).toMatchObject({ status: 0, stderr: '' });
});

test('other users of a root they may enter read no state and cannot replace the socket', async () => {
  for (const [path, mode] of [
    [supervisor.root, 0o755],
    [supervisor.runDir, 0o777],
  ] as const) {
    mkdirSync(path);
    chmodSync(path, mode);
  }
  // As an earlier version made it.
  writeFileSync(join(supervisor.root, 'history.db'), '', { mode: 0o644 });
  supervisor.drop('app.yaml', app(`  it: { image: busybox, env: { PASSWORD: hunter2 }, command: ${FOREVER} }\n`));
  await supervisor.start();
  await supervisor.waitFor('it', 'running', ({ phase }) => phase === 'Running');
  expect(() => asNobody(`cat ${supervisor.root}/history.db* | grep -q hunter2`)).toThrow();
  expect(() => asNobody(`mv ${supervisor.runDir}/tsdocker.sock ${supervisor.runDir}/away`)).toThrow();
  const open = readdirSync(supervisor.root, { withFileTypes: true }).filter(
    ({ name }) => (statSync(join(supervisor.root, name)).mode & 0o077) !== 0,
  );
  expect(open.map(({ name }) => name)).toEqual([]);
  expect(statSync(supervisor.root).mode & 0o7777).toBe(0o700);
  expect(supervisor.log).toContain(`${supervisor.root} had mode 0755; it is 0700 now`);
  expect(supervisor.log).toContain('history.db had mode 0644; it is 0600 now');
});
