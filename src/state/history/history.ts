import type { Database } from 'better-sqlite3';
import { type Opening, openDatabase } from '../databases/database.ts';
import type { StateIssue } from '../files/state-file.ts';
import { ApprovalStore } from './approval-store.ts';
import { ContentsStore } from './contents-store.ts';
import { FailureStore } from './failure-store.ts';
import { GenerationStore } from './generation-store.ts';
import { HealthStore } from './health-store.ts';
import { HistoryDatabase } from './history-database.ts';
import { HoldStore } from './hold-store.ts';
import { ImageStore } from './image-store.ts';
import { Journal } from './journal.ts';
import { LeaseStore } from './lease-store.ts';
import { migrate } from './migrations.ts';
import { DEFAULT_RETENTION, pruneHistory, type Retention } from './prune.ts';
import { ResourceStore } from './resource-store.ts';
import { SourceStore } from './source-store.ts';
import { TimelineStore } from './timeline-store.ts';
import { UpdateStore } from './update-store.ts';

/** history.db: what we remember beyond Docker's own files. */
export interface History {
  readonly sources: SourceStore;
  readonly generations: GenerationStore;
  readonly contents: ContentsStore;
  readonly journal: Journal;
  readonly timeline: TimelineStore;
  readonly failures: FailureStore;
  readonly health: HealthStore;
  readonly updates: UpdateStore;
  readonly leases: LeaseStore;
  readonly resources: ResourceStore;
  readonly images: ImageStore;
  readonly approvals: ApprovalStore;
  readonly holds: HoldStore;
  readonly issues: readonly StateIssue[];
  /** What was wrong with the file that should be there; null where nothing was. See openDatabase. */
  readonly loss: string | null;
  /** Makes the durable changes of several stores one transaction with one fsync. */
  durable<T>(changes: () => T): T;
  /** Bounds the file; call it now and then. */
  prune(retention?: Retention): void;
  close(): void;
}

/** @throws TsdError TSD_VERSION_MISMATCH for a newer schema. A damaged file is set aside: see issues. */
export function openHistory(path: string, opening: Opening = {}): History {
  const prepare = (opened: Database): void => {
    opened.pragma('journal_mode = WAL');
    // With a write-ahead log NORMAL syncs at checkpoints only.
    opened.pragma('synchronous = NORMAL');
    opened.pragma('foreign_keys = ON');
    migrate(opened);
  };
  const { database, issues, loss } = openDatabase(path, prepare, opening);
  const history = new HistoryDatabase(database);
  return {
    sources: new SourceStore(history),
    generations: new GenerationStore(history),
    contents: new ContentsStore(history),
    journal: new Journal(history),
    timeline: new TimelineStore(history),
    failures: new FailureStore(history),
    health: new HealthStore(history),
    updates: new UpdateStore(history),
    leases: new LeaseStore(history),
    resources: new ResourceStore(history),
    images: new ImageStore(history),
    approvals: new ApprovalStore(history),
    holds: new HoldStore(history),
    issues,
    loss,
    durable: (changes) => history.durable(changes),
    prune: (retention = DEFAULT_RETENTION) => pruneHistory(history, retention),
    close: () => history.close(),
  };
}
