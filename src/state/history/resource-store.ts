import type { Statement } from 'better-sqlite3';
import type { ResourceKey } from '../../model/resource.ts';
import type { HistoryDatabase } from './history-database.ts';
import { fromRow, type NetworkRecord, type NetworkRow, toRow } from './network-record.ts';

/** Which image a declared image key means. */
export interface ImageBinding {
  readonly key: ResourceKey;
  readonly specHash: string;
  readonly imageId: string;
  /** Fingerprint of the source: differs when the source changed since the load. */
  readonly sourceFingerprint: string;
  /** Of a build: which image each declared one that it uses was then. Null: not known, or no build. */
  readonly bases: Readonly<Record<ResourceKey, string>> | null;
}

/** Source fingerprint of a binding whose refresh was requested; it is resolved again under any policy. */
export const REFRESH_REQUESTED = 'asked-anew';
/** Source fingerprint of a build to repeat without the build cache. */
export const REBUILD_REQUESTED = 'asked-anew-uncached';
/** Source fingerprint of a binding that is to become the image to which the current generation pins it. */
export const NEWLY_PINNED = 'pinned-anew';

/** Declared networks and images, for which Docker's layout has no place. All changes are durable. */
export class ResourceStore {
  readonly #history: HistoryDatabase;
  readonly #networks: Statement<[], NetworkRow>;
  readonly #images: Statement<[], Omit<ImageBinding, 'bases'> & { bases: string | null }>;
  /** Builds that were never made, and are to be made without what others made. */
  readonly #uncached = new Set<ResourceKey>();
  #changed: (key: ResourceKey) => void = () => {};
  /** What the tables hold, until the next change: each observation of the host reads it. */
  #known: { networks?: readonly NetworkRecord[]; images?: readonly ImageBinding[] } = {};

  constructor(history: HistoryDatabase) {
    this.#history = history;
    this.#networks = history.prepare(`SELECT key, spec_hash AS specHash, written, schema_version AS schemaVersion,
      driver, interface AS interfaceName, ipv4, ipv6, defaults, request FROM networks`);
    this.#images = history.prepare(`SELECT key, spec_hash AS specHash, image_id AS imageId,
      source_fingerprint AS sourceFingerprint, bases FROM images`);
  }

  /** Calls the listener with the key of each possible change. */
  watch(changed: (key: ResourceKey) => void): void {
    this.#changed = changed;
  }

  networks(): readonly NetworkRecord[] {
    this.#known.networks ??= this.#networks.all().map(fromRow);
    return this.#known.networks;
  }

  setNetwork(record: NetworkRecord): void {
    this.#change([record.key], () =>
      this.#history
        .prepare(`INSERT OR REPLACE INTO networks (key, spec_hash, written, schema_version, driver, interface, ipv4, ipv6, defaults, request)
          VALUES (@key, @specHash, @written, @schemaVersion, @driver, @interfaceName, @ipv4, @ipv6, @defaults, @request)`)
        .run(toRow(record)),
    );
  }

  removeNetwork(key: ResourceKey): void {
    this.#change([key], () => this.#history.prepare('DELETE FROM networks WHERE key = ?').run(key));
  }

  images(): readonly ImageBinding[] {
    this.#known.images ??= this.#images.all().map((row) => ({
      ...row,
      bases: row.bases === null ? null : (JSON.parse(row.bases) as Record<ResourceKey, string>),
    }));
    return this.#known.images;
  }

  setImage({ key, specHash, imageId, sourceFingerprint, bases }: ImageBinding): void {
    this.#uncached.delete(key);
    this.#change([key], () => {
      this.#history
        .prepare('INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?)')
        .run(key, specHash, imageId, sourceFingerprint, bases && JSON.stringify(bases));
      this.#history
        .prepare('INSERT OR REPLACE INTO generation_images SELECT coalesce(max(n), 0), ?, ? FROM generations')
        .run(key, imageId);
    });
  }

  /**
   * Has declared images resolved again; those that were never resolved are so anyway.
   * @param uncached builds among them without cache
   */
  requestRefresh(keys: readonly ResourceKey[], uncached: readonly ResourceKey[] = []): void {
    if (keys.length === 0) return;
    const known = new Set(this.images().map(({ key }) => key));
    for (const key of uncached) if (!known.has(key)) this.#uncached.add(key);
    this.#change(keys, () => {
      const update = this.#history.prepare('UPDATE images SET source_fingerprint = ? WHERE key = ?');
      for (const key of keys) update.run(uncached.includes(key) ? REBUILD_REQUESTED : REFRESH_REQUESTED, key);
    });
  }

  /** True for a build without cache, until it is complete. */
  isUncached(key: ResourceKey): boolean {
    const binding = this.images().find((image) => image.key === key);
    return this.#uncached.has(key) || binding?.sourceFingerprint === REBUILD_REQUESTED;
  }

  /** Has declared images become those of an earlier generation. */
  pin(images: Readonly<Record<ResourceKey, string>>): void {
    if (Object.keys(images).length === 0) return;
    this.#change(Object.keys(images) as ResourceKey[], () => {
      const update = this.#history.prepare('UPDATE images SET source_fingerprint = ? WHERE key = ? AND image_id != ?');
      for (const [key, imageId] of Object.entries(images)) update.run(NEWLY_PINNED, key, imageId);
    });
  }

  removeImage(key: ResourceKey): void {
    this.#change([key], () => this.#history.prepare('DELETE FROM images WHERE key = ?').run(key));
  }

  /** Forgets what was known also when the change fails: it may have been made. */
  #change(keys: readonly ResourceKey[], change: () => unknown): void {
    try {
      this.#history.durable(change);
    } finally {
      this.#known = {};
      for (const key of keys) this.#changed(key);
    }
  }
}
