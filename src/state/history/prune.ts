import { GenerationStore } from './generation-store.ts';
import type { HistoryDatabase } from './history-database.ts';

export interface Retention {
  readonly generations: number;
  readonly ops: number;
}

/** About 20 MB of journal at most; generations share their texts. */
export const DEFAULT_RETENTION: Retention = { generations: 100, ops: 50_000 };

/**
 * Forgets the oldest generations and ops, and texts that no generation is made of. Generations that the current one pins
 * an app to are kept beyond the count. Not to be called between recording a text and saving its generation.
 */
export function pruneHistory(history: HistoryDatabase, retention: Retention): void {
  history.durable(() => {
    const generations = new GenerationStore(history);
    const kept = generations.list(Math.max(1, retention.generations)).map(({ n }) => n);
    const pinned = Object.values(generations.current()?.pins.apps ?? {}).map(({ generation }) => generation);
    history
      .prepare('DELETE FROM generations WHERE n NOT IN (SELECT value FROM json_each(?))')
      .run(JSON.stringify([...kept, ...pinned]));
    history
      .prepare('DELETE FROM source_revisions WHERE id NOT IN (SELECT source_revision FROM generation_sources)')
      .run();
    history.prepare('DELETE FROM texts WHERE sha256 NOT IN (SELECT sha256 FROM source_revisions)').run();
    history
      .prepare("DELETE FROM ops WHERE status != 'running' AND id <= (SELECT max(id) FROM ops) - ?")
      .run(retention.ops);
  });
}
