/**
 * Run as a process of its own by the crash tests: does one change to a root and kills itself with SIGKILL right before
 * its N-th call into node:fs after set-up. Arguments: root, change, N. Prints `done` when it lives to the end.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { ContainerStore } from '../../src/state/containers/containers.ts';
import { StateFiles } from '../../src/state/files/durable.ts';
import { VolumeStore } from '../../src/state/volumes/volumes.ts';
import { CONTAINER_TEXTS, containerRecord } from './container-record.ts';

const VOLUME_ID = '7e'.repeat(32);

type Change = (root: string, files: StateFiles) => Promise<void>;

const volume = {
  id: VOLUME_ID,
  writable: true,
  owner: { type: 'named', key: 'volume/blog/data' },
  specHash: '',
  onRemove: 'keep',
  released: false,
} as const;

const CHANGES = {
  async create(root, files) {
    const batch = files.batch();
    new ContainerStore(root, files).create(containerRecord(), CONTAINER_TEXTS, batch);
    await batch.commit();
  },
  async update(root, files) {
    new ContainerStore(root, files).update(containerRecord({ run: 1 }));
  },
  async 'durable update'(root, files) {
    const batch = files.batch();
    const store = new ContainerStore(root, files);
    store.change(containerRecord().id, (current) => ({ ...current, run: 1 }), batch);
    await batch.commit();
  },
  async remove(root, files) {
    await new ContainerStore(root, files).remove(containerRecord().id);
  },
  async 'create volume'(root, files) {
    const batch = files.batch();
    new VolumeStore(root, files).create(volume, batch);
    await batch.commit();
  },
  async 'remove volume'(root, files) {
    await new VolumeStore(root, files).remove(VOLUME_ID);
  },
} as const satisfies Record<string, Change>;
export type ChangeName = keyof typeof CHANGES;

/** Makes the process die before its n-th call of a function of node:fs or node:fs/promises. */
function dieAtCall(n: number): void {
  let calls = 0;
  const arm = (module: Record<string, unknown>): void => {
    for (const [name, original] of Object.entries(module)) {
      if (typeof original !== 'function' || !/^[a-z]/.test(name)) continue;
      module[name] = (...args: unknown[]): unknown => {
        calls += 1;
        if (calls === n) process.kill(process.pid, 'SIGKILL');
        return (original as (...args: unknown[]) => unknown).apply(module, args);
      };
    }
  };
  arm(fs as unknown as Record<string, unknown>);
  arm(fs.promises as unknown as Record<string, unknown>);
  syncBuiltinESMExports();
}

const [root, change, n] = process.argv.slice(2);
if (root !== undefined && change !== undefined && Object.hasOwn(CHANGES, change)) {
  dieAtCall(Number(n));
  await CHANGES[change as ChangeName](root, new StateFiles(join(root, 'tmp')));
  process.stdout.write('done');
}
