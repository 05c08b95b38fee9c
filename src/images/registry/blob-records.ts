import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { fileError } from '../../ffi/files/layer-files.ts';
import { replaceFile } from '../replace-file.ts';

const recordSchema = z.object({
  digest: z.string(),
  size: z.number(),
  mediaType: z.string(),
  registry: z.string(),
  repository: z.string(),
});
/** A blob that holds a layer, and a repository where it was seen. */
export type BlobRecord = z.infer<typeof recordSchema>;

/** Places of one layer that are remembered; the newest are kept. */
const MAX_RECORDS = 16;

/** Which blobs on which registries hold which layers, by DiffID. Only saves transfers: a lost or wrong record costs one. */
export class BlobRecords {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Newest first. */
  async get(diffId: string): Promise<readonly BlobRecord[]> {
    try {
      return z.array(recordSchema).parse(JSON.parse(await readFile(join(this.#directory, diffId), 'utf8')));
    } catch {
      return [];
    }
  }

  /** @throws TSD_DISK_FULL, TSD_SYSCALL. */
  async add(diffId: string, record: BlobRecord): Promise<void> {
    const known = (await this.get(diffId)).filter(
      ({ digest, registry, repository }) =>
        digest !== record.digest || registry !== record.registry || repository !== record.repository,
    );
    const path = join(this.#directory, diffId);
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await replaceFile(path, JSON.stringify([record, ...known].slice(0, MAX_RECORDS)));
    } catch (thrown) {
      throw fileError(thrown, `write ${path}`);
    }
  }
}
