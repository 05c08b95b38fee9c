import { chmodSync, existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SupervisorClient } from '../../src/api/client.ts';
import type { VolumeView } from '../../src/api/views/resource-views.ts';
import { asked } from '../support/asked.ts';
import { BUSYBOX_IMAGE, FOREVER, IDLE, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;

beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});

afterEach(async () => {
  await supervisor.destroy();
});

const KEEP_COUNT = shell(`echo run >> /data/runs; wc -l < /data/runs; ${IDLE}`);

describe('volumes', () => {
  test('a named volume keeps its data when its manifest is recreated, removed and restored', async () => {
    const manifest = (user: string) =>
      `${BUSYBOX_IMAGE}volumes: { data: {} }\ncontainers:\n  web: { image: busybox, command: ${KEEP_COUNT}, volumes: ["data:/data"], labels: { a: b }, readOnly: ${user} }\n`;
    const keeper = `${BUSYBOX_IMAGE}containers:\n  keeper: { image: busybox, command: ${FOREVER} }\n`;
    supervisor.drop('keeper.yaml', keeper);
    const file = supervisor.drop('app.yaml', manifest('false'));
    const first = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    supervisor.drop('app.yaml', manifest('true'));
    const second = await supervisor.waitFor('web', 'recreated', ({ ready, id }) => ready && id !== first.id);
    await until('two runs seen', async () => (await supervisor.ok('logs', 'web')).trim() === '2');
    expect(second.address).toBe(first.address);
    rmSync(file);
    await until('web removed', async () => !(await supervisor.container('web')));
    supervisor.drop('app.yaml', manifest('false'));
    await supervisor.waitFor('web', 'back', ({ ready }) => ready);
    await until('three runs seen', async () => (await supervisor.ok('logs', 'web')).trim() === '3');
  });

  test('anonymous data survives its container, is listed, and is deleted only on request', async () => {
    const manifest = `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${KEEP_COUNT}, volumes: ["/data"] }\n`;
    const listed = async (): Promise<readonly VolumeView[]> =>
      JSON.parse(await supervisor.ok('get', 'volumes', '-o', 'json')) as VolumeView[];
    const runs = async (count: number) => {
      await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
      await until(`${count} runs seen`, async () => (await supervisor.ok('logs', 'web')).trim() === String(count));
    };
    const released = async (): Promise<VolumeView> => {
      await until('the volume is released', async () => (await listed())[0]?.phase === 'Released');
      return (await listed())[0] as VolumeView;
    };
    const keeper = `${BUSYBOX_IMAGE}containers:\n  keeper: { image: busybox, command: ${FOREVER} }\n`;
    supervisor.drop('keeper.yaml', keeper);
    const file = supervisor.drop('app.yaml', manifest);
    await runs(1);
    const [volume, ...others] = await listed();
    expect(others).toEqual([]);
    expect(volume).toMatchObject({
      app: 'app',
      phase: 'Ready',
      anonymous: { container: 'app/web', target: '/data' },
      releasedAt: null,
      usedBy: ['app-web'],
    });
    rmSync(file);
    const left = await released();
    expect(left).toMatchObject({ id: volume?.id, usedBy: [], releasedAt: expect.any(String) });
    expect(left.message).toContain('was /data of app/web, which is gone');
    // No one approved the loss of this very data.
    await supervisor.ok('approve');
    await supervisor.ok('system', 'prune', '--all', '--yes');
    supervisor.drop('app.yaml', manifest);
    await runs(2);
    expect((await supervisor.cli('approve', `app/${left.name}`)).stdout).toContain('Nothing was waiting');
    await supervisor.ok('system', 'prune', '--volumes', '--yes');
    rmSync(file);
    const again = await released();
    expect(existsSync(join(again.path, 'runs'))).toBe(true);
    expect(await supervisor.ok('approve', `volume/app/${again.name}`)).toContain('approved');
    await until('the volume is gone', async () => (await listed()).length === 0);
    expect(existsSync(again.path)).toBe(false);
    supervisor.drop('app.yaml', manifest);
    await runs(1);
    rmSync(file);
    const last = await released();
    expect(await supervisor.ok('system', 'prune', '--volumes', '--yes')).toContain(`volume app/${last.name} /data`);
    expect(await listed()).toEqual([]);
    expect(existsSync(last.path)).toBe(false);
  });

  test('a confirmed prune deletes only the listed data', async () => {
    const one = (name: string) =>
      `${BUSYBOX_IMAGE}containers:\n  ${name}: { image: busybox, command: ${FOREVER}, volumes: ["/data"] }\n`;
    supervisor.drop('keeper.yaml', `${BUSYBOX_IMAGE}containers:\n  keeper: { image: busybox, command: ${FOREVER} }\n`);
    const files = ['first', 'second'].map((name) => supervisor.drop(`${name}.yaml`, one(name)));
    for (const name of ['first', 'second']) await supervisor.waitFor(name, 'ready', ({ ready }) => ready);
    const leave = async (index: number): Promise<VolumeView> => {
      const app = ['first', 'second'][index];
      rmSync(files[index] as string);
      return await until(`the volume of ${app} is released`, async () => {
        const volumes = JSON.parse(await supervisor.ok('get', 'volumes', '-o', 'json')) as VolumeView[];
        return volumes.find((volume) => volume.app === app && volume.phase === 'Released') ?? null;
      });
    };
    const left = [await leave(0)];
    // A name has a part of the id only.
    const client = new SupervisorClient(supervisor.socket);
    const found = await client.imageFiles.prune({ all: false, volumes: true, dryRun: true, listed: null });
    expect(found.volumes).toMatchObject([{ id: left[0]?.id }]);
    const listed = { ...found, volumes: found.volumes.map((volume) => ({ ...volume, id: '0'.repeat(64) })) };
    const others = await client.imageFiles.prune({ all: false, volumes: true, dryRun: false, listed });
    expect(others.volumes).toEqual([]);
    expect(existsSync(left[0]?.path ?? '')).toBe(true);
    const status = await asked(supervisor, ['system', 'prune', '--volumes'], {
      question: 'Remove them? [y/N]',
      meanwhile: async () => void left.push(await leave(1)),
      answer: 'y',
      shown: 'Freed',
    });
    expect(status).toBe(0);
    expect(left.map(({ path }) => existsSync(path))).toEqual([false, true]);
  });

  test('a missing bind source parks the container until it appears', async () => {
    const source = join(supervisor.base, 'late');
    supervisor.drop(
      'app.yaml',
      `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${shell(`cat /late; ${IDLE}`)}, volumes: ["${source}:/late:ro"] }\n`,
    );
    const parked = await supervisor.waitFor('web', 'parked', ({ message }) => message.includes(source));
    expect(parked.phase).not.toBe('Running');
    supervisor.file('late', 'here at last\n');
    await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    await until('the content', async () => (await supervisor.ok('logs', 'web')) === 'here at last\n');
  });

  test('a missing bind source has a hint, and `create` creates it once, as plan says', async () => {
    const source = join(supervisor.base, 'not there/data');
    const manifest = (mount: string) =>
      `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${FOREVER}, volumes: [${mount}] }\n`;
    supervisor.drop('app.yaml', manifest(`"${source}:/data"`));
    const parked = await supervisor.waitFor('web', 'parked', ({ message }) => message.includes(source));
    const hint = `Create it with \`mkdir -p '${source}'\`, or write \`create: true\` at that mount.`;
    expect(parked.hint).toBe(hint);
    expect((await supervisor.cli('plan')).stdout).toContain(hint);
    const made = manifest(`{ source: "${source}", target: /data, create: { owner: "70:71", mode: "0750" } }`);
    const file = supervisor.file('next.yaml', made);
    const planned = await supervisor.cli('plan', '-f', file);
    expect(planned.stdout).toMatch(/^make-directories container\/next\/web — missing, .*: \S+\/not there\/data /m);
    expect(existsSync(source)).toBe(false);
    supervisor.drop('app.yaml', made);
    const { id } = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    const attributes = () => {
      const { uid, gid, mode } = statSync(source);
      return { uid, gid, mode: mode & 0o7777 };
    };
    expect(attributes()).toEqual({ uid: 70, gid: 71, mode: 0o750 });
    chmodSync(source, 0o700);
    await supervisor.ok('restart', 'web');
    await supervisor.waitFor('web', 'restarted', ({ ready, id: now }) => ready && now === id);
    expect(attributes()).toEqual({ uid: 70, gid: 71, mode: 0o700 });
    expect((await supervisor.cli('plan')).stdout).toMatch(/^Nothing to do\.$/m);
  });

  test('env files and secrets reach the payload, and the secret stays out of the state', async () => {
    supervisor.file('manifests/web.env', '# comment\nFROM_FILE=yes\n');
    supervisor.file('manifests/secret', 'hunter2-very-secret\n');
    supervisor.drop(
      'app.yaml',
      `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${FOREVER}, envFile: ./web.env, env: { PASSWORD: { fromFile: ./secret } } }\n`,
    );
    const { pid, id } = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    const environ = readFileSync(`/proc/${pid}/environ`, 'utf8');
    expect(environ).toContain('FROM_FILE=yes');
    expect(environ).toContain('PASSWORD=hunter2-very-secret');
    const { execFileSync } = await import('node:child_process');
    const found = execFileSync('sh', ['-c', `grep -rl hunter2-very-secret ${supervisor.root} || true`], {
      encoding: 'utf8',
    });
    expect(found).toBe('');
    expect(await supervisor.ok('describe', 'container', 'web')).not.toContain('hunter2');
    expect(existsSync(join(supervisor.root, 'containers', id))).toBe(true);
  });
});

describe('exec', () => {
  test('runs inside the container with exit code, stdin and both streams', async () => {
    supervisor.drop(
      'app.yaml',
      `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${FOREVER}, hostname: inside }\n`,
    );
    await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    const result = await supervisor.cliWithInput(
      'typed\n',
      'exec',
      '-i',
      'web',
      '--',
      'busybox',
      'sh',
      '-c',
      'hostname; cat; echo bad >&2; exit 4',
    );
    expect(result).toEqual({ status: 4, stdout: 'inside\ntyped\n', stderr: 'bad\n' });
  });

  test('uses the user and directory of the container', async () => {
    supervisor.drop(
      'app.yaml',
      `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${FOREVER}, user: "1234:5678", workingDir: /tmp }\n`,
    );
    await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    expect(await supervisor.ok('exec', 'web', '--', 'busybox', 'sh', '-c', 'id -u; id -g; pwd')).toBe(
      '1234\n5678\n/tmp\n',
    );
    expect(await supervisor.ok('exec', '-u', '0', '-w', '/', 'web', '--', 'busybox', 'sh', '-c', 'id -u; pwd')).toBe(
      '0\n/\n',
    );
  });

  test('names an ended container', async () => {
    supervisor.drop('app.yaml', `${BUSYBOX_IMAGE}containers:\n  job: { image: busybox, command: [busybox, "true"] }\n`);
    await supervisor.waitFor('job', 'ended', ({ phase }) => phase === 'Exited');
    const { status, stderr } = await supervisor.cli('exec', 'job', '--', 'true');
    expect(status).toBe(125);
    expect(stderr).toMatch(/^error: container app-job is not running: exited with 0/);
  });

  test('names a missing command', async () => {
    supervisor.drop('app.yaml', `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${FOREVER} }\n`);
    await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    const { status, stderr } = await supervisor.cli('exec', 'web', '--', 'no-such-program');
    expect(status).not.toBe(0);
    expect(stderr).toContain('no-such-program');
  });
});
