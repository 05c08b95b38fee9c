import { closeSync, existsSync, mkdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { constants as os } from 'node:os';
import { join } from 'node:path';
import { sysError } from '../../../ffi/call/errno.ts';
import {
  createMappedDevice,
  findDevice,
  keepDevice,
  type MappedDevice,
  removeDevice,
  resumeDevice,
  sendMessage,
  suspendDevice,
  targetStatus,
  trySendMessage,
} from '../../../ffi/storage/device-mapper.ts';
import { attachLoopDevice, blockDeviceSize, loopDevicesOf } from '../../../ffi/storage/loop-device.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { DeviceMapperOptions } from './options.ts';

const SECTOR = 512;
/** Low water mark of the pool in blocks. The kernel raises an event below it, which is not used here. */
const LOW_WATER_MARK = 32768;
/**
 * Documentation/admin-guide/device-mapper/thin-provisioning.rst. Filesystems read no block that they have not written, so
 * new ones need no zeroes; and a full pool must fail requests, because waiting would stop the supervisor too.
 */
const FEATURES = '2 skip_block_zeroing error_if_no_space';
/** 24 bits. */
const DEVICE_IDS = 2 ** 24;

interface PoolStatus {
  readonly transaction: number;
  readonly freeDataBlocks: number;
}

/** The thin pool of one root directory, and the devices on it. Every call makes sure that the pool is there. */
export class ThinPool {
  readonly #prefix: string;
  readonly #home: string;
  readonly #options: DeviceMapperOptions;

  /** @param home the driver's directory, which must exist. */
  constructor(home: string, options: DeviceMapperOptions) {
    this.#home = home;
    this.#options = options;
    const { dev, ino } = statSync(home);
    // As Docker names them, with our own first word: devices of two supervisors differ.
    this.#prefix = `tsd-${dev >>> 8}:${dev & 0xff}-${ino}`;
  }

  get name(): string {
    const { pool } = this.#options;
    return pool.type === 'pool' ? pool.name : `${this.#prefix}-pool`;
  }

  /** Starts the pool unless it runs. @throws TsdError naming what is missing or in the way. */
  open(): void {
    const found = findDevice(this.name);
    const { pool } = this.#options;
    if (pool.type === 'pool') {
      if (found !== null && targetStatus(pool.name).type === 'thin-pool') return;
      throw new TsdError('TSD_DRIVER_UNAVAILABLE', `there is no thin pool ${pool.name}`, {
        step: 'open thin pool',
        hint: 'Make it with lvcreate or dmsetup, or correct dm.thinpooldev.',
      });
    }
    if (found !== null) keepDevice(this.name);
    else if (pool.type === 'devices') this.#start(pool.data, pool.metadata);
    else this.#startOnFiles(pool.dataBytes, pool.metadataBytes);
  }

  #startOnFiles(dataBytes: number, metadataBytes: number): void {
    const files = join(this.#home, 'devicemapper');
    mkdirSync(files, { recursive: true, mode: 0o700 });
    const data = attachLoopDevice(sparseFile(join(files, 'data'), dataBytes));
    try {
      const metadata = attachLoopDevice(sparseFile(join(files, 'metadata'), metadataBytes));
      try {
        this.#start(data.path, metadata.path);
      } finally {
        closeSync(metadata.fd);
      }
    } finally {
      // The pool holds them now; without one they go.
      closeSync(data.fd);
    }
  }

  #start(data: string, metadata: string): void {
    const sectors = Math.floor(blockDeviceSize(data) / SECTOR);
    const parameters = `${metadata} ${data} ${this.#options.blockSectors} ${LOW_WATER_MARK} ${FEATURES}`;
    createMappedDevice(this.name, sectors, 'thin-pool', parameters);
  }

  /** @throws TSD_DISK_FULL when nothing can be written to it, TSD_DRIVER_UNAVAILABLE when it is broken. */
  status(): PoolStatus {
    const { status } = targetStatus(this.name);
    const [transaction = '', metadata = '', data = '', , mode = ''] = status.split(' ');
    const [usedMetadata = 0, allMetadata = 0] = metadata.split('/').map(Number);
    const [usedData = 0, allData = 0] = data.split('/').map(Number);
    if (status === 'Fail' || status === 'Error' || !/^\d+$/.test(transaction)) {
      throw new TsdError('TSD_DRIVER_UNAVAILABLE', `thin pool ${this.name} is broken: ${status}`, {
        step: 'status of thin pool',
        hint: 'Stop the supervisor and its containers, then repair the metadata with thin_repair.',
      });
    }
    if (mode === 'out_of_data_space' || mode === 'ro' || usedData >= allData || usedMetadata >= allMetadata) {
      throw new TsdError(
        'TSD_DISK_FULL',
        `thin pool ${this.name} is full: ${usedData}/${allData} data blocks, ${usedMetadata}/${allMetadata} of metadata, ${mode}`,
        {
          step: 'status of thin pool',
          hint: 'Remove containers and images, or give the pool larger devices.',
        },
      );
    }
    return { transaction: Number(transaction), freeDataBlocks: allData - usedData };
  }

  setTransaction(from: number, to: number): void {
    sendMessage(this.name, `set_transaction_id ${from} ${to}`);
  }

  /** @returns false when the id is taken. */
  tryCreate(deviceId: number): boolean {
    return this.#tryMake(`create_thin ${deviceId}`);
  }

  /** Makes a device with the content that the origin has now. @returns false when the id is taken. */
  trySnapshot(deviceId: number, origin: { readonly id: number; readonly name: string }): boolean {
    const device = this.deviceName(origin.name);
    const active = findDevice(device) !== null;
    // What the filesystem has in flight would be missing from the snapshot.
    if (active) suspendDevice(device);
    try {
      return this.#tryMake(`create_snap ${deviceId} ${origin.id}`);
    } finally {
      if (active) resumeDevice(device);
    }
  }

  #tryMake(message: string): boolean {
    const errno = trySendMessage(this.name, message);
    if (errno === 0) return true;
    if (errno === os.errno.EEXIST) return false;
    throw sysError('ioctl', errno, `thin pool: ${message}`);
  }

  /** Deletes a device that is not active; an absent one is deleted already. */
  delete(deviceId: number): void {
    const errno = trySendMessage(this.name, `delete ${deviceId}`);
    if (errno !== 0 && errno !== os.errno.ENODATA) throw sysError('ioctl', errno, `thin pool: delete ${deviceId}`);
  }

  /** The block device of a thin device, started unless it runs. */
  activate(name: string, deviceId: number, bytes: number): MappedDevice {
    const device = this.deviceName(name);
    const found = findDevice(device);
    if (found !== null) {
      keepDevice(device);
      return found;
    }
    const pool = findDevice(this.name);
    if (pool === null) throw new TsdError('TSD_BUG', `thin pool ${this.name} is not open`);
    return createMappedDevice(device, bytes / SECTOR, 'thin', `${pool.path} ${deviceId}`);
  }

  /** @returns false when it goes only with its last user. */
  deactivate(name: string): boolean {
    return removeDevice(this.deviceName(name));
  }

  users(name: string): number {
    return findDevice(this.deviceName(name))?.users ?? 0;
  }

  /** Lets the kernel end the pool as soon as no device is left on it; a pool of somebody else stays. */
  release(): void {
    if (this.#options.pool.type !== 'pool') removeDevice(this.name);
  }

  deviceName(name: string): string {
    return `${this.#prefix}-${name}`;
  }

  /** The id after this one, round the end. */
  static nextId(deviceId: number): number {
    return (deviceId + 1) % DEVICE_IDS;
  }
}

/** @throws TSD_DRIVER_UNAVAILABLE when the file is in use as another pool's. */
function sparseFile(path: string, bytes: number): string {
  if (!existsSync(path)) {
    writeFileSync(path, '', { mode: 0o600 });
  }
  if (statSync(path).size < bytes) truncateSync(path, bytes);
  const [loop] = loopDevicesOf(path);
  if (loop === undefined) return path;
  throw new TsdError('TSD_DRIVER_UNAVAILABLE', `${path} is in use by /dev/${loop}`, {
    step: 'open thin pool',
    hint: `End what uses it (dmsetup ls shows pools), then: losetup -d /dev/${loop}`,
  });
}
