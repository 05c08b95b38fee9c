import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, expect, test } from 'vitest';
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

const manifest = (networks: string): string =>
  `${BUSYBOX_IMAGE}networks:\n  front: { ipv6: true }\n  back: {}\ncontainers:\n  web: { image: busybox, command: ${FOREVER}, networks: ${networks} }\n`;

test('networks come and go, and a deleted interface comes back, while the container runs', async () => {
  supervisor.drop('app.yaml', manifest('[front, back]'));
  const { pid } = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  const ip = (command: string): string =>
    execFileSync('nsenter', ['-t', String(pid), '-n', 'sh', '-c', `ip ${command}`], { encoding: 'utf8' });
  const names = (): string[] => [...ip('-o link').matchAll(/(eth\d)@/g)].map(([, name = '']) => name).sort();
  const nothingToDo = async () => (await supervisor.ok('plan', '-o', 'json')).includes('"ops": []');
  expect(names()).toEqual(['eth0', 'eth1']);
  expect(ip('-6 route show default')).toContain('default via fd');
  await until('nothing to do', nothingToDo);
  supervisor.drop('app.yaml', manifest('[front]'));
  await until('one interface', () => names().length === 1);
  await until('its default route', () => ip('route show default').includes(`dev ${names()[0]}`));
  supervisor.drop('app.yaml', manifest('[front, back]'));
  await until('two interfaces', () => names().length === 2);
  await until('nothing to do', nothingToDo);
  ip('link delete eth1');
  await until('the deleted interface', () => names().length === 2);
  await until('nothing to do', nothingToDo);
  expect((await supervisor.container('web'))?.pid).toBe(pid);
});
