/** A disk that loses history.db must not take the containers along. */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { afterALook } from '../support/look.ts';
import { BUSYBOX_IMAGE, FOREVER, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';

const APP = `${BUSYBOX_IMAGE}
volumes: { data: {} }
networks: { back: {} }
containers:
  db:
    image: busybox
    network: back
    volumes: ["data:/data"]
    command: ${shell('echo kept > /data/file; echo said; exec busybox sleep 1000000')}
    stopSignal: SIGKILL
    restart: always
  web: { image: busybox, network: back, command: ${FOREVER}, links: [db] }
`;

let supervisor: TestSupervisor;

beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});
afterEach(() => supervisor.destroy());

const LOSSES = {
  missing: (path: string) => {
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
  },
  'without its first page': (path: string) => {
    const fd = openSync(path, 'r+');
    writeSync(fd, Buffer.alloc(4096), 0, 4096, 0);
    closeSync(fd);
  },
};

test.each(Object.entries(LOSSES))(
  'a history.db that is %s costs no container, no volume and no log',
  async (_, lose) => {
    await supervisor.ok('apply', '--wait=2m', '-f', supervisor.file('shop.yaml', APP));
    const before = await supervisor.containers();
    await supervisor.stop();
    lose(join(supervisor.root, 'history.db'));
    await supervisor.start();
    await afterALook(supervisor);
    const after = (await supervisor.containers()).filter(({ app }) => app === 'shop');
    expect(after.map(({ id, pid }) => ({ id, pid }))).toEqual(before.map(({ id, pid }) => ({ id, pid })));
    expect(await supervisor.ok('exec', 'db', '--', 'busybox', 'cat', '/data/file')).toBe('kept\n');
    expect(await supervisor.ok('logs', 'db')).toContain('said');
    expect(JSON.parse(await supervisor.ok('plan', '-o', 'json')).ops).toEqual([]);
  },
);
