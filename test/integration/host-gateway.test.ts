/** The host, as a container finds it. */
import { afterEach, expect, test } from 'vitest';
import { BUSYBOX_IMAGE, IDLE, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';

let supervisor: TestSupervisor;

afterEach(async () => {
  await supervisor.destroy();
});

const WEB = `${BUSYBOX_IMAGE}containers:
  web: { image: busybox, command: ${shell(IDLE)}, extraHosts: ["host.docker.internal:host-gateway"], stopTimeout: 1s }
`;

async function started(...flags: readonly string[]): Promise<void> {
  supervisor = await new TestSupervisor(flags).start();
  await supervisor.ok('apply', '--wait=30s', '-f', supervisor.file('app.yaml', WEB));
}

async function addresses(): Promise<string[]> {
  const hosts = await supervisor.ok('exec', 'web', 'busybox', 'cat', '/etc/hosts');
  return [...hosts.matchAll(/^(\S+)\s+host\.docker\.internal$/gm)].map(([, address = '']) => address);
}

const gateway = async (...family: readonly string[]): Promise<string> =>
  /default via (\S+)/.exec(await supervisor.ok('exec', 'web', '--', 'busybox', 'ip', ...family, 'route'))?.[1] ??
  'none';

test('host-gateway is the addresses of this host on the network, from the first start on and after a restart', async () => {
  await started('--ipv6=true');
  const own = [await gateway(), await gateway('-6')];
  expect(own).toEqual([`${supervisor.subnet}.1`, expect.stringMatching(/^fd/)]);
  expect(await addresses()).toEqual(own);
  await supervisor.ok('restart', 'web');
  expect(await addresses()).toEqual(own);
});

test('host-gateway is what the supervisor is told that it is', async () => {
  await started('--host-gateway-ip', '192.0.2.9', '--host-gateway-ip', '2001:db8::9');
  expect(await addresses()).toEqual(['192.0.2.9', '2001:db8::9']);
});
