import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BUSYBOX_IMAGE, FOREVER, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;

beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});

afterEach(async () => {
  await supervisor.destroy();
});

const alive = (pid: number) => existsSync(`/proc/${pid}`);

describe('a manifest in the watched directory', () => {
  test('starts a container, and its removal removes the container', async () => {
    const file = supervisor.drop(
      'app.yaml',
      `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${FOREVER} }\n`,
    );
    const web = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    expect(web).toMatchObject({ app: 'app', engineName: 'app-web', phase: 'Running', exitCode: null, restarts: 0 });
    expect(web.source).toMatchObject({ file, line: 4 });
    const pid = web.pid ?? 0;
    expect(readFileSync(`/proc/${pid}/comm`, 'utf8').trim()).toBe('busybox');
    supervisor.drop('other.yaml', `${BUSYBOX_IMAGE}containers:\n  other: { image: busybox, command: ${FOREVER} }\n`);
    await supervisor.waitFor('other', 'ready', ({ ready }) => ready);
    const { rmSync } = await import('node:fs');
    rmSync(file);
    await until('web removed', async () => !(await supervisor.container('web')));
    expect(alive(pid)).toBe(false);
    expect(await supervisor.container('other')).toMatchObject({ phase: 'Running' });
    expect(supervisor.hostState().links.filter((name) => name.startsWith('v'))).toHaveLength(1);
  });

  test('with a bad edit changes nothing and is named with its position', async () => {
    const file = supervisor.drop(
      'app.yaml',
      `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${FOREVER} }\n`,
    );
    const { pid } = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    supervisor.drop('app.yaml', `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, comand: ${FOREVER} }\n`);
    const manifest = await until('the manifest rejected', async () => {
      const views = JSON.parse(await supervisor.ok('get', 'manifests', '-o', 'json'));
      return views.find((view: { file: string; state: string }) => view.file === file && view.state === 'Rejected');
    });
    expect(manifest.issues[0]).toMatchObject({ line: 4, column: 26 });
    expect(manifest.issues[0].message).toMatch(/comand.*command/);
    expect(await supervisor.container('web')).toMatchObject({ phase: 'Running', pid });
  });

  test('with an edit of one container does not affect the other', async () => {
    const manifest = (value: string) =>
      `${BUSYBOX_IMAGE}containers:\n  a: { image: busybox, command: ${FOREVER}, env: { X: ${value} } }\n  b: { image: busybox, command: ${FOREVER} }\n`;
    supervisor.drop('app.yaml', manifest('one'));
    const a = await supervisor.waitFor('a', 'ready', ({ ready }) => ready);
    const b = await supervisor.waitFor('b', 'ready', ({ ready }) => ready);
    supervisor.drop('app.yaml', manifest('two'));
    const changed = await supervisor.waitFor('a', 'restarted', ({ ready, pid }) => ready && pid !== a.pid);
    expect(readFileSync(`/proc/${changed.pid}/environ`, 'utf8')).toContain('X=two');
    expect(changed.address).toBe(a.address);
    expect((await supervisor.container('b'))?.pid).toBe(b.pid);
  });
});

describe('apply', () => {
  test('--wait returns after a one-shot exits with 0, with its log complete', async () => {
    const file = supervisor.file(
      'job.yaml',
      `${BUSYBOX_IMAGE}containers:\n  job: { image: busybox, command: ${shell('echo one; echo two >&2; echo -n three')} }\n`,
    );
    await supervisor.ok('apply', '--wait=2m', '-f', file);
    expect(await supervisor.container('job')).toMatchObject({ phase: 'Exited', ready: true, exitCode: 0 });
    const { stdout, stderr } = await supervisor.cli('logs', 'job');
    expect(stdout).toBe('one\nthree');
    expect(stderr).toBe('two\n');
  });

  test('matches plan, which exits with 2 before and 0 after', async () => {
    const file = supervisor.file(
      'app.yaml',
      `${BUSYBOX_IMAGE}volumes: { data: {} }\ncontainers:\n  web: { image: busybox, command: ${FOREVER}, volumes: ["data:/data"] }\n`,
    );
    const before = await supervisor.cli('plan', '-f', file);
    expect(before.status).toBe(2);
    expect(before.stdout).toContain('container/app/web');
    await supervisor.ok('apply', '--wait=2m', '-f', file);
    const after = await supervisor.cli('plan', '-f', file);
    expect(after.stdout + after.stderr).not.toContain('container.create');
    expect(after.status).toBe(0);
    const json = JSON.parse((await supervisor.cli('plan', '-o', 'json')).stdout);
    expect(json.ops).toEqual([]);
  });

  test('keeps manifests over a restart of the supervisor', async () => {
    const file = supervisor.file(
      'app.yaml',
      `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${FOREVER} }\n`,
    );
    await supervisor.ok('apply', '--wait=2m', '-f', file);
    const { pid } = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    await supervisor.stop();
    expect(alive(pid ?? 0)).toBe(true);
    await supervisor.start();
    expect(await supervisor.waitFor('web', 'adopted', ({ ready }) => ready)).toMatchObject({ pid, restarts: 0 });
    await supervisor.ok('delete', '-f', file);
    await until('web removed', async () => !(await supervisor.container('web')));
    expect(alive(pid ?? 0)).toBe(false);
    expect(readdirSync(join(supervisor.root, 'containers'))).toEqual([]);
  });
});

const QUICK = `command: ${FOREVER}, stopTimeout: 1s`;

describe('delete', () => {
  test('of one resource leaves the rest of its manifest unchanged, also after a restart', async () => {
    const text = `${BUSYBOX_IMAGE}containers:\n  gone: { image: busybox, ${QUICK} }\n  stays: { image: busybox, ${QUICK} }\n  user: { image: busybox, ${QUICK}, links: [stays] }\n`;
    const file = supervisor.file('app.yaml', text);
    await supervisor.ok('apply', '--wait=2m', '-f', file);
    const stays = await supervisor.container('stays');
    await supervisor.ok('delete', '--wait=2m', 'container/app/gone');
    expect((await supervisor.containers()).map(({ name }) => name)).toEqual(['stays', 'user']);
    await supervisor.crash();
    await supervisor.start();
    expect(await supervisor.container('gone')).toBeUndefined();
    expect(await supervisor.waitFor('stays', 'adopted', ({ ready }) => ready)).toMatchObject({
      pid: stays?.pid,
      source: stays?.source,
    });
    const linked = await supervisor.cli('delete', 'stays');
    expect(linked.status).toBe(1);
    expect(linked.stderr).toContain(`${file}:6:`);
    expect((await supervisor.container('stays'))?.pid).toBe(stays?.pid);
  });

  test('of a watched resource is refused and names the file', async () => {
    const file = supervisor.drop('app.yaml', `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, ${QUICK} }\n`);
    await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    for (const [args, hint] of [
      [['web'], `Remove it from ${file}.`],
      [['-f', file], `rm ${file}`],
    ] as const) {
      const { status, stderr } = await supervisor.cli('delete', ...args);
      expect(status).toBe(1);
      expect(stderr).toContain(file);
      expect(stderr).toContain(hint);
    }
    expect(await supervisor.container('web')).toMatchObject({ phase: 'Running' });
  });
});
