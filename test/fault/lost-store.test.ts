/** history.db is lost, damaged or old: unread state is not changed, everything is reported, and there is a remedy. */
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DoctorCheck } from '../../src/api/views/host-views.ts';
import type { ApprovalView } from '../../src/api/views/plan-views.ts';
import { afterALook } from '../support/look.ts';
import { BUSYBOX_IMAGE, FOREVER } from '../support/manifests.ts';
import { hasCommit, programOf } from '../support/past-version.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

/** The last version without second copies. */
const BEFORE = 'd456a48';

let supervisor: TestSupervisor;

beforeEach(() => {
  supervisor = new TestSupervisor();
});
afterEach(() => supervisor.destroy());

const app = (mode: string, more = '') => `${BUSYBOX_IMAGE}
volumes: { data: {} }
networks: { back: {} }
containers:
  web: { image: busybox, network: back, command: ${FOREVER}, env: { MODE: ${mode} }, volumes: ["data:/data"], restart: always }
${more}`;

const store = (): string => join(supervisor.root, 'history.db');
const backup = (): string => join(supervisor.base, 'backup.db');

async function apply(name: string, text: string): Promise<void> {
  await supervisor.ok('apply', '--wait=2m', '-f', supervisor.file(`${name}.yaml`, text));
}

async function running(of: string): Promise<unknown[]> {
  const containers = (await supervisor.containers()).filter((view) => view.app === of);
  return containers.map(({ name, id, pid }) => ({ name, id, pid }));
}

async function checks(): Promise<DoctorCheck[]> {
  const { stdout } = await supervisor.cli('doctor', '-o', 'json');
  return (JSON.parse(stdout) as DoctorCheck[]).filter(({ name, status }) => name === 'state' && status !== 'ok');
}

async function choices(): Promise<ApprovalView[]> {
  const { approvals } = JSON.parse((await supervisor.cli('plan', '-o', 'json')).stdout) as {
    approvals: ApprovalView[];
  };
  return approvals.filter(({ kind }) => kind === 'choice');
}

async function ops(): Promise<unknown[]> {
  return (JSON.parse((await supervisor.cli('plan', '-o', 'json')).stdout) as { ops: unknown[] }).ops;
}

/** Takes the database with its log as one file. */
async function backUp(): Promise<void> {
  await supervisor.stop();
  copyFileSync(store(), backup());
  await supervisor.start();
}

async function putBackup(): Promise<void> {
  await supervisor.stop();
  for (const suffix of ['', '-wal', '-shm']) rmSync(store() + suffix, { force: true });
  copyFileSync(backup(), store());
  await supervisor.start();
}

const mode = async (of: string) =>
  (await supervisor.ok('exec', `${of}/web`, '--', 'busybox', 'sh', '-c', 'echo $MODE')).trim();

/** Ways to lose history.db, their reports, and whether a file remains to be kept. */
const half = (path: string) => truncateSync(path, Math.floor(statSync(path).size / 8192) * 4096);
const DAMAGES: readonly { damage: (path: string) => void; says: RegExp; aside: boolean }[] = [
  { damage: (path) => rmSync(path), says: /history\.db is missing/, aside: false },
  { damage: (path) => truncateSync(path, 0), says: /is empty \(0 bytes\)/, aside: true },
  { damage: half, says: /is truncated: it has \d+ of \d+ bytes/, aside: true },
  { damage: (path) => writeFileSync(path, 'something else\n'.repeat(999)), says: /is not a database/, aside: true },
  { damage: (path) => writeFileSync(path, Buffer.alloc(statSync(path).size)), says: /begins with zeros/, aside: true },
];

test('an unusable history.db is rebuilt from the second copies, reported, and kept aside', async () => {
  await supervisor.start();
  await apply('shop', app('one'));
  supervisor.drop('blog.yaml', app('one'));
  await expect.poll(() => mode('blog').catch(() => '')).toBe('one');
  const before = [await running('shop'), await running('blog')];
  let kept = 0;
  for (const { damage, says, aside } of DAMAGES) {
    await supervisor.stop();
    damage(store());
    const lost = aside ? readFileSync(store()) : null;
    await supervisor.start();
    await afterALook(supervisor, 'shop/busybox');
    expect([await running('shop'), await running('blog')]).toEqual(before);
    expect(await ops()).toEqual([]);
    const [said] = (await checks()).filter(({ status }) => status === 'failed');
    expect(said?.message).toMatch(says);
    expect(said?.fix).toContain('systemctl stop tsdocker');
    expect(supervisor.log).toMatch(says);
    if (lost) expect(readFileSync(`${store()}.damaged-${++kept}`)).toEqual(lost);
  }
  // Edits count as before.
  await apply('shop', app('two'));
  expect(await mode('shop')).toBe('two');
  await supervisor.ok('delete', '-f', join(supervisor.base, 'shop.yaml'));
  await expect.poll(() => running('shop')).toEqual([]);
  expect(await running('blog')).toEqual(before[1]);
});

describe("yesterday's history.db in place of today's", () => {
  test('holds an app that was edited since, and the approval selects a declaration', async () => {
    await supervisor.start();
    await apply('shop', app('one'));
    await apply('calm', app('one'));
    await backUp();
    await apply('shop', app('two'));
    const before = [await running('shop'), await running('calm')];
    await putBackup();
    await afterALook(supervisor);
    expect([await running('shop'), await running('calm')]).toEqual(before);
    expect(await ops()).toEqual([]);
    expect((await choices()).map(({ name, changes }) => [name, changes])).toEqual([
      ['shop@store', [{ resource: 'container/shop/web', change: 'changed' }]],
      ['shop@copy', []],
    ]);
    const { message } = (await supervisor.container('web').then(async () => {
      return (await supervisor.containers()).find((view) => view.app === 'shop');
    })) ?? { message: '' };
    expect(message).toContain('of an earlier time than its second copy');
    const refused = await supervisor.cli('approve', 'shop');
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain('tsdocker approve shop@copy');
    // Without a name nothing of it is approved.
    await supervisor.ok('approve', '--yes');
    expect(await choices()).toHaveLength(2);
    // A restart changes nothing about that.
    await supervisor.crash();
    await supervisor.start();
    await afterALook(supervisor);
    expect([await running('shop'), await running('calm')]).toEqual(before);
    await supervisor.ok('approve', 'shop@copy');
    await afterALook(supervisor);
    expect(await choices()).toEqual([]);
    expect([await running('shop'), await running('calm')]).toEqual(before);
    expect(await ops()).toEqual([]);
    expect(await checks()).toEqual([]);
  });

  test('restores the declaration of yesterday after an approval', async () => {
    await supervisor.start();
    await apply('shop', app('one'));
    await backUp();
    await apply('shop', app('two'));
    await putBackup();
    await supervisor.ok('approve', 'shop@store');
    await expect.poll(() => mode('shop').catch(() => '')).toBe('one');
    await supervisor.crash();
    await supervisor.start();
    expect(await mode('shop')).toBe('one');
    expect(await choices()).toEqual([]);
  });

  test('does not restore an app that was removed since', async () => {
    await supervisor.start();
    await apply('shop', app('one'));
    await apply('calm', app('one'));
    await backUp();
    await supervisor.ok('delete', '-f', join(supervisor.base, 'shop.yaml'));
    await expect.poll(() => running('shop')).toEqual([]);
    await putBackup();
    await afterALook(supervisor);
    expect(await running('shop')).toEqual([]);
    const waiting = await choices();
    expect(waiting.map(({ name }) => name)).toEqual(['shop@store', 'shop@copy']);
    expect(waiting[0]?.changes).toEqual([{ resource: 'container/shop/web', change: 'added' }]);
    await supervisor.ok('approve', 'shop@copy');
    await afterALook(supervisor);
    expect(await running('shop')).toEqual([]);
    expect(await choices()).toEqual([]);
  });

  test('does not change an app that was added since', async () => {
    await supervisor.start();
    await apply('calm', app('one'));
    await backUp();
    await apply('shop', app('one'));
    const before = await running('shop');
    await putBackup();
    await afterALook(supervisor);
    expect(await running('shop')).toEqual(before);
    expect((await choices()).map(({ name }) => name)).toEqual(['shop@store', 'shop@copy']);
    // Applied once more, it is certain.
    await supervisor.ok('apply', '--wait=2m', '-f', join(supervisor.base, 'shop.yaml'));
    expect(await running('shop')).toEqual(before);
    expect(await choices()).toEqual([]);
  });

  test('ignores files of the watched directory, which are read directly', async () => {
    await supervisor.start();
    supervisor.drop('blog.yaml', app('one'));
    await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    await backUp();
    supervisor.drop('blog.yaml', app('two'));
    await expect.poll(() => mode('blog').catch(() => '')).toBe('two');
    await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    const before = await running('blog');
    await putBackup();
    await afterALook(supervisor);
    expect(await running('blog')).toEqual(before);
    expect(await choices()).toEqual([]);
  });
});

describe.skipIf(!hasCommit(BEFORE))(
  `a root of ${BEFORE}, which has no second copies (needs the history of the repository)`,
  () => {
    async function ofBefore(): Promise<unknown[]> {
      const current = supervisor.program;
      supervisor.program = programOf(BEFORE);
      await supervisor.start();
      await apply('shop', app('one'));
      const before = await running('shop');
      await supervisor.stop();
      supervisor.program = current;
      return before;
    }

    test('has them after the first start', async () => {
      const before = await ofBefore();
      await supervisor.start();
      expect(readdirSync(join(supervisor.root, 'declarations')).sort()).toEqual([
        'mark.json',
        'shop.json',
        'shop.made.json',
      ]);
      const copy = statSync(join(supervisor.root, 'declarations/shop.json'));
      expect([copy.mode & 0o777, statSync(join(supervisor.root, 'declarations')).mode & 0o777]).toEqual([0o600, 0o700]);
      await supervisor.crash();
      rmSync(store());
      await supervisor.start();
      await afterALook(supervisor);
      expect(await running('shop')).toEqual(before);
      expect(await ops()).toEqual([]);
    });

    test('is left unchanged when history.db is lost first, until a person decides', async () => {
      const before = await ofBefore();
      rmSync(store());
      await supervisor.start();
      await afterALook(supervisor);
      expect(await running('shop')).toEqual(before);
      const waiting = await choices();
      expect(waiting.map(({ name, changes }) => [name, changes])).toEqual([
        ['shop@none', [{ resource: 'container/shop/web', change: 'removed' }]],
      ]);
      expect((await checks()).map(({ message }) => message).join()).toContain('there is no second copy');
      await supervisor.ok('approve', 'shop@none');
      await expect.poll(() => running('shop')).toEqual([]);
    });
  },
);

describe('other state that cannot be read', () => {
  const REPOSITORIES = [
    ['damaged', (path: string) => writeFileSync(path, '{ "Reposi'), 'is not complete JSON'],
    ['missing', (path: string) => rmSync(path), 'is missing'],
  ] as const;

  test.each(REPOSITORIES)(
    'of image names, %s, is reported with a remedy and costs no container and no image',
    async (_, damage, what) => {
      await supervisor.start();
      await apply('shop', app('one'));
      const before = await running('shop');
      const [image] = JSON.parse(await supervisor.ok('images', '-o', 'json')) as { readonly id: string }[];
      await supervisor.ok('tag', image?.id ?? '', 'mine:1');
      const images = await supervisor.ok('images', '-o', 'json');
      await supervisor.stop();
      const [name] = readdirSync(supervisor.root).filter((entry) => /^repositories-[a-z]+$/.test(entry));
      const path = join(supervisor.root, name ?? '');
      damage(path);
      await supervisor.start();
      await afterALook(supervisor, 'shop/busybox');
      expect(await running('shop')).toEqual(before);
      const [said] = await checks();
      expect(said?.message).toContain(`${path}: ${what}`);
      const graph = readdirSync(join(supervisor.root, 'graph'));
      expect((await supervisor.cli('system', 'prune', '-y')).status).toBe(1);
      expect(readdirSync(join(supervisor.root, 'graph'))).toEqual(graph);
      expect(said?.fix).toContain(`cp ${path}.copy ${path}`);
      // As it says.
      copyFileSync(`${path}.copy`, path);
      expect(await supervisor.ok('images', '-o', 'json')).toBe(images);
    },
  );

  test.each(['volumes', 'graph'])('of a record below %s keeps its object and creates no replacement', async (kind) => {
    await supervisor.start();
    await apply('shop', app('one'));
    const before = await running('shop');
    await supervisor.ok('exec', 'web', '--', 'busybox', 'sh', '-c', 'echo kept > /data/file');
    await supervisor.stop();
    const [id = ''] = readdirSync(join(supervisor.root, kind)).filter((name) => /^[0-9a-f]{64}$/.test(name));
    const path = join(supervisor.root, kind, id, kind === 'graph' ? 'json' : 'config.json');
    const whole = readFileSync(path);
    truncateSync(path, 10);
    await supervisor.start();
    // An edit may not be carried out with another volume or image.
    await supervisor.cli('apply', '-f', supervisor.file('shop.yaml', app('two')));
    const resource = kind === 'graph' ? 'image/shop/busybox' : 'volume/shop/data';
    const held = await until('what cannot be read held', async () => {
      const { holds } = JSON.parse((await supervisor.cli('plan', '-o', 'json')).stdout) as {
        holds: { resource: string; message: string; hint?: string }[];
      };
      return holds.find((hold) => hold.resource === resource);
    });
    expect(held.message).toContain(`${path}: is not complete JSON`);
    expect(await running('shop')).toEqual(before);
    expect(await ops()).toEqual([]);
    expect(await mode('shop')).toBe('one');
    await supervisor.stop();
    writeFileSync(path, whole);
    await supervisor.start();
    await expect.poll(() => mode('shop').catch(() => '')).toBe('two');
    expect(await supervisor.ok('exec', 'web', '--', 'busybox', 'cat', '/data/file')).toBe('kept\n');
  });

  test.each(['linkgraph.db', 'secret.key', 'instance'])('%s that is missing removes nothing', async (file) => {
    await supervisor.start();
    supervisor.file('secret', 'hidden\n');
    await apply(
      'shop',
      app('one', `  with: { image: busybox, command: ${FOREVER}, env: { S: { fromFile: ./secret } } }\n`),
    );
    const before = await running('shop');
    await supervisor.stop();
    const path = join(supervisor.root, file);
    const content = readFileSync(path);
    rmSync(path);
    const started = await supervisor.start().catch((error: unknown) => String(error));
    if (file === 'secret.key') {
      expect(started).toContain(`${path}: is missing, and containers were made with it`);
      writeFileSync(path, content, { mode: 0o600 });
      await supervisor.start();
    }
    await afterALook(supervisor);
    expect(await running('shop')).toEqual(before);
    expect(existsSync(path)).toBe(true);
    if (file === 'instance') expect(readFileSync(path)).toEqual(content);
  });
});
