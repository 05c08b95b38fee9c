import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { syncDirectory } from '../../../ffi/files/files.ts';
import { fileError } from '../../../ffi/files/layer-files.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { isLayerId } from '../layer-id.ts';

/** Docker 1.4's keys, and ours at the end. */
const deviceRecord = z.object({
  device_id: z.int().min(0),
  size: z.int().min(0),
  transaction_id: z.int().min(0),
  initialized: z.boolean(),
  parent: z.string().optional(),
  type: z.enum(['layer', 'snapshot']).optional(),
});
export type DeviceRecord = z.infer<typeof deviceRecord>;

const transaction = z.object({ open_transaction_id: z.int(), device_hash: z.string(), device_id: z.int() });
type Transaction = z.infer<typeof transaction>;

/** Files beside the devices' own. */
const BASE = 'base';
const DEVICE_SET = 'deviceset-metadata';
const TRANSACTION = 'transaction-metadata';
const OTHERS: ReadonlySet<string> = new Set([BASE, DEVICE_SET, TRANSACTION]);

/**
 * What is known of the thin devices, as Docker 1.4 keeps it below the home, and two places of ours:
 *
 *   metadata/<id>                   a layer or snapshot
 *   metadata/base                   the empty filesystem that they all come from
 *   metadata/deviceset-metadata     the next device id to try
 *   metadata/transaction-metadata   the device that is being made, until the pool's transaction id is this one's
 *   .tmp/<name>                     a layer whose files are being written
 *   .removed/<name>                 a device to be deleted
 */
export class DeviceRecords {
  readonly #home: string;

  constructor(home: string) {
    this.#home = home;
  }

  /** Ids of layers and snapshots, sorted. */
  ids(): string[] {
    return this.#names('metadata').filter((name) => isLayerId(name) && !OTHERS.has(name));
  }

  /** Null for an id that has none. @throws TSD_STATE_CORRUPT. */
  read(id: string): DeviceRecord | null {
    return OTHERS.has(id) ? null : this.#read(join('metadata', id), deviceRecord);
  }

  base(): DeviceRecord | null {
    return this.#read(join('metadata', BASE), deviceRecord);
  }

  /** Durable on return. @param place `metadata/<id>` or `.tmp/<name>`. */
  write(place: string, record: DeviceRecord): void {
    this.#write(place, record, true);
  }

  /** Makes what was written at one place stand at another; durable on return. */
  move(from: string, to: string): void {
    try {
      mkdirSync(dirname(join(this.#home, to)), { recursive: true, mode: 0o700 });
      renameSync(join(this.#home, from), join(this.#home, to));
      syncDirectory(dirname(join(this.#home, to)));
    } catch (thrown) {
      throw fileError(thrown, `rename ${from} to ${to}`);
    }
  }

  drop(place: string): void {
    rmSync(join(this.#home, place), { force: true });
  }

  nextDeviceId(): number {
    return this.#read(DEVICE_SET_PLACE, z.object({ next_device_id: z.int() }))?.next_device_id ?? 0;
  }

  /** Only a hint: an id in use is stepped over. */
  setNextDeviceId(id: number): void {
    this.#write(DEVICE_SET_PLACE, { next_device_id: id }, false);
  }

  transaction(): Transaction | null {
    return this.#read(join('metadata', TRANSACTION), transaction);
  }

  openTransaction(opened: Transaction): void {
    this.#write(join('metadata', TRANSACTION), opened, true);
  }

  /** What an interrupted predecessor was making is to be deleted. */
  giveUpUnfinished(): void {
    for (const name of this.#names('.tmp')) {
      this.move(join('.tmp', name), join('.removed', name));
    }
  }

  /** Devices that are to be deleted. */
  removed(): { readonly place: string; readonly name: string; readonly record: DeviceRecord }[] {
    return this.#names('.removed').flatMap((name) => {
      const place = join('.removed', name);
      const record = this.#read(place, deviceRecord);
      return record === null ? [] : [{ place, name, record }];
    });
  }

  #names(directory: string): string[] {
    const path = join(this.#home, directory);
    return existsSync(path) ? readdirSync(path).sort() : [];
  }

  #read<T>(place: string, schema: z.ZodType<T>): T | null {
    const path = join(this.#home, place);
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw fileError(thrown, `read ${path}`);
    }
    try {
      return schema.parse(JSON.parse(text));
    } catch (cause) {
      throw new TsdError('TSD_STATE_CORRUPT', `${path} cannot be read`, { step: 'read device record', cause });
    }
  }

  #write(place: string, content: unknown, flush: boolean): void {
    const path = join(this.#home, place);
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      const written = join(this.#home, '.write');
      writeFileSync(written, JSON.stringify(content), { mode: 0o600, flush });
      renameSync(written, path);
      if (flush) syncDirectory(dirname(path));
    } catch (thrown) {
      throw fileError(thrown, `write ${path}`);
    }
  }
}

const DEVICE_SET_PLACE = join('metadata', DEVICE_SET);
