/** Which layer an instruction led to, so that it is not carried out again. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { fileError } from '../../ffi/files/layer-files.ts';
import { replaceFile } from '../replace-file.ts';

const recordSchema = z.object({
  /** Null for an instruction that changed no file. */
  layer: z.object({ chainId: z.string(), diffId: z.string() }).nullable(),
  /** RFC 3339: when it was carried out. */
  created: z.string(),
});

export type CacheRecord = z.infer<typeof recordSchema>;

/** More are thrown away, those first that were not used for the longest time. */
const MAX_RECORDS = 10_000;

/** Equal parts give an equal key: nothing of a step's time and place is in it. */
export function cacheKey(parts: Readonly<Record<string, unknown>>): string {
  const ordered = Object.keys(parts)
    .sort()
    .map((name) => [name, parts[name]]);
  return createHash('sha256').update(JSON.stringify(ordered)).digest('hex');
}

/** One small file a step in a directory of the root; losing one costs a build's time and nothing else. */
export class BuildCache {
  readonly #directory: string;
  readonly #layerExists: (chainId: string) => boolean;

  constructor(directory: string, layerExists: (chainId: string) => boolean) {
    this.#directory = directory;
    this.#layerExists = layerExists;
  }

  /** Null when it is not known or its layer is gone. */
  async find(key: string): Promise<CacheRecord | null> {
    const path = join(this.#directory, key);
    const text = await readFile(path, 'utf8').catch(() => null);
    if (text === null) return null;
    const record = readRecord(text);
    if (record === null || (record.layer !== null && !this.#layerExists(record.layer.chainId))) {
      await rm(path, { force: true });
      return null;
    }
    const now = new Date();
    await utimes(path, now, now).catch(() => {});
    return record;
  }

  /** @throws TSD_DISK_FULL, TSD_SYSCALL. */
  async keep(key: string, record: CacheRecord): Promise<void> {
    const path = join(this.#directory, key);
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await replaceFile(path, JSON.stringify(record));
    } catch (thrown) {
      throw fileError(thrown, 'write build cache');
    }
  }

  /** Throws away what is too much. */
  async trim(): Promise<void> {
    const names = await readdir(this.#directory).catch(() => []);
    if (names.length <= MAX_RECORDS) return;
    const times = await Promise.all(
      names.map(async (name) => {
        const found = await stat(join(this.#directory, name)).catch(() => null);
        return { name, used: found?.mtimeMs ?? 0 };
      }),
    );
    const oldest = times.sort((a, b) => a.used - b.used).slice(0, names.length - MAX_RECORDS);
    for (const { name } of oldest) await rm(join(this.#directory, name), { force: true });
  }
}

function readRecord(text: string): CacheRecord | null {
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
