/** What a manifest says about changed files, drift and preflight, and a stop with an end, with real containers. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ContainerView, NetworkView } from '../../src/api/views/resource-views.ts';
import { dockerArchive, findBusybox, tarOf } from '../support/images.ts';
import { BUSYBOX_IMAGE, FOREVER, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const supervisor = new TestSupervisor();

beforeAll(async () => {
  await supervisor.start();
});

afterAll(async () => {
  await supervisor.destroy();
});

test('a changed file sends the signal of its mount and stops nothing', async () => {
  const conf = supervisor.file('app.conf', 'one\n');
  const program = shell(
    `trap 'echo reloaded: $(cat /app.conf)' HUP; echo first: $(cat /app.conf); trap 'exit 0' TERM; while :; do sleep 3600 & wait; done`,
  );
  supervisor.drop(
    'reload.yaml',
    `${BUSYBOX_IMAGE}containers:
  reload:
    image: busybox
    command: ${program}
    volumes: [{ source: ${conf}, target: /app.conf, readOnly: true, onChange: 'signal:HUP' }]
`,
  );
  const before = await supervisor.waitFor('reload', 'ready', ({ ready }) => ready);
  await until('the first line', async () => (await supervisor.ok('logs', 'reload')).includes('first: one'));
  writeFileSync(conf, 'two\n');
  await until('the new content', async () => (await supervisor.ok('logs', 'reload')).includes('reloaded: two'));
  const after = await supervisor.waitFor('reload', 'settled', ({ ready }) => ready);
  expect(after).toMatchObject({ id: before.id, pid: before.pid });
  expect(await supervisor.ok('why', 'reload')).toContain(`content of ${conf} changed (signal:SIGHUP)`);
});

test('the payload reads the replaced file after the signal', async () => {
  const [conf, linked] = [supervisor.file('swap/app.conf', 'one\n'), supervisor.file('swap/linked.conf', 'a\n')];
  const program = shell(
    `trap 'echo reloaded: $(cat /app.conf /etc/deep/er/linked.conf)' HUP; echo up; trap 'exit 0' TERM; while :; do sleep 3600 & wait; done`,
  );
  supervisor.drop(
    'swap.yaml',
    `${BUSYBOX_IMAGE}containers:
  swap:
    image: busybox
    command: ${program}
    onChange: 'signal:HUP'
    volumes:
      - { source: ${conf}, target: /app.conf, readOnly: true }
      - { source: ${linked}, target: /etc/deep/er/linked.conf, readOnly: true }
`,
  );
  const before = await supervisor.waitFor('swap', 'ready', ({ ready }) => ready);
  await until('the trap', async () => (await supervisor.ok('logs', 'swap')).includes('up'));
  const mounts = () => readFileSync(`/proc/${before.pid}/mountinfo`, 'utf8').split('\n').length;
  const mounted = mounts();
  const replace = (file: string, content: string) => {
    writeFileSync(`${file}.new`, content);
    renameSync(`${file}.new`, file);
  };
  for (const [round, expected] of [
    ['two', 'reloaded: two a'],
    ['three', 'reloaded: three a'],
  ] as const) {
    replace(conf, `${round}\n`);
    await until(`${round} in the container`, async () => (await supervisor.ok('logs', 'swap')).includes(expected));
  }
  replace(linked, 'b\n');
  await until('the other file', async () => (await supervisor.ok('logs', 'swap')).includes('reloaded: three b'));
  writeFileSync(conf, 'four\n');
  await until('the file written to', async () => (await supervisor.ok('logs', 'swap')).includes('reloaded: four b'));
  const after = await supervisor.waitFor('swap', 'settled', ({ ready }) => ready);
  expect(after).toMatchObject({ id: before.id, pid: before.pid });
  expect(mounts(), 'old binds are gone').toBe(mounted);
  const refused = await supervisor.cli('exec', 'swap', 'busybox', 'sh', '-c', 'echo x > /app.conf');
  expect(refused.stderr).toContain('Read-only file system');
});

test('reported drift is shown, recorded in the timeline, and not repaired', async () => {
  supervisor.drop(
    'drift.yaml',
    `${BUSYBOX_IMAGE}containers: { lost: { image: busybox, command: ${FOREVER}, drift: report, ports: [80] } }\n`,
  );
  const links = () => readdirSync('/sys/class/net').filter((name) => name.startsWith(`v${supervisor.instance}`));
  const before = new Set(links());
  const { pid } = await supervisor.waitFor('lost', 'ready', ({ ready }) => ready);
  const [own = ''] = links().filter((name) => !before.has(name));
  execFileSync('ip', ['link', 'delete', own]);
  const view = await supervisor.waitFor('lost', 'drift reported', ({ conditions }) =>
    conditions.some(({ type }) => type === 'Drifted'),
  );
  expect(view).toMatchObject({
    phase: 'Running',
    pid,
    message: 'drifted: veth missing; left as it is (drift: report)',
  });
  expect(await supervisor.ok('why', 'lost')).toContain('veth missing; left as it is (drift: report)');
  expect(links()).not.toContain(own);

  await supervisor.crash();
  await supervisor.start();
  await supervisor.waitFor('lost', 'drift reported again', ({ message }) => message.includes('left as it is'));
  expect(links()).not.toContain(own);
});

test('lost addresses of containers and networks are healed, reported or ignored', async () => {
  const policies = ['heal', 'report', 'ignore'] as const;
  const networks = policies.map((drift) => `  ${drift}: { drift: ${drift} }\n`).join('');
  const containers = policies.map((drift) => `  c${drift}: { image: busybox, command: ${FOREVER}, drift: ${drift} }\n`);
  supervisor.drop('taken.yaml', `${BUSYBOX_IMAGE}networks:\n${networks}containers:\n${containers.join('')}`);
  const views = new Map<string, ContainerView>();
  for (const drift of policies) views.set(drift, await supervisor.waitFor(`c${drift}`, 'ready', ({ ready }) => ready));
  const listed = async () => JSON.parse(await supervisor.ok('get', 'networks', '-o', 'json')) as NetworkView[];
  await until('the networks', async () => (await listed()).filter(({ phase }) => phase === 'Ready').length >= 3);
  const ip = (...args: string[]) => execFileSync('ip', args, { encoding: 'utf8' });
  const inside = (drift: string, ...args: string[]) =>
    execFileSync('nsenter', ['-t', `${views.get(drift)?.pid}`, '-n', 'ip', ...args], { encoding: 'utf8' });
  const containerHas = (drift: string) => inside(drift, '-4', 'addr').includes(`${views.get(drift)?.address}/`);
  const bridges = new Map((await listed()).map(({ name, bridge, gateway }) => [name, { bridge, gateway }]));
  const networkHas = (drift: string) =>
    ip('-4', 'addr', 'show', 'dev', bridges.get(drift)?.bridge ?? '').includes(`${bridges.get(drift)?.gateway}/`);

  // What is healed last is taken away last: when it is back, everything has been looked at.
  for (const drift of [...policies].reverse()) {
    inside(drift, 'addr', 'flush', 'dev', 'eth0');
    ip('addr', 'flush', 'dev', bridges.get(drift)?.bridge ?? '');
  }
  await until('the container healed', () => containerHas('heal'));
  await until('the network healed', () => networkHas('heal'));
  expect(inside('heal', 'route')).toContain('default via');
  expect(await supervisor.container('cheal')).toMatchObject({ pid: views.get('heal')?.pid, restarts: 0 });
  await supervisor.waitFor('creport', 'the drift', ({ message }) =>
    /^drifted: address 10\..* missing; left/.test(message),
  );
  const reported = await until('the drift of the network', async () =>
    (await listed()).find(({ name, message }) => name === 'report' && message.includes('drift: report')),
  );
  expect(reported.message).toContain('bridge or rules missing; left as it is');
  expect((await supervisor.container('cignore'))?.message).not.toContain('drift');
  expect((await listed()).find(({ name }) => name === 'ignore')?.message).not.toContain('drift');
  expect(['report', 'ignore'].filter((drift) => containerHas(drift) || networkHas(drift))).toEqual([]);

  await supervisor.crash();
  await supervisor.start();
  await supervisor.waitFor('creport', 'the drift again', ({ message }) => message.includes('left as it is'));
  expect(['report', 'ignore'].filter((drift) => containerHas(drift))).toEqual([]);
});

test('a lost default route is healed, reported or ignored', async () => {
  const policies = ['heal', 'report', 'ignore'] as const;
  const containers = policies.map((drift) => `  r${drift}: { image: busybox, command: ${FOREVER}, drift: ${drift} }\n`);
  supervisor.drop('routes.yaml', `${BUSYBOX_IMAGE}containers:\n${containers.join('')}`);
  const pids = new Map<string, number | null>();
  for (const drift of policies) {
    pids.set(drift, (await supervisor.waitFor(`r${drift}`, 'ready', ({ ready }) => ready)).pid);
  }
  const route = (drift: string, ...args: string[]) =>
    execFileSync('nsenter', ['-t', `${pids.get(drift)}`, '-n', 'ip', 'route', ...args], { encoding: 'utf8' });
  const has = (drift: string) => route(drift).includes(`default via ${supervisor.subnet}.1`);
  expect(policies.filter(has)).toEqual(policies);
  for (const drift of policies) route(drift, 'delete', 'default');
  await until('the route back', () => has('heal'));
  expect((await supervisor.container('rheal'))?.pid).toBe(pids.get('heal'));
  expect(await supervisor.ok('why', 'rheal')).toContain('because: default route missing');
  await supervisor.waitFor('rreport', 'the drift', ({ message }) =>
    message.startsWith('drifted: default route missing; left as it is'),
  );
  expect((await supervisor.container('rignore'))?.message).toBe('');
  expect(['report', 'ignore'].filter(has)).toEqual([]);
});

test('a stop with a time is shown, survives the supervisor, and expires', async () => {
  supervisor.drop('nap.yaml', `${BUSYBOX_IMAGE}containers: { nap: { image: busybox, command: ${FOREVER} } }\n`);
  const before = await supervisor.waitFor('nap', 'ready', ({ ready }) => ready);
  await supervisor.ok('stop', '--for', '6s', 'nap');
  expect(await supervisor.container('nap')).toMatchObject({ phase: 'Exited' });
  expect((await supervisor.container('nap'))?.message).toMatch(/^stopped until \d{4}-.*Z, `tsdocker start`/);
  await supervisor.crash();
  await supervisor.start();
  const after = await supervisor.waitFor('nap', 'back', ({ phase }) => phase === 'Running');
  expect(after.id).toBe(before.id);
  expect(after.conditions.map(({ type }) => type)).not.toContain('Stopped');
  expect(await supervisor.ok('why', 'nap')).toContain('the time it was stopped for is over');
});

test('a limit that the host cannot satisfy is reported with its line before anything stops', async () => {
  const manifest = (resources: string, mode: string) => `${BUSYBOX_IMAGE}containers:
  fit:
    image: busybox
    command: ${FOREVER}
    env: { MODE: ${mode} }
    resources: ${resources}
`;
  const file = supervisor.drop('fit.yaml', manifest('{}', 'one'));
  const before = await supervisor.waitFor('fit', 'ready', ({ ready }) => ready);
  supervisor.drop('fit.yaml', manifest('{ cpuset: "0-4095" }', 'two'));
  const held = await supervisor.waitFor('fit', 'held', ({ message }) => message.includes('cpuset'));
  expect(held).toMatchObject({ phase: 'Running', pid: before.pid });
  expect(held.message).toContain(`${file}:`);
  expect(held.message).toContain('this host has no CPU');
  supervisor.drop('fit.yaml', manifest('{}', 'two'));
  await supervisor.waitFor('fit', 'the change', ({ pid, ready }) => ready && pid !== before.pid);
});

test('an image for another architecture is held before anything stops', async () => {
  const layer = tarOf({ path: 'bin/busybox', mode: 0o755, content: readFileSync(findBusybox() ?? '') });
  const archive = supervisor.file('foreign.tar', dockerArchive({ layers: [layer], architecture: 's390x' }));
  const manifest = (image: string) =>
    `images: { own: { host: [busybox] }, foreign: { archive: ${archive} } }\ncontainers: { native: { image: ${image}, command: ${FOREVER} } }\n`;
  const file = supervisor.drop('native.yaml', manifest('own'));
  const before = await supervisor.waitFor('native', 'ready', ({ ready }) => ready);
  supervisor.drop('native.yaml', manifest('foreign'));
  const held = await supervisor.waitFor('native', 'held', ({ message }) => message.includes('s390x'));
  expect(held).toMatchObject({ id: before.id, pid: before.pid, phase: 'Running', restarts: 0 });
  expect(held.message).toContain(`${file}:2:`);
  expect(held.message).toMatch(/image foreign is for linux\/s390x, this host is linux\/\w+/);
  supervisor.drop('native.yaml', manifest('own'));
  const after = await supervisor.waitFor('native', 'not held', ({ message }) => !message.includes('s390x'));
  expect(after).toMatchObject({ id: before.id, pid: before.pid, ready: true });
});

test('a command missing from the image uses up the restarts of its policy', async () => {
  supervisor.drop(
    'missing.yaml',
    `${BUSYBOX_IMAGE}containers:\n  missing: { image: busybox, command: [no-such-command], restart: 'on-failure:2' }\n`,
  );
  const used = await supervisor.waitFor('missing', 'given up', ({ message }) => message.includes('restarts used'));
  expect(used).toMatchObject({ phase: 'Failed', restarts: 2 });
  expect(used.message).toMatch(/no-such-command.*all 2 restarts used/);
  supervisor.drop(
    'missing.yaml',
    `${BUSYBOX_IMAGE}containers:\n  missing: { image: busybox, command: ${FOREVER}, restart: 'on-failure:2' }\n`,
  );
  expect(await supervisor.waitFor('missing', 'mended', ({ ready }) => ready)).toMatchObject({ restarts: 0 });
});
