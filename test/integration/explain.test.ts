import { execFile } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EventView, HistoryView, WhyView } from '../../src/api/views/explain-views.ts';
import { app, BUSYBOX_IMAGE, FOREVER, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;

beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});

afterEach(async () => {
  await supervisor.destroy();
});

const TALKATIVE = shell('trap "exit 0" TERM; echo ready to serve; while :; do sleep 3600 & wait; done');

const why = async (name: string): Promise<WhyView> => JSON.parse(await supervisor.ok('why', name, '-o', 'json'));
const history = async (): Promise<HistoryView[]> => JSON.parse(await supervisor.ok('history', '-o', 'json'));
const events = async (...args: string[]): Promise<EventView[]> =>
  (await supervisor.ok('events', '-o', 'json', ...args))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
/** As another user, in the group that the socket belongs to. */
const cliAs = (uid: number, ...args: string[]) =>
  promisify(execFile)(resolve(import.meta.dirname, '../../bin/tsdocker'), args, {
    uid,
    gid: 0,
    env: { ...process.env, TSDOCKER_HOST: supervisor.socket },
  });
const kinds = (view: WhyView) => view.steps.map(({ kind }) => kind);

describe('why', () => {
  test('shows edit, restart, death and present state, also after kill -9 of the supervisor', async () => {
    const manifest = (mode: string) =>
      app(`  web: { image: busybox, command: ${TALKATIVE}, env: { MODE: ${mode} }, restart: always }\n`);
    const file = supervisor.drop('app.yaml', manifest('one'));
    const first = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    supervisor.drop('app.yaml', manifest('two'));
    const second = await supervisor.waitFor('web', 'restarted', ({ ready, pid }) => ready && pid !== first.pid);
    // An end before that would be the update's failure, and be answered by going back.
    await until('the update proved itself', () => supervisor.log.includes('"opId":"settle-update container/app/web"'));
    process.kill(second.pid ?? 0, 'SIGKILL');
    await supervisor.waitFor('web', 'back', ({ ready, pid }) => ready && pid !== second.pid);

    const view = await why('web');
    expect(kinds(view)).toEqual(['edit', 'exit', 'start', 'hold', 'op', 'exit', 'start']);
    const [edit, stopped, restarted, proving, proved, died, back] = view.steps;
    expect(edit).toMatchObject({
      text: 'env.MODE "one" -> "two"',
      cause: 'edited app.yaml',
      generation: 2,
      source: { file, line: 4 },
    });
    expect(stopped).toMatchObject({ text: 'exited with 0 (run 1)', ok: true, log: ['ready to serve'] });
    expect(restarted?.cause).toContain(`env.MODE changed in ${file}:4:`);
    expect(proving?.text).toContain('updating');
    expect(proved?.cause).toMatch(/^update done/);
    expect(died).toMatchObject({ text: 'exited with 137 (SIGKILL) (run 2)', ok: false, log: ['ready to serve'] });
    expect(back).toMatchObject({ text: 'started (run 3)', cause: 'exited with 137 (SIGKILL), restart 1' });

    await supervisor.crash();
    await supervisor.start();
    const after = await why('web');
    expect(after.steps.slice(0, view.steps.length)).toEqual(view.steps);
    expect(after.steps.at(-1)).toMatchObject({ kind: 'adopt' });
    expect((await supervisor.ok('why', 'web')).split('\n')).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^ +\| ready to serve$/),
        expect.stringContaining('edited app.yaml'),
      ]),
    );
  });

  test('shows a crash loop once, and its next start', async () => {
    supervisor.drop(
      'app.yaml',
      app(`  web: { image: busybox, command: ${shell('echo no luck >&2; exit 3')}, restart: always }\n`),
    );
    await supervisor.waitFor('web', 'restarted thrice', ({ restarts }) => restarts >= 3);
    const view = await until('a pause before the next start', async () => {
      const now = await why('web');
      return now.phase === 'BackingOff' ? now : null;
    });
    expect(view.steps.length).toBeLessThan(12);
    expect(view.steps.find(({ kind, times }) => kind === 'exit' && times > 1)).toMatchObject({
      ok: false,
      log: ['no luck'],
    });
    expect(view.now[0]).toMatch(/^backing-off: exited with 3, restart \d after/);
    const hint = '`tsdocker logs app/web` shows what it wrote.';
    expect(view.hint).toBe(hint);
    expect(await supervisor.container('web')).toMatchObject({ hint });
    const { stdout, stderr } = await supervisor.cli('get');
    expect(stdout).not.toContain('hint');
    expect(stderr).toContain(`hint: app/web: ${hint}`);
    expect(await supervisor.ok('why', 'web')).toContain(`Now\n  ${view.now[0]?.split(',')[0]}`);
  });

  test('does not report a completed container as waiting', async () => {
    supervisor.drop(
      'app.yaml',
      app(
        `  once: { image: busybox, command: [busybox, 'true'] }\n  web: { image: busybox, command: ${FOREVER}, dependsOn: [once:completed] }\n`,
      ),
    );
    await supervisor.waitFor('web', 'running', ({ pid }) => pid !== null);
    expect((await why('web')).now).toEqual([]);
    expect((await why('once')).now).toEqual([expect.stringContaining('exited with 0')]);
  });

  test('names the dependency of a waiting container, and the rejected edit', async () => {
    const file = supervisor.drop(
      'app.yaml',
      app(
        `  db: { image: busybox, command: [no-such-program] }\n  web: { image: busybox, command: ${FOREVER}, links: [db] }\n`,
      ),
    );
    const { conditions } = await supervisor.waitFor('web', 'parked since some time', (parked) =>
      parked.conditions.some(({ reason, since }) => reason === 'DependencyNotReady' && since !== undefined),
    );
    const since = Date.parse(conditions.find(({ type }) => type === 'Parked')?.since ?? '');
    expect(since).toBeLessThanOrEqual(Date.now());
    supervisor.drop('app.yaml', app('  web: { image: busybox, comand: x }\n'));
    const view = await until('the report of the rejection', async () => {
      const seen = await why('web');
      return seen.now.length >= 3 ? seen : null;
    });
    expect(view.now).toEqual([
      expect.stringMatching(/^dependency-not-ready: waits for container\/app\/db/),
      expect.stringMatching(/^needs container\/app\/db, which waits: .*no-such-program/),
      expect.stringMatching(new RegExp(`^the edit of ${file}:4:\\d+ is not taken over: .*comand`)),
    ]);
    expect(view.hint).not.toBe('');
    expect((await supervisor.ok('why', 'web')).trimEnd().split('\n').at(-1)).toMatch(/^ {2}hint: [A-Z]/);
    expect((await supervisor.cli('get', 'manifests')).stderr).toMatch(new RegExp(`^hint: ${file}: `));
    // While what it needs is tried again it waits for that to end.
    await until('parked', async () => (await supervisor.ok('get', 'c', '-o', 'wide')).includes('DependencyNotReady'));
  });

  test('finds a resource of any kind and a manifest by name', async () => {
    const file = supervisor.drop('app.yaml', `${BUSYBOX_IMAGE}volumes: { data: {}, twice: {} }\n`);
    supervisor.drop('other.yaml', 'volumes: { twice: {} }\n');
    await until('both there', async () => (await supervisor.ok('get', 'volumes')).match(/Ready/g)?.length === 3);
    expect(await supervisor.ok('describe', 'busybox')).toMatch(/^kind: +image/);
    expect(await supervisor.ok('why', 'app/data')).toMatch(/^volume\/app\/data is Ready/);
    expect(await supervisor.ok('why', 'app.yaml')).toContain(file);
    const { status, stderr } = await supervisor.cli('why', 'twice');
    expect([status, stderr]).toEqual([1, expect.stringMatching(/There is .*volume\/app\/twice.*: name it so/)]);
    // What no one declares has no app before its name.
    const names = (await supervisor.ok('get', 'images', '-o', 'name')).split('\n');
    expect(names.filter((name) => name.startsWith('/'))).toEqual([]);
  });

  test('shows the true time and last lines of an exit without a supervisor', async () => {
    supervisor.drop(
      'app.yaml',
      app(
        `  job: { image: busybox, command: ${shell("trap 'echo last; exit 5' TERM; echo first; sleep 3600 & wait")} }\n`,
      ),
    );
    const { id, pid } = await supervisor.waitFor('job', 'running', (view) => view.pid !== null);
    await until('the first line', async () => (await supervisor.ok('logs', 'job')) === 'first\n');
    await supervisor.crash();
    process.kill(pid ?? 0, 'SIGTERM');
    const { finishedAtMs } = await supervisor.exitRecord(id);
    await supervisor.start();
    await supervisor.waitFor('job', 'exited', ({ phase }) => phase === 'Exited');
    expect((await why('job')).steps.find(({ kind }) => kind === 'exit')).toMatchObject({
      at: new Date(finishedAtMs).toISOString(),
      text: 'exited with 5 (run 1)',
      log: ['first', 'last'],
    });
  });
});

describe('history and rollback', () => {
  const manifest = (mode: string) => app(`  web: { image: busybox, command: ${FOREVER}, env: { MODE: ${mode} } }\n`);

  test('names the requesting user, or the owner of a watched file', async () => {
    const watched = supervisor.drop('watched.yaml', 'volumes: { one: {} }\n');
    await until('the first taken over', async () => (await history())[0]?.generation === 1);
    writeFileSync(watched, 'volumes: { two: {} }\n');
    await until('the edit taken over', async () => (await history())[0]?.generation === 2);
    const file = supervisor.file('own/app.yaml', 'volumes: { three: {} }\n');
    await supervisor.ok('apply', '-f', file);
    chmodSync(supervisor.base, 0o755);
    await cliAs(1, 'delete', '-f', file);
    await cliAs(54_321, 'rollback', '--to', '3');
    const by = (await history()).map((generation) => generation.by);
    expect(by).toEqual([
      { uid: 54_321, user: null, via: 'api' },
      { uid: 1, user: 'daemon', via: 'api' },
      { uid: 0, user: 'root', via: 'api' },
      { uid: 0, user: 'root', via: 'file' },
      { uid: 0, user: 'root', via: 'file' },
    ]);
    const lines = (await supervisor.ok('history')).split('\n');
    expect(lines[1]).toMatch(/^5 \*.* uid 54321 +rolled back to generation 3/);
    expect(lines[4]).toMatch(/^2 .* root \(owner\) +edited watched.yaml/);
  });

  test('restores an applied manifest as a new generation', async () => {
    const file = supervisor.file('app.yaml', manifest('one'));
    await supervisor.ok('apply', '--wait', '-f', file);
    supervisor.file('app.yaml', manifest('two'));
    await supervisor.ok('apply', '--wait', '-f', file);
    const [newest, oldest] = await history();
    expect(newest).toMatchObject({
      generation: 2,
      current: true,
      cause: `applied ${file}`,
      files: [{ file, change: 'changed' }],
      resources: [{ resource: 'container/app/web', change: 'changed' }],
    });
    expect(oldest?.resources.map(({ change }) => change)).toEqual(['added', 'added']);
    expect(await supervisor.ok('history', '--diff', '2')).toContain('env.MODE: "one" -> "two"');

    expect(await supervisor.ok('rollback', '--to', '1', '--dry-run')).toContain('start container/app/web');
    expect(await history()).toHaveLength(2);
    await supervisor.ok('rollback', '--to', '1', '--wait');
    expect((await history())[0]).toMatchObject({ generation: 3, cause: 'rolled back to generation 1' });
    expect(await supervisor.ok('history', '--diff', '3')).toContain('env.MODE: "two" -> "one"');
    expect(await supervisor.ok('describe', 'web')).toContain('MODE: one');
    expect(await supervisor.cli('rollback', '--to', '77')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('there is no generation 77'),
    });
  });

  test('names a watched file, and --hold keeps its old app until the file changes', async () => {
    const file = supervisor.drop('app.yaml', manifest('one'));
    await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    supervisor.drop('app.yaml', manifest('two'));
    const mode = async () => /MODE: (\w+)/.exec(await supervisor.ok('describe', 'web'))?.[1];
    await until('the edit taken over', async () => (await mode()) === 'two');
    expect(await supervisor.cli('rollback', '--to', '1')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(new RegExp(`${file} differs from generation 1[^]*--hold`)),
    });
    await supervisor.ok('rollback', '--to', '1', '--hold', '--wait');
    expect(await mode()).toBe('one');
    const held = async () => JSON.parse(await supervisor.ok('get', 'manifests', '-o', 'json'))[0];
    expect(await held()).toMatchObject({ file, state: 'Held', held: 'rolled back to generation 1' });
    expect((await why('web')).now).toContain(`${file} is held: rolled back to generation 1`);

    await supervisor.crash();
    await supervisor.start();
    expect(await held()).toMatchObject({ state: 'Held' });
    expect(await mode()).toBe('one');
    supervisor.drop('app.yaml', manifest('three'));
    await until('the next edit taken over', async () => (await mode()) === 'three');
    expect(await held()).toMatchObject({ state: 'Active', held: null });
  });

  test('approve accepts the manifest of a held app', async () => {
    supervisor.drop('app.yaml', manifest('one'));
    await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    supervisor.drop('app.yaml', manifest('two'));
    await until('the edit taken over', async () => (await supervisor.ok('describe', 'web')).includes('MODE: two'));
    await supervisor.ok('rollback', '--to', '1', '--hold');
    expect(await supervisor.ok('approve', 'app')).toContain('approved app');
    expect(await supervisor.ok('describe', 'web')).toContain('MODE: two');
  });
});

describe('events', () => {
  test('-f prints new events, which the list has afterwards', async () => {
    supervisor.drop('app.yaml', app(`  web: { image: busybox, command: ${FOREVER} }\n`));
    const { pid } = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    let seen = '';
    const follower = execFile(resolve(import.meta.dirname, '../../bin/tsdocker'), ['events', '-f', '-o', 'json'], {
      env: { ...process.env, TSDOCKER_HOST: supervisor.socket },
    });
    try {
      follower.stdout?.on('data', (chunk: string) => {
        seen += chunk;
      });
      await until('the follower sees a request', async () => {
        await supervisor.cli('kill', '-s', 'URG', 'web');
        return seen.includes('"what":"kill"');
      });
      await supervisor.ok('stop', 'web');
      await until('the follower sees the end', () => seen.includes('"what":"exited"'));
      const last = seen.split('\n').filter((line) => line.includes('"exit"'));
      expect(JSON.parse(last[0] ?? '')).toMatchObject({
        resource: 'container/app/web',
        message: 'exited with 0',
        run: 1,
      });
    } finally {
      follower.kill();
    }
    const kept = await events();
    expect(kept.map(({ id }) => id)).toEqual([...kept.map(({ id }) => id)].sort((a, b) => a - b));
    const ofWeb = kept.filter(({ resource }) => resource === 'container/app/web');
    expect(ofWeb.map(({ what }) => what)).toEqual(
      expect.arrayContaining(['added', 'container.create', 'container.start', 'stop', 'exited', 'stopped-by-user']),
    );
    expect(pid).not.toBeNull();
    expect(await events('--since', '1h')).toEqual(await events());
    expect(await events('--since', '2100-01-01T00:00:00Z')).toEqual([]);
  });

  test('get -w shows a container appear and disappear', async () => {
    let seen = '';
    const watcher = execFile(resolve(import.meta.dirname, '../../bin/tsdocker'), ['get', 'containers', '-w'], {
      env: { ...process.env, TSDOCKER_HOST: supervisor.socket },
    });
    try {
      watcher.stdout?.on('data', (chunk: string) => {
        seen += chunk;
      });
      supervisor.drop('app.yaml', app(`  web: { image: busybox, command: ${FOREVER} }\n`));
      await until('it runs', () => /^web .* Running/m.test(seen));
      await supervisor.ok('stop', 'web');
      await until('it is stopped', () => /^web .* Exited/m.test(seen));
    } finally {
      watcher.kill();
    }
  });
});
