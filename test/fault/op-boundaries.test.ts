/** kill -9 of the supervisor right after each kind of operation; the next start has to finish what was begun. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { BUSYBOX_IMAGE, FOREVER } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const supervisor = new TestSupervisor();
let keeperPid: number | null;
/** Each case has an app of its own: a volume that was kept would be adopted, not created. */
let serial = 0;
let app = '';

beforeAll(async () => {
  await supervisor.start();
  supervisor.drop('keeper.yaml', `${BUSYBOX_IMAGE}containers:\n  keeper: { image: busybox, command: ${FOREVER} }\n`);
  keeperPid = (await supervisor.waitFor('keeper', 'ready', ({ ready }) => ready)).pid;
});

afterEach(() => {
  rmSync(join(supervisor.manifests, `${app}.yaml`), { force: true });
});

afterAll(async () => {
  await supervisor.destroy();
});

const manifest = (value: string) => `${BUSYBOX_IMAGE}networks: { back: {} }
volumes: { data: {} }
containers:
  db: { image: busybox, command: ${FOREVER}, network: back, volumes: ["data:/data"], restart: always, env: { VALUE: ${value} } }
  web: { image: busybox, command: ${FOREVER}, network: back, links: [db], restart: always, readOnly: ${value === 'two'} }
`;

/** Makes a change and kills the supervisor as soon as its log says that an operation of the kind has ended. */
async function crashAfter(op: string, change: () => void): Promise<void> {
  const seen = supervisor.log.length;
  change();
  await until(`${op} ended`, () =>
    new RegExp(`"key":"[a-z]+/${app}/[^"]*","op":"${op}"`).test(supervisor.log.slice(seen)),
  );
  await supervisor.crash();
  await supervisor.start();
}

async function settled(value: string): Promise<void> {
  for (const name of ['db', 'web']) {
    await supervisor.waitFor(name, `ready with ${value}`, ({ ready }) => ready);
  }
  const db = await supervisor.waitFor(
    'db',
    `ready with ${value}`,
    ({ ready, pid }) =>
      ready && pid !== null && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`VALUE=${value}`),
  );
  const web = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  const hosts = (await supervisor.cli('exec', 'web', '--', 'busybox', 'cat', '/etc/hosts')).stdout;
  expect(hosts).toContain(`${db.address}\tdb\n`);
  const { links, processes } = supervisor.hostState();
  expect(links.filter((name) => name.startsWith(`v${supervisor.instance}`))).toHaveLength(3);
  expect(processes).toHaveLength(3);
  expect(existsSync(`/proc/${web.pid}`)).toBe(true);
}

async function gone(): Promise<void> {
  await until('all but keeper removed', async () => (await supervisor.containers()).length === 1);
  await until('its network removed', async () => !(await supervisor.ok('get', 'networks')).includes('back'));
  const { links, processes, cgroups } = supervisor.hostState();
  expect(links.filter((name) => name.startsWith(`v${supervisor.instance}`))).toHaveLength(1);
  expect(processes).toHaveLength(1);
  expect(cgroups.every((path) => path.endsWith(cgroups[0]?.split('/').at(-1) ?? ''))).toBe(true);
}

describe('kill -9 after', () => {
  const create = [
    'image.load',
    'volume.create',
    'network.ensure',
    'container.create',
    'container.connect',
    'container.start',
  ];
  const change = ['container.stop', 'container.disconnect', 'container.remove'];

  test.each(create)('%s of a new app', async (op) => {
    app = `app${serial++}`;
    await crashAfter(op, () => supervisor.drop(`${app}.yaml`, manifest('one')));
    await settled('one');
    rmSync(join(supervisor.manifests, `${app}.yaml`));
    await gone();
  });

  test.each(change)('%s of an edit, and of a removal', async (op) => {
    app = `app${serial++}`;
    const file = supervisor.drop(`${app}.yaml`, manifest('one'));
    await settled('one');
    await crashAfter(op, () => supervisor.drop(`${app}.yaml`, manifest('two')));
    await settled('two');
    await crashAfter(op, () => rmSync(file));
    await gone();
    expect(await supervisor.container('keeper')).toMatchObject({ pid: keeperPid, restarts: 0 });
  });
});
