import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { fileError } from '../../../ffi/files/layer-files.ts';
import { mountInPassing } from '../../../ffi/storage/mounts.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { Fingerprint } from '../../contract/driver.ts';
import type { GraphDriver, LayerChange, LayerFiles, LayerTarget, RootMount } from '../../contract/graph.ts';
import { syncFilesystem } from '../build-area.ts';
import { LayersInFlight } from '../in-flight.ts';
import { checkLayerId, isLayerId, missingLayer, missingParent, parentConflict, stillUsed } from '../layer-id.ts';
import type { StorageOptions } from '../storage-options.ts';
import { treeChanges, type WalkOptions } from '../tree-changes.ts';
import { changesSize } from '../tree-size.ts';
import { type DeviceRecord, DeviceRecords } from './device-records.ts';
import { makeFilesystem, mountCall } from './filesystem.ts';
import { deviceMapperFingerprint } from './fingerprint.ts';
import { type DeviceMapperOptions, deviceMapperOptions } from './options.ts';
import { ThinPool } from './thin-pool.ts';

const run = promisify(execFile);

/** Of every device, as in Docker 1.4: the container's files; beside it are the filesystem's own. */
const FILES = 'rootfs';
/** How long a device that is going out of use may take: its last user is a mount namespace that the kernel takes down. */
const IDLE_MS = 30_000;
const IDLE_POLL_MS = 20;

type Listed = ReturnType<GraphDriver['list']>[number];

interface Origin {
  readonly name: string;
  readonly record: DeviceRecord;
}

/**
 * Layers and snapshots as thin devices of one pool, each with a filesystem of its own; a device starts as a snapshot of
 * its parent's, or of the empty base device. Below `<root>/devicemapper` everything is where Docker 1.4 has it
 * ({@link DeviceRecords}, and the sparse files of {@link ThinPool}). Devices of layers run while somebody reads them,
 * those of containers from their start on; a device in use outlives the supervisor.
 */
class DeviceMapperDriver implements GraphDriver {
  readonly name = 'devicemapper';
  readonly #home: string;
  readonly #options: DeviceMapperOptions;
  readonly #records: DeviceRecords;
  readonly #inFlight = new LayersInFlight();
  /** How many have a device open here. */
  readonly #users = new Map<string, number>();
  /** Snapshots whose devices stay, because exec may mount them at any time. */
  readonly #forContainers = new Set<string>();
  #pool: ThinPool | null = null;

  constructor(root: string, options: DeviceMapperOptions) {
    this.#home = join(root, 'devicemapper');
    this.#options = options;
    this.#records = new DeviceRecords(this.#home);
    this.#records.giveUpUnfinished();
  }

  fingerprint(): Fingerprint {
    return deviceMapperFingerprint(this.#home, this.#options);
  }

  async createLayer(id: string, parent: string | null, fill: (target: LayerTarget) => Promise<void>): Promise<void> {
    if (!this.#isNew({ id, parent, type: 'layer' })) return;
    await this.#inFlight.once(id, parent, async () => {
      const pool = this.#ready();
      const name = `new-${randomBytes(8).toString('hex')}`;
      const place = join('.tmp', name);
      const record = this.#make(pool, name, place, { parent, type: 'layer' });
      try {
        await this.#fill(name, record, fill);
        await this.#idle(pool, name);
        this.#records.move(place, join('metadata', id));
      } catch (thrown) {
        await this.#destroy(pool, name, record);
        this.#records.drop(place);
        throw fileError(thrown, `create layer ${id}`);
      }
    });
  }

  async createSnapshot(id: string, parent: string | null): Promise<void> {
    if (!this.#isNew({ id, parent, type: 'snapshot' })) return;
    this.#make(this.#ready(), id, join('metadata', id), { parent, type: 'snapshot' });
  }

  rootMount(id: string): RootMount {
    const record = this.#records.read(id);
    if (record === null || record.type === 'layer') {
      throw new TsdError('TSD_IMAGE_MISSING', `snapshot ${id} does not exist`, { step: 'root filesystem' });
    }
    const device = this.#ready().activate(id, record.device_id, record.size);
    this.#forContainers.add(id);
    return {
      type: 'calls',
      place: this.#place,
      calls: [mountCall(device.path, this.#options, false)],
      subdirectory: FILES,
    };
  }

  openLayer(id: string): LayerFiles {
    return this.#open(id, this.#existing(id, 'open layer'));
  }

  changes(id: string, signal?: AbortSignal): AsyncIterable<LayerChange> {
    return this.#changes(id, this.#existing(id, 'changes'), { signal });
  }

  async remove(id: string): Promise<void> {
    checkLayerId(id);
    this.#inFlight.refuseUse(id);
    const record = this.#records.read(id);
    if (record === null) return;
    if (record.type !== 'snapshot') {
      const child = this.list().find(({ parent }) => parent === id);
      if (child !== undefined) throw stillUsed(id, child.id);
    }
    const pool = this.#ready();
    this.#forContainers.delete(id);
    await this.#idle(pool, id);
    const grave = join('.removed', id);
    this.#records.move(join('metadata', id), grave);
    await this.#destroy(pool, id, record);
    this.#records.drop(grave);
  }

  exists(id: string): boolean {
    return isLayerId(id) && this.#records.read(id) !== null;
  }

  ids(): readonly string[] {
    return this.#records.ids();
  }

  list(): readonly Listed[] {
    return this.ids().map((id) => {
      const record = this.#records.read(id);
      return { id, parent: record?.parent ?? null, type: record?.type ?? 'layer' };
    });
  }

  async size(id: string): Promise<number> {
    return changesSize(this.#changes(id, this.#existing(id, 'size'), { deep: 'left-out' }));
  }

  close(): void {
    const pool = this.#pool;
    if (pool === null) return;
    this.#pool = null;
    this.#forContainers.clear();
    for (const name of ['base', ...this.#records.ids()]) pool.deactivate(name);
    pool.release();
  }

  get #place(): string {
    return join(this.#home, '.passing');
  }

  /** The pool, started and cleared of what an interrupted predecessor left; with the base device. */
  #ready(): ThinPool {
    if (this.#pool !== null) return this.#pool;
    mkdirSync(this.#home, { recursive: true, mode: 0o700 });
    const pool = new ThinPool(this.#home, this.#options);
    pool.open();
    this.#rollBack(pool);
    this.#deleteRemoved(pool);
    if (this.#records.base() === null) this.#makeBase(pool);
    this.#pool = pool;
    return pool;
  }

  #rollBack(pool: ThinPool): void {
    const open = this.#records.transaction();
    if (open === null || open.open_transaction_id <= pool.status().transaction) return;
    const { device_hash: name, device_id: deviceId } = open;
    if (this.#records.read(name)?.device_id === deviceId) this.#records.drop(join('metadata', name));
    if (this.#isKnown(deviceId)) return;
    pool.deactivate(name);
    pool.delete(deviceId);
  }

  #deleteRemoved(pool: ThinPool): void {
    for (const { place, name, record } of this.#records.removed()) {
      // One that is still mounted somewhere waits for the next start.
      if (!pool.deactivate(name)) continue;
      if (!this.#isKnown(record.device_id)) pool.delete(record.device_id);
      this.#records.drop(place);
    }
  }

  #isKnown(deviceId: number): boolean {
    if (this.#records.base()?.device_id === deviceId) return true;
    return this.#records.ids().some((id) => this.#records.read(id)?.device_id === deviceId);
  }

  #makeBase(pool: ThinPool): void {
    this.#transact(pool, 'base', join('metadata', 'base'), (deviceId) => {
      if (!pool.tryCreate(deviceId)) return null;
      const record = { device_id: deviceId, size: this.#options.baseBytes };
      try {
        const { path } = pool.activate('base', deviceId, record.size);
        makeFilesystem(path, this.#options);
        const fd = mountInPassing('mount base device', this.#place, [mountCall(path, this.#options, false)], '');
        try {
          mkdirSync(`/proc/self/fd/${fd}/${FILES}`, { mode: 0o755 });
        } finally {
          closeSync(fd);
        }
      } finally {
        pool.deactivate('base');
      }
      return record;
    });
  }

  #make(pool: ThinPool, name: string, place: string, about: { parent: string | null; type: 'layer' | 'snapshot' }) {
    const { parent, type } = about;
    const origin = this.#origin(name, parent);
    const source = { id: origin.record.device_id, name: origin.name };
    return this.#transact(pool, name, place, (deviceId) => {
      if (!pool.trySnapshot(deviceId, source)) return null;
      return { device_id: deviceId, size: origin.record.size, type, ...(parent !== null && { parent }) };
    });
  }

  #origin(child: string, parent: string | null): Origin {
    const record = parent === null ? this.#records.base() : this.#records.read(parent);
    if (record === null) throw missingParent(child, parent ?? 'base');
    return { name: parent ?? 'base', record };
  }

  /**
   * Makes a device that is on record, or, whatever interrupts us, neither: the record of the transaction tells the next
   * start what to undo as long as the pool's transaction is not its own.
   * @param make null when the device id is taken.
   */
  #transact(
    pool: ThinPool,
    name: string,
    place: string,
    make: (deviceId: number) => Pick<DeviceRecord, 'device_id' | 'size' | 'parent' | 'type'> | null,
  ): DeviceRecord {
    const { transaction } = pool.status();
    let deviceId = this.#records.nextDeviceId();
    for (;;) {
      const opened = { open_transaction_id: transaction + 1, device_hash: name, device_id: deviceId };
      this.#records.openTransaction(opened);
      const made = make(deviceId);
      if (made === null) {
        deviceId = ThinPool.nextId(deviceId);
        continue;
      }
      const record = { ...made, transaction_id: transaction + 1, initialized: true };
      try {
        this.#records.write(place, record);
        pool.setTransaction(transaction, transaction + 1);
        this.#records.setNextDeviceId(ThinPool.nextId(deviceId));
        return record;
      } catch (error) {
        pool.delete(deviceId);
        this.#records.drop(place);
        throw error;
      }
    }
  }

  async #fill(name: string, record: DeviceRecord, fill: (target: LayerTarget) => Promise<void>): Promise<void> {
    const files = this.#open(name, { ...record, type: 'snapshot' });
    try {
      await fill({ path: files.path, whiteouts: 'delete' });
      await syncFilesystem(files.path);
    } finally {
      files.close();
    }
  }

  /** Mounts a device at a place that only this process can reach; the device stops with its last open descriptor. */
  #open(name: string, record: DeviceRecord): LayerFiles {
    const pool = this.#ready();
    const device = pool.activate(name, record.device_id, record.size);
    const release = (): void => {
      const left = (this.#users.get(name) ?? 1) - 1;
      if (left > 0) this.#users.set(name, left);
      else this.#users.delete(name);
      if (left <= 0 && !this.#forContainers.has(name)) pool.deactivate(name);
    };
    this.#users.set(name, (this.#users.get(name) ?? 0) + 1);
    let fd: number;
    try {
      // A filesystem is mounted writable or not, for all: that of a container may be in use just now.
      const call = mountCall(device.path, this.#options, record.type === 'layer');
      fd = mountInPassing(`mount device of ${name}`, this.#place, [call], FILES);
    } catch (error) {
      release();
      throw error;
    }
    let closed = false;
    return {
      // By process id, because other programs open this path too; with the dot, because it is no symlink.
      path: `/proc/${process.pid}/fd/${fd}/.`,
      close: () => {
        if (closed) return;
        closed = true;
        closeSync(fd);
        release();
      },
    };
  }

  async *#changes(id: string, record: DeviceRecord, walk: WalkOptions): AsyncGenerator<LayerChange> {
    const upper = this.#open(id, record);
    try {
      if (record.parent === undefined) {
        yield* treeChanges(upper.path, null, walk);
        return;
      }
      const lower = this.#open(record.parent, this.#existing(record.parent, 'changes'));
      try {
        yield* treeChanges(upper.path, lower.path, walk);
      } finally {
        lower.close();
      }
    } finally {
      upper.close();
    }
  }

  /** Deactivates a device once it is not open any more. @throws TSD_SYSCALL of class unavailable when it stays open */
  async #idle(pool: ThinPool, name: string): Promise<void> {
    const deadline = performance.now() + IDLE_MS;
    while (!pool.deactivate(name)) {
      if (performance.now() > deadline) {
        throw new TsdError('TSD_SYSCALL', `device ${pool.deviceName(name)} is in use`, {
          class: 'unavailable',
          step: 'stop device',
          hint: 'Some process has a mount of it: grep for the device in /proc/*/mountinfo.',
        });
      }
      await sleep(IDLE_POLL_MS);
    }
  }

  async #destroy(pool: ThinPool, name: string, record: DeviceRecord): Promise<void> {
    await this.#idle(pool, name);
    if (this.#options.discard) {
      const { path } = pool.activate(name, record.device_id, record.size);
      try {
        await run('blkdiscard', [path]);
      } catch (cause) {
        throw new TsdError('TSD_SYSCALL', `cannot discard ${path}: ${(cause as Error).message}`, {
          step: 'discard device',
          cause,
        });
      } finally {
        await this.#idle(pool, name);
      }
    }
    pool.delete(record.device_id);
  }

  #existing(id: string, step: string): DeviceRecord {
    const record = this.#records.read(id);
    if (record === null) throw missingLayer(id, step);
    return record;
  }

  /** @returns false when it exists as wanted. @throws TSD_LAYER_CONFLICT, TSD_IMAGE_MISSING. */
  #isNew({ id, parent, type }: Listed): boolean {
    checkLayerId(id);
    const found = this.#records.read(id);
    if (found !== null) {
      if (found.type === type && (found.parent ?? null) === parent) return false;
      throw parentConflict(id, found.parent ?? null, parent);
    }
    if (parent !== null && !this.exists(parent)) throw missingParent(id, parent);
    return true;
  }
}

/** The devicemapper driver of a root directory; touches no device before the first layer. @throws TSD_FLAG. */
export function createDeviceMapperDriver(root: string, options: StorageOptions): GraphDriver {
  return new DeviceMapperDriver(root, deviceMapperOptions(options));
}
