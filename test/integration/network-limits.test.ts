/** Bandwidth and kernel settings of containers, as the kernel has them. */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BUSYBOX_IMAGE, FOREVER } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const supervisor = new TestSupervisor();

beforeAll(async () => {
  await supervisor.start();
});
afterAll(async () => {
  await supervisor.destroy();
});

function declare(web: string): void {
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}networks: { back: {}, front: {} }
containers:
  web: { image: busybox, command: ${FOREVER}, stopTimeout: 1s, ${web} }
`,
  );
}

const limits = () =>
  readdirSync('/sys/class/net')
    .filter((name) => name.startsWith(`v${supervisor.instance}`))
    .map(
      (name) => /tbf .*rate (\S+)/.exec(execFileSync('tc', ['qdisc', 'show', 'dev', name], { encoding: 'utf8' }))?.[1],
    );

const inside = async (...command: string[]) => {
  const { pid } = (await supervisor.container('web')) ?? {};
  return execFileSync('nsenter', ['-t', String(pid), '-n', ...command], { encoding: 'utf8' });
};

const setting = (name: string) => supervisor.ok('exec', 'web', '--', 'busybox', 'cat', `/proc/sys/${name}`);

test('a limit is set, changed and lifted on all networks while the container runs', async () => {
  declare('networks: [back, front]');
  const { pid } = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  expect(limits()).toEqual([undefined, undefined]);
  declare('networks: [back, front], bandwidth: { ingress: 8Mbit, egress: 4Mbit }');
  await until('both limited', () => limits().every((rate) => rate === '8Mbit'));
  for (const name of ['eth0', 'eth1'])
    await until(`${name} limited`, async () =>
      (await inside('tc', 'qdisc', 'show', 'dev', name)).includes('rate 4Mbit'),
    );
  declare('networks: [back, front], bandwidth: 16Mbit');
  await until('changed', () => limits().every((rate) => rate === '16Mbit'));
  declare('networks: [back, front]');
  await until('lifted', () => limits().every((rate) => rate === undefined));
  await until('lifted inside', async () => !(await inside('tc', 'qdisc')).includes('tbf'));
  expect(await supervisor.container('web')).toMatchObject({ pid, restarts: 0 });
});

test('settings are those of the manifest, per container by a restart and per interface in place', async () => {
  const own = "sysctls: { net.core.somaxconn: 333, kernel.shmmax: 123456, 'net.ipv4.conf.eth0.log_martians': 1 }";
  declare(`network: back, ${own}`);
  await until('set', async () => (await setting('net/core/somaxconn').catch(() => '')) === '333\n');
  expect(await setting('kernel/shmmax')).toBe('123456\n');
  expect(await setting('net/ipv4/conf/eth0/log_martians')).toBe('1\n');
  const { pid } = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  const interfaces = "networks: { back: { sysctls: { 'net.ipv4.conf.IFNAME.arp_ignore': 2 } } }";
  declare(`${interfaces}, ${own}`);
  await until('of the interface', async () => (await setting('net/ipv4/conf/eth0/arp_ignore')) === '2\n');
  expect(await setting('net/ipv4/conf/all/arp_ignore')).toBe('0\n');
  expect((await supervisor.container('web'))?.pid).toBe(pid);
  declare(interfaces);
  // A new namespace: what the setting was before is not known.
  await until('as the kernel has it', async () => (await setting('net/core/somaxconn').catch(() => '')) === '4096\n');
  expect(await setting('net/ipv4/conf/eth0/arp_ignore')).toBe('2\n');
  expect(await setting('net/ipv4/conf/eth0/log_martians')).toBe('0\n');
});
