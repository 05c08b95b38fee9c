import type { ResourceKey } from '../../model/resource.ts';
import { GenerationStore } from './generation-store.ts';
import type { HistoryDatabase } from './history-database.ts';

/** What is remembered of images beyond what declarations mean now: what they meant before, and when each was needed. */
export class ImageStore {
  readonly #history: HistoryDatabase;
  readonly #generations: GenerationStore;

  constructor(history: HistoryDatabase) {
    this.#history = history;
    this.#generations = new GenerationStore(history);
  }

  /** The image of each declaration when a later generation took over from this one. */
  asOf(generation: number): ReadonlyMap<ResourceKey, string> {
    const rows = this.#history
      .prepare<[number], { key: ResourceKey; imageId: string }>(
        `SELECT key, image_id AS imageId, max(n) FROM generation_images WHERE n <= ? GROUP BY key`,
      )
      .all(generation);
    return new Map(rows.map(({ key, imageId }) => [key, imageId]));
  }

  /** Images that a rollback to one of the newest generations needs, or to one that an app is held at. @param count at least 1 */
  neededBy(count: number): ReadonlySet<string> {
    const kept = this.#generations.list(count);
    const oldest = kept.at(-1)?.n ?? 0;
    const held = Object.values(kept[0]?.pins.apps ?? {}).map(({ generation }) => generation);
    const since = this.#history
      .prepare<[number], { imageId: string }>('SELECT image_id AS imageId FROM generation_images WHERE n >= ?')
      .all(oldest);
    const before = [oldest, ...held].flatMap((n) => [...this.asOf(n).values()]);
    return new Set([...since.map(({ imageId }) => imageId), ...before]);
  }

  /** The image that the current generation holds a declaration to, because it brings an earlier one back; else null. */
  pinned(key: ResourceKey): string | null {
    return this.#generations.current()?.pins.images[key] ?? null;
  }

  /** Unix ms of the last time each image was needed, as far as that was looked at. */
  lastUsed(): ReadonlyMap<string, number> {
    const rows = this.#history
      .prepare<[], { imageId: string; at: number }>('SELECT image_id AS imageId, used_at AS at FROM image_use')
      .all();
    return new Map(rows.map(({ imageId, at }) => [imageId, at]));
  }

  /** An image was needed for a moment, as by a build. */
  noteMoment(imageId: string, atMs: number): void {
    this.#history.durable(() => {
      this.#history.prepare('INSERT OR REPLACE INTO image_use VALUES (?, ?)').run(imageId, Math.round(atMs));
    });
  }

  /** @param present images there are; the others are forgotten. */
  noteUse(used: Iterable<string>, present: Iterable<string>, atMs: number): void {
    this.#history.durable(() => {
      const note = this.#history.prepare('INSERT OR REPLACE INTO image_use VALUES (?, ?)');
      for (const id of used) note.run(id, Math.round(atMs));
      this.#history
        .prepare('DELETE FROM image_use WHERE image_id NOT IN (SELECT value FROM json_each(?))')
        .run(JSON.stringify([...present]));
    });
  }
}
