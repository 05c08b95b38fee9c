import { smallest } from '../../model/lists.ts';
import { GenerationStore } from './generation-store.ts';
import type { HistoryDatabase } from './history-database.ts';

export interface Retention {
  readonly generations: number;
  readonly ops: number;
  /** Entries of the timeline, of all resources and of one. */
  readonly timeline: number;
  readonly timelineOfOne: number;
}

/** About 20 MB of journal and as much of timeline at most; generations share their texts. */
export const DEFAULT_RETENTION: Retention = {
  generations: 100,
  ops: 50_000,
  timeline: 20_000,
  timelineOfOne: 300,
};

/**
 * Forgets the oldest generations, ops and events, and texts that no generation is made of. Generations that the current one pins
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
    // What a declaration meant when the oldest generation began was recorded before it.
    const oldest = smallest([...kept, ...pinned]);
    history
      .prepare(
        `DELETE FROM generation_images WHERE n < (
          SELECT max(later.n) FROM generation_images AS later WHERE later.key = generation_images.key AND later.n <= ?)`,
      )
      .run(oldest);
    history
      .prepare('DELETE FROM source_revisions WHERE id NOT IN (SELECT source_revision FROM generation_sources)')
      .run();
    history.prepare('DELETE FROM texts WHERE sha256 NOT IN (SELECT sha256 FROM source_revisions)').run();
    history
      .prepare("DELETE FROM ops WHERE status != 'running' AND id <= (SELECT max(id) FROM ops) - ?")
      .run(retention.ops);
    pruneTimeline(history, retention);
  });
}

/**
 * A container that restarts in a circle must push out neither what happened to the others nor what became of it before:
 * repeated entries are counted separately from edits, operations and commands.
 */
function pruneTimeline(history: HistoryDatabase, { timeline, timelineOfOne }: Retention): void {
  history
    .prepare(
      `DELETE FROM timeline WHERE id <= (SELECT max(id) FROM timeline) - ? OR id IN (
        SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY key, kind IN ('start', 'exit', 'hold', 'probe') ORDER BY id DESC) AS place FROM timeline)
        WHERE place > ?)`,
    )
    .run(timeline, timelineOfOne);
}
