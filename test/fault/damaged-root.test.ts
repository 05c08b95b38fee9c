/** A disk that damages the record of a container: it keeps running, and so do containers that use it. */
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BUSYBOX_IMAGE, FOREVER, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;
beforeEach(() => {
  supervisor = new TestSupervisor();
});
afterEach(() => supervisor.destroy());

const SERVE = shell('mkdir /w; echo served >/w/index.html; exec busybox httpd -f -p 80 -h /w');
const SHOP = `app: shop
${BUSYBOX_IMAGE}networks: { back: { icc: false } }
containers:
  db: { image: busybox, network: back, expose: [80], command: ${SERVE}, restart: always }
  web: { image: busybox, network: back, command: ${FOREVER}, links: [db], restart: always }
`;

const DAMAGES: readonly (readonly [string, (path: string) => void])[] = [
  ['config.json', (path) => truncateSync(path, 100)],
  ['config.json', (path) => writeFileSync(path, randomBytes(999))],
  ['hostconfig.json', (path) => rmSync(path)],
];

test('a container with an unreadable record keeps its names and links, and the error names the file and a remedy', async () => {
  await supervisor.start();
  await supervisor.ok('apply', '--wait=2m', '-f', supervisor.file('shop.yaml', SHOP));
  const before = await supervisor.containers();
  const db = before.find(({ name }) => name === 'db') ?? expect.fail('no db');
  for (const [file, damage] of DAMAGES) {
    await supervisor.crash();
    const path = join(supervisor.root, 'containers', db.id, file);
    const good = readFileSync(path);
    damage(path);
    await supervisor.start();
    const plan = await until('the file in the plan', async () => {
      const { stdout } = await supervisor.cli('plan');
      return stdout.includes(path) ? stdout : null;
    });
    expect(plan).toContain('tsdocker approve container/shop/db');
    const doctor = (await supervisor.cli('doctor')).stdout;
    expect(doctor).toContain(path);
    expect(doctor).toContain('tsdocker approve');
    for (const name of ['db', 'shop-db']) {
      const asked = ['busybox', 'wget', '-T', '5', '-q', '-O', '-', `http://${name}/`];
      expect(await supervisor.ok('exec', 'web', '--', ...asked)).toBe('served\n');
    }

    await supervisor.crash();
    writeFileSync(path, good);
    await supervisor.start();
    await until('nothing left to do', async () => (await supervisor.cli('plan')).status === 0);
    expect(await supervisor.container('db')).toMatchObject({ id: db.id, pid: db.pid, phase: 'Running' });
  }
});
