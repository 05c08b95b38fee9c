/** Names that containers ask the resolver for. */
import { readFileSync } from 'node:fs';
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

async function ready(name: string) {
  const view = await supervisor.waitFor(name, 'ready', (found) => found.ready);
  return { ...view, address: view.address ?? '' };
}

test('a peer', async () => {
  supervisor.drop('shop.yaml', `${BUSYBOX_IMAGE}networks: { back: {} }
containers:
  web: { image: busybox, command: ${FOREVER}, network: back, hostname: www }
  db: { image: busybox, command: ${FOREVER}, network: back }
`);
  const [web, db] = [await ready('web'), await ready('db')];
  console.log(await supervisor.cli('exec', 'web', 'busybox', 'cat', '/etc/resolv.conf', '/etc/hosts'));
  console.log(await supervisor.cli('exec', 'web', 'busybox', 'nslookup', 'db'));
  console.log(await supervisor.cli('exec', 'web', 'busybox', 'nslookup', 'shop-db.back'));
  console.log(await supervisor.cli('exec', 'web', 'busybox', 'nslookup', db.address));
  console.log(supervisor.log.split('\n').filter((l) => /resolver/.test(l)).join('\n'));
});
