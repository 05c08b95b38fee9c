/** Containers on an interface of the host, which the host itself does not reach. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { withRouteSocket } from '../../src/drivers/network/route-socket.ts';
import { knowsKind } from '../../src/ffi/network/l2-links.ts';
import { BUSYBOX_IMAGE, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';

const supervisor = new TestSupervisor();
const PARENT = `tsdp${process.pid % 100_000}`;
const ip = (...args: string[]): unknown => execFileSync('ip', args, { stdio: 'pipe' });
const has = withRouteSocket((socket) => knowsKind(socket, 'macvlan'));

beforeAll(async () => {
  ip('link', 'add', PARENT, 'type', 'veth', 'peer', 'name', `${PARENT}w`);
  for (const link of [PARENT, `${PARENT}w`]) ip('link', 'set', link, 'up');
  await supervisor.start();
});

afterAll(async () => {
  await supervisor.destroy();
  ip('link', 'del', PARENT);
});

const manifest = (web: string) => `${BUSYBOX_IMAGE}networks:
  lan: { driver: macvlan, parent: ${PARENT}, subnet: ${supervisor.subnet.replace('10.232.', '10.234.')}.0/24 }
containers:
  web:
    image: busybox
    command: ${shell('mkdir /www; echo ok > /www/index.html; exec busybox httpd -f -p 80 -h /www')}
    network: lan
    stopTimeout: 1s
${web}`;

test.skipIf(!has)('are probed by http and tcp from inside', async () => {
  supervisor.drop(
    'app.yaml',
    manifest('    health: { readiness: { http: 80, interval: 200ms }, liveness: { tcp: 80, interval: 200ms } }\n'),
  );
  const web = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  expect(web.health).toMatchObject({ state: 'healthy' });
  expect(await supervisor.ok('plan', '-o', 'json')).toContain('"ops": []');
});

test('are refused published ports at their line', async () => {
  const file = supervisor.file('bad.yaml', manifest('    ports: ["8080:80"]\n'));
  const { status, stdout, stderr } = await supervisor.cli('validate', '-f', file);
  expect(status).not.toBe(0);
  expect(stdout + stderr).toMatch(/bad\.yaml:11:\d+.*nothing publishes ports: containers on lan \(driver macvlan\)/s);
});
