import { dirname, join } from 'node:path/posix';
import Database from 'better-sqlite3';
import { TsdError } from '../model/errors/errors.ts';
import { type Opening, openDatabase, prepareStatement } from './databases/database.ts';
import { JoinedTransactions } from './databases/joined-transactions.ts';
import type { StateIssue } from './files/state-file.ts';

/** As pkg/graphdb of Docker 1.4 executes it at every start. */
const TABLES = `
CREATE TABLE IF NOT EXISTS entity ( id text NOT NULL PRIMARY KEY );
CREATE TABLE IF NOT EXISTS edge ( "entity_id" text NOT NULL, "parent_id" text NULL, "name" text NOT NULL,
  CONSTRAINT "parent_fk" FOREIGN KEY ("parent_id") REFERENCES "entity" ("id"),
  CONSTRAINT "entity_fk" FOREIGN KEY ("entity_id") REFERENCES "entity" ("id") );
CREATE UNIQUE INDEX IF NOT EXISTS "name_parent_ix" ON "edge" (parent_id, name);
`;

const ROOT_ID = '0';

export interface LinkEdge {
  readonly path: string;
  readonly id: string;
  readonly parentId: string;
  readonly name: string;
}

/** The root entity and its edge are recreated each time: NULLs are distinct in the unique index. */
function prepare(database: Database.Database): void {
  // better-sqlite3 is built with foreign keys on; Docker ran with SQLite's default, and the root could not be replaced.
  database.pragma('foreign_keys = OFF');
  database.pragma('journal_mode = DELETE');
  database.pragma('synchronous = FULL');
  database.exec(TABLES);
  const edges = database.prepare("SELECT entity_id FROM edge WHERE parent_id IS NULL AND name = '/'").pluck().all();
  const entity = database.prepare('SELECT id FROM entity WHERE id = ?').get(ROOT_ID);
  // The same rows again would cost an fsync at every start.
  if (entity !== undefined && edges.length === 1 && edges[0] === ROOT_ID) return;
  const replaceRoot = database.transaction(() => {
    database.prepare('DELETE FROM entity WHERE id = ?').run(ROOT_ID);
    database.prepare('INSERT INTO entity (id) VALUES (?)').run(ROOT_ID);
    database.prepare('DELETE FROM edge WHERE entity_id = ? AND name = ?').run(ROOT_ID, '/');
    database.prepare('INSERT INTO edge (entity_id, parent_id, name) VALUES (?, NULL, ?)').run(ROOT_ID, '/');
  });
  replaceRoot();
}

function refuse(message: string): TsdError {
  return new TsdError('TSD_BAD_REQUEST', message, { class: 'conflict', step: 'link graph' });
}

/** Docker recognises these by the message of the sqlite of its time; the code says the same. */
const isTaken = (error: unknown): boolean =>
  error instanceof Database.SqliteError && error.code.startsWith('SQLITE_CONSTRAINT');

/**
 * linkgraph.db: names of containers (children of the root) and link aliases (children of the container that links), as
 * Docker 1.4 keeps them. Every change is on the disk when the call returns; {@link batch} makes many of them one.
 */
export class LinkGraph {
  readonly #database: Database.Database;
  readonly #transactions: JoinedTransactions;
  readonly #childOf: Database.Statement<[string, string], string>;
  readonly #childrenOf: Database.Statement<[string], { entity_id: string; name: string }>;
  #entities: readonly string[] | null = null;
  readonly issues: readonly StateIssue[];

  /** @throws TsdError TSD_STATE_CORRUPT when the file cannot be opened; a damaged one is set aside: see issues. */
  constructor(path: string, opening: Opening = {}) {
    const { database, issues } = openDatabase(path, prepare, opening);
    this.#database = database;
    this.#transactions = new JoinedTransactions(database);
    this.issues = issues;
    this.#childOf = this.#prepare<[string, string], string>(
      'SELECT entity_id FROM edge WHERE parent_id = ? AND name = ?',
    ).pluck();
    this.#childrenOf = this.#prepare('SELECT entity_id, name FROM edge WHERE parent_id = ? ORDER BY name');
  }

  /** Runs changes as one transaction: one group of fsyncs, all or nothing. One inside another joins it as a whole. */
  batch<T>(changes: () => T): T {
    try {
      return this.#transactions.run('exclusive', changes);
    } finally {
      this.#entities = null;
    }
  }

  /**
   * Gives `id` the name at `path`; the parent must exist.
   * @throws TsdError TSD_NO_SUCH_RESOURCE for a missing parent; class conflict for a taken name or a self-reference.
   */
  set(path: string, id: string): void {
    this.batch(() => {
      this.#prepare('INSERT OR IGNORE INTO entity (id) VALUES (?)').run(id);
      const parentId = this.#resolve(dirname(path));
      if (parentId === id) throw refuse('Cannot set self as child');
      const name = path.slice(path.lastIndexOf('/') + 1);
      try {
        this.#prepare('INSERT INTO edge (parent_id, name, entity_id) VALUES (?, ?, ?)').run(parentId, name, id);
      } catch (error) {
        if (isTaken(error)) throw this.#nameTaken(path, error);
        throw error;
      }
    });
  }

  /** @throws TsdError class conflict when the name at `path` is another's than `id`'s. */
  requireFree(path: string, id: string): void {
    const holder = this.get(path);
    if (holder !== null && holder !== id) throw this.#nameTaken(path);
  }

  /** Id at a path, or null. */
  get(path: string): string | null {
    let id: string | null = ROOT_ID;
    for (const name of path.split('/').filter((part) => part !== '')) {
      id = this.#childOf.get(id, name) ?? null;
      if (id === null) return null;
    }
    return id;
  }

  /** Removes one name. An unknown one is a no-op. @throws TsdError for the root and for a missing parent. */
  delete(path: string): void {
    if (path === '/') throw refuse('Cannot delete root entity');
    this.#prepare('DELETE FROM edge WHERE parent_id = ? AND name = ?').run(
      this.#resolve(dirname(path)),
      path.slice(path.lastIndexOf('/') + 1),
    );
  }

  /**
   * Removes an entity with every name that means it. Unlike Docker's it also removes the aliases below it, which nothing
   * can reach any more. Returns the number of names that meant it.
   */
  purge(id: string): number {
    return this.batch(() => {
      const { changes } = this.#prepare('DELETE FROM edge WHERE entity_id = ?').run(id);
      this.#prepare('DELETE FROM edge WHERE parent_id = ?').run(id);
      this.#prepare('DELETE FROM entity WHERE id = ?').run(id);
      return changes;
    });
  }

  /** Changes a name within the same parent. @throws TsdError otherwise, or when `from` does not exist or `to` does. */
  rename(from: string, to: string): void {
    const [parentPath, newParentPath] = [dirname(from), dirname(to)];
    if (parentPath !== newParentPath) {
      throw refuse(`Cannot rename when root paths do not match ${parentPath} != ${newParentPath}`);
    }
    const parentId = this.#resolve(parentPath);
    const name = from.slice(from.lastIndexOf('/') + 1);
    const newName = to.slice(to.lastIndexOf('/') + 1);
    try {
      const { changes } = this.#prepare('UPDATE edge SET name = ? WHERE parent_id = ? AND name = ?').run(
        newName,
        parentId,
        name,
      );
      if (changes === 0) throw new TsdError('TSD_NO_SUCH_RESOURCE', `Cannot locate edge for ${parentId} ${name}`);
    } catch (error) {
      if (isTaken(error)) throw this.#nameTaken(to, error);
      throw error;
    }
  }

  /**
   * Everything below a path by full path, sorted; empty for an unknown path. Links that form a circle are followed once.
   * @param depth levels to go down; -1 for all.
   */
  list(path: string, depth: number): readonly LinkEdge[] {
    const start = this.get(path);
    return start === null ? [] : this.#descend(path, start, depth, new Set([start]));
  }

  /** All paths below the root, deepest first, so that links come before the containers that use them. */
  paths(): readonly LinkEdge[] {
    const levels = (path: string): number => path.split('/').length;
    return this.list('/', -1).toSorted((a, b) => levels(b.path) - levels(a.path));
  }

  /** Number of names that mean an entity. */
  refs(id: string): number {
    const count = this.#prepare<[string], number>('SELECT COUNT(*) FROM edge WHERE entity_id = ?').pluck();
    return count.get(id) ?? 0;
  }

  /** Ids of the entities that have a name for the one at `path`. @throws TsdError TSD_NO_SUCH_RESOURCE. */
  parents(path: string): readonly string[] {
    return this.#prepare<[string], string>('SELECT parent_id FROM edge WHERE entity_id = ? AND parent_id IS NOT NULL')
      .pluck()
      .all(this.#resolve(path));
  }

  /** Every entity but the root. The same array until one may have come or gone. */
  entities(): readonly string[] {
    this.#entities ??= this.#prepare<[string], string>('SELECT id FROM entity WHERE id != ?').pluck().all(ROOT_ID);
    return this.#entities;
  }

  close(): void {
    this.#database.close();
  }

  #prepare<Parameters extends unknown[], Row>(sql: string): Database.Statement<Parameters, Row> {
    return prepareStatement(this.#database, sql);
  }

  #resolve(path: string): string {
    const id = this.get(path);
    if (id === null)
      throw new TsdError('TSD_NO_SUCH_RESOURCE', `Cannot find child for ${path}`, { step: 'link graph' });
    return id;
  }

  #nameTaken(path: string, cause?: unknown): TsdError {
    const name = path.replace(/^\//, '');
    const owner = (this.get(path) ?? '').slice(0, 12);
    return new TsdError(
      'TSD_BAD_REQUEST',
      `Conflict, The name ${name} is already assigned to ${owner}. You have to delete (or rename) that container to be able to assign ${name} to a container again.`,
      {
        class: 'conflict',
        step: 'link graph',
        hint: 'Remove what has the name, or choose another containerName.',
        cause,
      },
    );
  }

  #descend(path: string, id: string, depth: number, above: ReadonlySet<string>): LinkEdge[] {
    if (depth === 0) return [];
    return this.#childrenOf.all(id).flatMap(({ entity_id, name }) => {
      const childPath = join(path, name);
      const edge = { path: childPath, id: entity_id, parentId: id, name };
      if (above.has(entity_id)) return [edge];
      return [edge, ...this.#descend(childPath, entity_id, depth - 1, new Set([...above, entity_id]))];
    });
  }
}
