/** The host, as a container finds it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BUSYBOX_IMAGE, IDLE, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';

const supervisor = new TestSupervisor();

beforeAll(async () => {
  await supervisor.start();
});

afterAll(async () => {
  await supervisor.destroy();
});

test('host-gateway is the address of this host on the network, from the first start on and after a restart', async () => {
  const text = `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${shell(IDLE)}, extraHosts: ["host.docker.internal:host-gateway"], stopTimeout: 1s }\n`;
  await supervisor.ok('apply', '--wait=30s', '-f', supervisor.file('app.yaml', text));
  const line = async (): Promise<string> => {
    const hosts = await supervisor.ok('exec', 'web', 'busybox', 'cat', '/etc/hosts');
    return /^(\S+)\s+host\.docker\.internal$/m.exec(hosts)?.[1] ?? 'none';
  };
  const gateway = (await supervisor.ok('exec', 'web', 'busybox', 'ip', 'route')).match(/default via (\S+)/)?.[1];
  expect(await line()).toBe(gateway);
  await supervisor.ok('restart', 'web');
  expect(await line()).toBe(gateway);
});
