/** `container:NAME` follows its owner: a joiner never stays in a namespace that its owner has left. */
import { closeSync, openSync, readFileSync, readlinkSync } from 'node:fs';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { BUSYBOX_IMAGE, FOREVER } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;
beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});
afterEach(async () => {
  await supervisor.destroy();
});

const app = (containers: string, networks = '{}') =>
  `${BUSYBOX_IMAGE}networks: ${networks}\ncontainers:\n${containers}`;
const container = (name: string, rest: string) =>
  `  ${name}: { image: busybox, command: ${FOREVER}, stopTimeout: 1s, restart: always, ${rest} }\n`;
const OWNER = container('pod', 'labels: { v: "1" }');
const JOINERS = container('side', 'network: "container:pod"') + container('third', 'network: "container:pod"');

const namespaceOf = (pid: number | null): string => readlinkSync(`/proc/${pid}/ns/net`);
const gateway = (): string => `${supervisor.subnet}.1`;

/** All run, in one namespace, from which the gateway answers. */
async function together(names: readonly string[] = ['pod', 'side', 'third']): Promise<string> {
  const found = await until('all in one namespace', async () => {
    const views = await Promise.all(names.map((name) => supervisor.container(name)));
    if (views.some((view) => view?.ready !== true || view.pid === null)) return null;
    const namespaces = new Set(views.map((view) => namespaceOf(view?.pid ?? null)));
    return namespaces.size === 1 ? [...namespaces][0] : null;
  });
  for (const name of names) await supervisor.ok('exec', name, '--', 'busybox', 'ping', '-c', '1', '-W', '5', gateway());
  return found ?? '';
}

/** A process that ends by force: its shim writes down how. */
function kill(pid: number | null | undefined): void {
  if (!pid) throw new Error('it does not run');
  process.kill(pid, 'SIGKILL');
}

test('when the owner crashes and comes back by its policy, it comes back to them', async () => {
  supervisor.drop('app.yaml', app(OWNER + JOINERS));
  const before = await together();
  const side = await supervisor.container('side');
  kill((await supervisor.container('pod'))?.pid);
  await supervisor.waitFor('pod', 'restarted', ({ restarts, ready }) => restarts === 1 && ready);
  expect(await together()).toBe(before);
  expect((await supervisor.container('side'))?.pid).toBe(side?.pid);
});

test('when the owner crashes while no supervisor runs, it comes back to them', async () => {
  supervisor.drop('app.yaml', app(OWNER + JOINERS));
  const before = await together();
  const [pod, side] = [await supervisor.container('pod'), await supervisor.container('side')];
  await supervisor.crash();
  kill(pod?.pid);
  await supervisor.exitRecord(pod?.id ?? '');
  await supervisor.start();
  await supervisor.waitFor('pod', 'restarted', ({ pid, ready }) => pid !== pod?.pid && ready);
  expect(await together()).toBe(before);
  expect((await supervisor.container('side'))?.pid).toBe(side?.pid);
});

test('an owner that is done and a restart of the supervisor cut nobody off', async () => {
  const done = container('pod', '').replace('restart: always', 'restart: "no"');
  supervisor.drop('app.yaml', app(done + JOINERS));
  await together();
  const pod = await supervisor.container('pod');
  await supervisor.crash();
  kill(pod?.pid);
  await supervisor.exitRecord(pod?.id ?? '');
  await supervisor.start();
  await supervisor.waitFor('pod', 'ended', ({ phase }) => phase !== 'Running');
  await together(['side', 'third']);
});

test.each([
  ['recreated', container('pod', 'readOnly: true'), '{}', /pod, whose network it shares, is recreated/],
  [
    'on a network that is recreated',
    container('pod', 'network: back'),
    '{ back: { subnet: SUBNET } }',
    /pod, whose network it shares, gets another one/,
  ],
])(
  'when the owner is %s, they restart in its new namespace, and plan and why say so',
  async (_what, owner, networks, why) => {
    const second = supervisor.subnet.replace('10.232.', '10.233.');
    const at = (last: number) => networks.replace('SUBNET', `${second}.${last}/28`);
    const first = networks === '{}' ? OWNER : owner;
    supervisor.drop('app.yaml', app(first + JOINERS, at(0)));
    const names = ['pod', 'side', 'third'];
    const inOne = () =>
      until('all in one namespace', async () => {
        const views = await Promise.all(names.map((name) => supervisor.container(name)));
        if (views.some((view) => view?.ready !== true || view.pid === null)) return null;
        const namespaces = new Set(views.map((view) => namespaceOf(view?.pid ?? null)));
        return namespaces.size === 1 ? ([...namespaces][0] ?? null) : null;
      });
    const before = await inOne();
    // While it is there no other one gets its number.
    const held = openSync(`/proc/${(await supervisor.container('pod'))?.pid}/ns/net`, 'r');
    onTestFinished(() => closeSync(held));
    supervisor.drop('app.yaml', app(owner + JOINERS, at(16)));
    await until('another namespace of all', async () => (await inOne()) !== before);
    for (const name of ['side', 'third']) expect(await supervisor.ok('why', name)).toMatch(why);
  },
);

/** Its shim. */
const parentOf = (pid: number): number =>
  Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

test('one that is found in a namespace that its owner has left is brought along, and why says so', async () => {
  supervisor.drop('app.yaml', app(OWNER + container('side', 'network: "container:pod"')));
  const before = await together(['pod', 'side']);
  const [pod, side] = [await supervisor.container('pod'), await supervisor.container('side')];
  const shim = parentOf(side?.pid ?? 0);
  await supervisor.crash();
  kill(pod?.pid);
  await supervisor.exitRecord(pod?.id ?? '');
  // Nothing is known of the joiner until its shim answers: its owner is not kept waiting.
  process.kill(shim, 'SIGSTOP');
  try {
    await supervisor.start();
    const again = await supervisor.waitFor('pod', 'restarted', ({ pid, ready }) => pid !== pod?.pid && ready);
    expect(namespaceOf(again.pid)).not.toBe(before);
  } finally {
    process.kill(shim, 'SIGCONT');
  }
  expect(await together(['pod', 'side'])).not.toBe(before);
  expect((await supervisor.container('side'))?.pid).not.toBe(side?.pid);
  expect(await supervisor.ok('why', 'side')).toContain('network of container/app/pod was replaced');
  expect(await supervisor.ok('plan', '-o', 'json')).toContain('"ops": []');
});
