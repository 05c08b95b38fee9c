import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { StateFiles } from '../../../src/state/files/durable.ts';
import { finishVolumes } from '../../../src/state/volumes/half-volumes.ts';
import type { VolumeOwner, VolumeRecord } from '../../../src/state/volumes/volume-record.ts';
import { VolumeStore } from '../../../src/state/volumes/volumes.ts';
import { temporaryDirectories } from '../../support/temp-root.ts';

const directory = temporaryDirectories('volumes');
const ID = '7e'.repeat(32);
const NAMED: VolumeOwner = { type: 'named', key: 'volume/blog/data' };
const ANONYMOUS = {
  type: 'anonymous',
  containerKey: 'container/blog/db',
  target: '/var/lib',
} as const satisfies VolumeOwner;

let root = '';
let files: StateFiles;
beforeEach(() => {
  root = directory();
  for (const name of ['tmp', 'volumes', 'vfs/dir']) mkdirSync(join(root, name), { recursive: true });
  files = new StateFiles(join(root, 'tmp'));
});

const open = (): VolumeStore => new VolumeStore(root, files);

async function create(owner: VolumeOwner, id = ID): Promise<VolumeRecord> {
  const batch = files.batch();
  const base = { id, writable: true, specHash: 'h', onRemove: 'keep', released: false } as const;
  const volume = open().create({ ...base, owner }, batch);
  await batch.commit();
  return volume;
}

describe('a volume', () => {
  it('has its data in vfs/dir and its entry in volumes, and is the same after a restart', async () => {
    const volume = await create(NAMED);
    expect(volume.path).toBe(join(root, 'vfs/dir', ID));
    expect(statSync(volume.path).mode & 0o777).toBe(0o755);
    expect(readFileSync(join(root, 'volumes', ID, 'config.json'), 'utf8')).toBe(
      `{"ID":"${ID}","Path":"${volume.path}","IsBindMount":false,"Writable":true,"Tsdocker":{"Key":"volume/blog/data",` +
        '"ContainerKey":"","Target":"","SpecHash":"h","OnRemove":"keep","Released":false}}',
    );
    expect([open().all(), open().issues]).toEqual([[volume], []]);
  });

  it('is found by its declaration, or by its container and target', async () => {
    await create(NAMED);
    await create(ANONYMOUS, '8f'.repeat(32));
    const store = open();
    expect(store.named('volume/blog/data')?.id).toBe(ID);
    expect(store.named('volume/shop/data')).toBeUndefined();
    expect(store.anonymous('container/blog/db', '/var/lib')?.id).toBe('8f'.repeat(32));
    expect(store.anonymous('container/blog/db', '/var')).toBeUndefined();
  });

  it('is released and adopted by another app with its data', async () => {
    const volume = await create(NAMED);
    writeFileSync(join(volume.path, 'file'), 'kept');
    const store = open();
    const batch = files.batch();
    store.update({ ...volume, released: true }, batch);
    store.update({ ...volume, owner: { type: 'named', key: 'volume/shop/data' }, released: false }, batch);
    await batch.commit();
    const again = open();
    expect(again.named('volume/blog/data')).toBeUndefined();
    expect(again.named('volume/shop/data')).toMatchObject({ id: ID, released: false });
    expect(readFileSync(join(volume.path, 'file'), 'utf8')).toBe('kept');
  });

  it('is removed with its data, also twice', async () => {
    const volume = await create(NAMED);
    writeFileSync(join(volume.path, 'file'), 'gone');
    const store = open();
    await store.remove(ID);
    await store.remove(ID);
    expect(store.named('volume/blog/data')).toBeUndefined();
    for (const name of ['volumes', 'vfs/dir', 'tmp']) expect(readdirSync(join(root, name))).toEqual([]);
  });
});

describe('a removal that fails because the data is in use', () => {
  it('leaves the volume unchanged, also after a restart', async () => {
    const { path } = await create(ANONYMOUS);
    writeFileSync(join(path, 'row'), '1');
    const store = open();
    execFileSync('mount', ['--bind', path, path]);
    try {
      await expect(store.remove(ID)).rejects.toMatchObject({ errno: constants.errno.EBUSY });
    } finally {
      execFileSync('umount', [path]);
    }
    expect(store.anonymous(ANONYMOUS.containerKey, ANONYMOUS.target)?.path).toBe(path);
    expect(finishVolumes(root, files)).toEqual([]);
    expect(readFileSync(join(path, 'row'), 'utf8')).toBe('1');
    const again = open();
    expect(again.all()).toHaveLength(1);
    await again.remove(ID);
    expect([existsSync(path), readdirSync(join(root, 'volumes'))]).toEqual([false, []]);
  });
});

describe('a volume after a kill', () => {
  const left = (): string[][] => ['volumes', 'vfs/dir'].map((name) => readdirSync(join(root, name)));

  it('keeps data that is neither known to be unused nor approved for deletion', async () => {
    mkdirSync(join(root, 'vfs/dir', ID));
    expect([finishVolumes(root, files), left()]).toEqual([[], [[], [ID]]]);
    mkdirSync(join(root, 'volumes', `creating-${ID}`));
    writeFileSync(join(root, 'vfs/dir', ID, 'file'), 'written by somebody');
    expect(finishVolumes(root, files)).toEqual([
      expect.objectContaining({ path: join(root, 'volumes', `creating-${ID}`) }),
    ]);
    expect([left()[1], open().ids().size]).toEqual([[ID], 0]);
  });

  it('survives once its creation is complete', async () => {
    await create(NAMED);
    mkdirSync(join(root, 'volumes', `creating-${ID}`));
    expect([finishVolumes(root, files), left(), open().all().length]).toEqual([[], [[ID], [ID]], 1]);
  });
});

describe('a damaged volume keeps its data, is reported and still belongs to us', () => {
  it.each<[string, string, () => void]>([
    ['a torn entry', 'not complete JSON', () => writeFileSync(join(root, 'volumes', ID, 'config.json'), '{"ID":')],
    ['a missing entry', 'is missing', () => rmSync(join(root, 'volumes', ID, 'config.json'))],
    [
      'an entry without an owner',
      'names no owner',
      () => writeFileSync(join(root, 'volumes', ID, 'config.json'), `{"ID":"${ID}","Tsdocker":{}}`),
    ],
  ])('%s', async (_what, message, damage) => {
    const volume = await create(NAMED);
    damage();
    const store = open();
    expect(store.issues[0]?.error.message).toContain(message);
    expect([store.all(), store.ids(), existsSync(volume.path)]).toEqual([[], new Set([ID]), true]);
  });

  it('missing data', async () => {
    const volume = await create(NAMED);
    rmSync(volume.path, { recursive: true });
    expect(open().issues[0]?.error.message).toContain('data of a volume is missing');
  });
});
