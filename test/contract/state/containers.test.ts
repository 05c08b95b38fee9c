import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { ContainerStore } from '../../../src/state/containers/containers.ts';
import { StateFiles } from '../../../src/state/files/durable.ts';
import { CONTAINER_TEXTS, containerRecord } from '../../support/container-record.ts';
import { temporaryDirectories } from '../../support/temp-root.ts';

const directory = temporaryDirectories('containers');
const ID = 'ab'.repeat(32);
const OTHER = `${'ab'.repeat(31)}cd`;

let root = '';
let files: StateFiles;
beforeEach(() => {
  root = directory();
  for (const name of ['tmp', 'containers']) mkdirSync(join(root, name));
  files = new StateFiles(join(root, 'tmp'));
});

const open = (): ContainerStore => new ContainerStore(root, files);

async function create(store: ContainerStore, record = containerRecord()): Promise<void> {
  const batch = files.batch();
  store.create(record, CONTAINER_TEXTS, batch);
  await batch.commit();
}

describe('a container', () => {
  it('exists with all its files after the commit', async () => {
    const store = open();
    const batch = files.batch();
    store.create(containerRecord(), CONTAINER_TEXTS, batch);
    expect([store.get(ID), readdirSync(join(root, 'containers'))]).toEqual([undefined, []]);
    await batch.commit();
    expect(store.get(ID)).toEqual(containerRecord());
    const names = ['config.json', 'hostconfig.json', 'hostname', 'hosts', 'resolv.conf'];
    expect(readdirSync(store.path(ID)).sort()).toEqual(names);
    expect(statSync(store.path(ID)).mode & 0o777).toBe(0o700);
    expect(names.map((name) => (statSync(join(store.path(ID), name)).mode & 0o777).toString(8))).toEqual([
      '600',
      '600',
      '644',
      '644',
      '644',
    ]);
    // Two files, their directory, and containers/.
    expect(batch.syncs).toBe(4);
  });

  it('is the same after a restart', async () => {
    await create(open());
    const store = open();
    expect([store.all(), store.issues]).toEqual([[containerRecord()], []]);
    expect(store.byKey('container/blog/web')?.id).toBe(ID);
    expect(store.lookup('abab').id).toBe(ID);
  });

  it('is found only under the key of its newest record', async () => {
    const store = open();
    await create(store);
    const record = containerRecord();
    store.update({ ...record, owner: record.owner && { ...record.owner, key: 'container/blog/web.next' } });
    expect(store.byKey('container/blog/web')).toBeUndefined();
    expect(store.byKey('container/blog/web.next')?.id).toBe(ID);
  });

  it('is updated atomically, durable or not', async () => {
    const store = open();
    await create(store);
    store.update(containerRecord({ run: 1 }));
    expect(open().get(ID)?.run).toBe(1);
    const batch = files.batch();
    const hostConfig = { ...containerRecord().hostConfig, Privileged: true };
    store.change(ID, (current) => ({ ...current, run: 2, hostConfig }), batch);
    expect([store.get(ID)?.run, open().get(ID)?.run]).toEqual([1, 1]);
    await batch.commit();
    for (const each of [store, open()]) {
      expect(each.get(ID)).toMatchObject({ run: 2, hostConfig: { Privileged: true } });
    }
  });

  it('applies a change to the newest record, also after a wait for the disk', async () => {
    const store = open();
    await create(store);
    const [batch, other] = [files.batch(), files.batch()];
    store.change(ID, (current) => ({ ...current, topLayer: 'changed' }), batch);
    store.change(ID, (current) => ({ ...current, engineName: 'other' }), other);
    store.update(containerRecord({ run: 1 }));
    const committed = batch.commit();
    store.updateSoon({ ...containerRecord({ run: 2 }) });
    await Promise.all([committed, store.flushed()]);
    await other.commit();
    const expected = { topLayer: 'changed', engineName: 'other', run: 2 };
    expect([store.get(ID), open().get(ID)]).toEqual([
      expect.objectContaining(expected),
      expect.objectContaining(expected),
    ]);
    expect(readdirSync(join(root, 'tmp'))).toEqual([]);
  });

  it('applies a change to the result of earlier changes of the batch', async () => {
    const store = open();
    await create(store);
    const batch = files.batch();
    let seen = 0;
    store.change(
      ID,
      (current) => {
        seen = current.run;
        return { ...current, topLayer: 'changed' };
      },
      batch,
    );
    store.change(ID, (current) => ({ ...current, engineName: `saw ${seen}` }), batch);
    store.update(containerRecord({ run: 7 }));
    await batch.commit();
    expect(open().get(ID)).toMatchObject({ topLayer: 'changed', engineName: 'saw 7' });
  });

  it('keeps memory equal to the disk when a commit fails', async () => {
    const store = open();
    await create(store);
    const batch = files.batch();
    mkdirSync(join(root, 'obstacle'));
    batch.file(join(root, 'obstacle'), { content: '', mode: 0o600 });
    const hostConfig = { ...containerRecord().hostConfig, Privileged: true };
    store.change(ID, (current) => ({ ...current, run: 2, hostConfig }), batch);
    await expect(batch.commit()).rejects.toThrow(/obstacle/);
    expect([store.get(ID), open().get(ID)]).toEqual([containerRecord(), containerRecord()]);
    expect(readdirSync(join(root, 'tmp'))).toEqual([]);
  });

  it('stays removed when a pending change is committed later', async () => {
    const store = open();
    await create(store);
    const batch = files.batch();
    store.change(ID, (current) => ({ ...current, run: 2 }), batch);
    await store.remove(ID);
    await batch.commit();
    expect([store.all(), open().all(), readdirSync(join(root, 'tmp'))]).toEqual([[], [], []]);
  });

  it('keeps the inode of a text file that is bind-mounted', async () => {
    const store = open();
    await create(store);
    const { ino } = statSync(store.textPath(ID, 'hosts'));
    store.writeText(ID, 'hosts', 'new\n');
    expect(readFileSync(store.textPath(ID, 'hosts'), 'utf8')).toBe('new\n');
    expect(statSync(store.textPath(ID, 'hosts')).ino).toBe(ino);
  });

  it('is removed with all its files, also twice', async () => {
    const store = open();
    await create(store);
    writeFileSync(store.logPath(ID), 'log');
    await store.remove(ID);
    await store.remove(ID);
    expect([store.all(), readdirSync(join(root, 'containers')), readdirSync(join(root, 'tmp'))]).toEqual([[], [], []]);
  });

  it('is not created over another', async () => {
    const store = open();
    await create(store);
    expect(() => store.create(containerRecord({ run: 9 }), CONTAINER_TEXTS, files.batch())).toThrow('exists already');
    expect(open().get(ID)?.run).toBe(0);
  });
});

describe('a damaged container stays unchanged, is reported and does not affect the others', () => {
  const config = (): string => join(root, 'containers', ID, 'config.json');
  const replaceConfig = (make: (path: string) => void): void => {
    rmSync(config());
    make(config());
  };
  const sparse = (path: string): void => {
    const fd = openSync(path, 'w');
    ftruncateSync(fd, 100 * 1024 * 1024);
    closeSync(fd);
  };

  it.each<[string, string, () => void]>([
    ['a missing config.json', 'is missing', () => rmSync(config())],
    ['an empty one', 'not complete JSON', () => writeFileSync(config(), '')],
    ['a torn one', 'not complete JSON', () => writeFileSync(config(), readFileSync(config()).subarray(0, 500))],
    ['bytes that are not UTF-8', 'not valid UTF-8', () => writeFileSync(config(), Buffer.from([0x7b, 0xff, 0x7d]))],
    ['a directory', 'not a regular file', () => replaceConfig((path) => mkdirSync(path))],
    ['a symbolic link', 'symbolic link', () => replaceConfig((path) => symlinkSync('/etc/passwd', path))],
    ['a fifo', 'not a regular file', () => replaceConfig((path) => execFileSync('mkfifo', [path]))],
    ['100 MB', '104857600 bytes', () => replaceConfig(sparse)],
    ['a list', 'the document is not an object', () => writeFileSync(config(), '[]')],
    [
      'a wrong type',
      'State.Pid is not a whole number',
      () => writeFileSync(config(), `{"ID":"${ID}","State":{"Pid":"1"}}`),
    ],
    ['a foreign id', `is stored at ${ID}`, () => writeFileSync(config(), `{"ID":"${OTHER}"}`)],
    ['a damaged hostconfig.json', 'hostconfig.json', () => writeFileSync(join(config(), '../hostconfig.json'), '{')],
  ])('%s', async (_what, message, damage) => {
    const store = open();
    await create(store);
    await create(store, containerRecord({ id: OTHER }));
    damage();
    const again = open();
    expect(again.all().map(({ id }) => id)).toEqual([OTHER]);
    expect(again.issues).toMatchObject([{ path: join(root, 'containers', ID), error: { code: 'TSD_STATE_CORRUPT' } }]);
    expect(again.issues[0]?.error.message).toContain(message);
    expect([...again.ids()].sort()).toEqual([ID, OTHER]);
    expect(existsSync(join(root, 'containers', ID))).toBe(true);
  });

  it('a file where a directory should be', () => {
    writeFileSync(join(root, 'containers', 'stray'), '');
    expect(open().issues).toHaveLength(1);
  });
});
