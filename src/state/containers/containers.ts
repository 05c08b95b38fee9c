import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { removeTree } from '../../ffi/files/remove-tree.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { type DurableBatch, readSmallFile, rewriteInPlace, type StateFiles } from '../files/durable.ts';
import { toStateError } from '../files/state-error.ts';
import { corrupt, errnoCode, type StateIssue } from '../files/state-file.ts';
import { TruncIndex } from '../trunc-index.ts';
import {
  CONFIG_FILE,
  CONTAINER_TEXT_FILES,
  type ContainerTextFile,
  contentName,
  encodeConfig,
  encodeHostConfig,
  FILE_MODE,
  HOST_CONFIG_FILE,
  loadContainer,
  TEXT_FILE_MODE,
  writeContainer,
} from './container-directory.ts';
import type { ContainerRecord } from './container-record.ts';

/** Called for each change in the store. */
export interface RecordWatcher {
  /** A record came, changed or went. */
  recordChanged(id: string): void;
  /** A text file was written over. */
  textWritten(id: string): void;
}

/** A text file that has grown larger than that is no file of ours any more. */
const MAX_TEXT_BYTES = 256 * 1024;

/**
 * containers/: loaded once, then kept in memory with write-through. The rename of `containers/<id>` into place is the
 * commit of a new container; whatever happens before leaves nothing, whatever happens after leaves all of it.
 */
export class ContainerStore {
  readonly #directory: string;
  readonly #asidePath: string;
  readonly #files: StateFiles;
  readonly #records = new Map<string, ContainerRecord>();
  readonly #idsByKey = new Map<ResourceKey, string>();
  readonly #damaged = new Map<string, TsdError>();
  readonly #index = new TruncIndex();
  /** As {@link ids} and {@link all} gave them, while they are still true. */
  #ids: ReadonlySet<string> | null = null;
  #all: readonly ContainerRecord[] | null = null;
  /** What the text files hold, for those written since the start. */
  readonly #texts = new Map<string, Map<ContainerTextFile, string>>();
  readonly #dirty = new Set<string>();
  readonly #watchers: RecordWatcher[] = [];
  #flushing: Promise<void> | null = null;

  /** @throws TsdError only when containers/ itself cannot be listed; a bad container becomes one of {@link issues}. */
  constructor(root: string, files: StateFiles) {
    this.#directory = join(root, 'containers');
    this.#asidePath = join(root, 'damaged-containers');
    this.#files = files;
    for (const id of readdirSync(this.#directory)) {
      try {
        this.#remember(loadContainer(join(this.#directory, id), id));
      } catch (error) {
        this.#damaged.set(
          id,
          error instanceof TsdError ? error : corrupt(join(this.#directory, id), String(error), error),
        );
      }
    }
  }

  /** Unreadable containers. They stay on disk, and objects with their id are not orphans. */
  get issues(): readonly StateIssue[] {
    return [...this.#damaged].map(([id, { code, message, step, cause }]) => {
      const hint =
        'It runs on. Put a backup of the file back and run `systemctl restart tsdocker`; or let `tsdocker approve` make ' +
        'another container in its place: `tsdocker plan` has the name.';
      return { path: this.path(id), error: new TsdError(code, message, { ...(step && { step }), hint, cause }) };
    });
  }

  get damagedIds(): Iterable<string> {
    return this.#damaged.keys();
  }

  get hasDamaged(): boolean {
    return this.#damaged.size > 0;
  }

  /** Why the record of a container cannot be read; undefined where it can, and for an unknown id. */
  damaged(id: string): TsdError | undefined {
    return this.#damaged.get(id);
  }

  /** Moves a container whose record cannot be read, with its log, out of the way of another one. Returns where it is then. */
  setAside(id: string): string {
    const target = join(this.#asidePath, id);
    try {
      mkdirSync(this.#asidePath, { recursive: true, mode: 0o700 });
      renameSync(this.path(id), target);
    } catch (error) {
      throw toStateError(error, `move ${this.path(id)} to ${target}`);
    }
    this.#forget(id);
    for (const watcher of this.#watchers) watcher.recordChanged(id);
    return target;
  }

  /**
   * Every id with a directory, readable or not: layers, networks and cgroups of others are orphans. The same set until an id
   * comes or goes.
   */
  ids(): ReadonlySet<string> {
    this.#ids ??= new Set([...this.#records.keys(), ...this.#damaged.keys()]);
    return this.#ids;
  }

  /** Whether {@link ids} has it. */
  exists(id: string): boolean {
    return this.#records.has(id) || this.#damaged.has(id);
  }

  /** The same array until a record comes, goes or changes. */
  all(): readonly ContainerRecord[] {
    this.#all ??= [...this.#records.values()];
    return this.#all;
  }

  get(id: string): ContainerRecord | undefined {
    return this.#records.get(id);
  }

  byKey(key: ResourceKey): ContainerRecord | undefined {
    const id = this.#idsByKey.get(key);
    return id === undefined ? undefined : this.#records.get(id);
  }

  /** @param prefix of an id. @throws TsdError TSD_NO_SUCH_RESOURCE unless exactly one id begins with it. */
  lookup(prefix: string): ContainerRecord {
    const id = this.#index.get(prefix);
    const record = this.#records.get(id);
    if (record === undefined) throw new TsdError('TSD_BUG', `index names ${id}, which is not loaded`);
    return record;
  }

  /** Directory of a container. */
  path(id: string): string {
    return join(this.#directory, id);
  }

  /** Where one of the container's text files is, or will be. */
  textPath(id: string, file: ContainerTextFile): string {
    return join(this.#directory, id, file);
  }

  /** Where the text of a mount is, by its place among the mounts of the spec. */
  contentPath(id: string, index: number): string {
    return join(this.#directory, id, contentName(index));
  }

  /** The json-file log; the shim writes it. */
  logPath(id: string): string {
    return join(this.#directory, id, `${id}-json.log`);
  }

  /**
   * Builds a new container aside and stages its commit; it exists once `batch` has been committed.
   * @param contents of files that its spec holds, by {@link contentPath}'s index
   * @throws TsdError TSD_STATE_CORRUPT when the id is taken, TSD_DISK_FULL, TSD_SYSCALL; then nothing is left.
   */
  create(
    record: ContainerRecord,
    texts: Readonly<Record<ContainerTextFile, string>>,
    batch: DurableBatch,
    contents: ReadonlyMap<number, string> = new Map(),
  ): void {
    const final = this.path(record.id);
    if (this.exists(record.id)) throw corrupt(final, 'exists already');
    const temporary = this.#files.temporaryPath(`container-${record.id}`);
    const files = writeContainer(temporary, { record, texts, contents }, `create ${final}`);
    const published = (): void => {
      this.#remember(record);
      this.#texts.set(record.id, new Map(CONTAINER_TEXT_FILES.map((name) => [name, texts[name]])));
    };
    batch.directory(temporary, final, files, { published });
  }

  /**
   * Replaces a record. The write is derivable grade: it survives a killed supervisor, and after a power loss the file
   * holds the old or the new record (ext4, btrfs; a filesystem that reorders data after a rename may tear it).
   * {@link change} is for what must not be forgotten.
   */
  update(record: ContainerRecord): void {
    if (encodeHostConfig(record) !== encodeHostConfig(this.#known(record.id))) {
      this.#replace(record.id, HOST_CONFIG_FILE, encodeHostConfig(record));
    }
    this.#replace(record.id, CONFIG_FILE, encodeConfig(record));
    this.#dirty.delete(record.id);
    this.#remember(record);
  }

  /**
   * Changes a record durably: a changed spec, a manual stop. In memory as on the disk it is changed once `batch` has been
   * committed, and not at all when that fails; what was written meanwhile stays. One that is removed meanwhile stays so.
   * @param change called again at the commit, for the record as it is by then, after those that were staged before it.
   */
  change(id: string, change: (current: ContainerRecord) => ContainerRecord, batch: DurableBatch): void {
    const before = this.#known(id);
    let draft = change(before);
    const latest = (): ContainerRecord | null => {
      const current = this.#records.get(id);
      if (current === undefined) return null;
      draft = change(current);
      return draft;
    };
    const stage = (name: string, encode: (record: ContainerRecord) => string, published: () => void): void => {
      batch.file(join(this.path(id), name), {
        content: encode(draft),
        mode: FILE_MODE,
        latest: () => {
          const record = latest();
          return record && encode(record);
        },
        published,
      });
    };
    if (encodeHostConfig(draft) !== encodeHostConfig(before)) {
      stage(HOST_CONFIG_FILE, encodeHostConfig, () => {
        this.#remember({ ...this.#known(id), hostConfig: draft.hostConfig });
      });
    }
    stage(CONFIG_FILE, encodeConfig, () => {
      this.#dirty.delete(id);
      this.#remember(draft);
    });
  }

  /**
   * Replaces a record in memory at once and on the disk a moment later, for what can be found out again after a crash:
   * that a run continues or has ended, and where it is attached. Only the last of several such updates is written.
   */
  updateSoon(record: ContainerRecord): void {
    this.#known(record.id);
    this.#remember(record);
    this.#dirty.add(record.id);
    this.#flushing ??= new Promise<void>((next) => setImmediate(next)).then(() => this.#flush());
  }

  /** Resolves when everything updated so far is in its file. */
  async flushed(): Promise<void> {
    while (this.#flushing !== null) await this.#flushing;
  }

  async #flush(): Promise<void> {
    while (this.#dirty.size > 0) {
      const records = [...this.#dirty].flatMap((id) => this.#records.get(id) ?? []);
      this.#dirty.clear();
      // A failure is one of the disk; the next update of the container meets it again and reports it.
      await Promise.allSettled(records.map((record) => this.#writeRecord(record)));
    }
    this.#flushing = null;
  }

  async #writeRecord(record: ContainerRecord): Promise<void> {
    const temporary = this.#files.temporaryPath(CONFIG_FILE);
    try {
      await writeFile(temporary, encodeConfig(record), { mode: FILE_MODE, flag: 'wx' });
      // A newer record has been written, or will be; nothing can come between this look and a synchronous rename.
      const newest = this.#records.get(record.id) === record;
      if (newest) renameSync(temporary, join(this.path(record.id), CONFIG_FILE));
    } finally {
      await rm(temporary, { force: true });
    }
  }

  /** Calls the listener for each change from now on. */
  watch(watcher: RecordWatcher): void {
    this.#watchers.push(watcher);
  }

  /** A text file as it is, whatever the payload wrote into it; null where it is gone or far too large. @throws TsdError */
  readText(id: string, file: ContainerTextFile): string | null {
    return readSmallFile(this.textPath(id, file), MAX_TEXT_BYTES);
  }

  /** Rewrites a text file so that a running container sees it: in place, because its inode is bind-mounted. The text it has is left as it is. */
  writeText(id: string, file: ContainerTextFile, text: string): void {
    if (this.#texts.get(id)?.get(file) !== text) this.#rewriteText(id, file, text);
  }

  /** Rewrites all text files for a new run, whatever the one before wrote into them. */
  renewTexts(id: string, texts: Readonly<Record<ContainerTextFile, string>>): void {
    for (const file of CONTAINER_TEXT_FILES) this.#rewriteText(id, file, texts[file]);
  }

  #rewriteText(id: string, file: ContainerTextFile, text: string): void {
    rewriteInPlace(this.textPath(id, file), text, TEXT_FILE_MODE);
    const known = this.#texts.get(id);
    if (known) known.set(file, text);
    else this.#texts.set(id, new Map([[file, text]]));
    for (const watcher of this.#watchers) watcher.textWritten(id);
  }

  /** Removes a container with its log. It is gone when this returns; a removed or unknown id is a no-op. */
  async remove(id: string): Promise<void> {
    const aside = this.#files.temporaryPath(`removed-${id}`);
    try {
      renameSync(this.path(id), aside);
    } catch (error) {
      if (errnoCode(error) !== 'ENOENT') throw toStateError(error, `remove ${this.path(id)}`);
    }
    this.#forget(id);
    this.#texts.delete(id);
    this.#dirty.delete(id);
    for (const watcher of this.#watchers) watcher.recordChanged(id);
    await removeTree(aside);
  }

  #known(id: string): ContainerRecord {
    const record = this.#records.get(id);
    if (record === undefined) throw new TsdError('TSD_BUG', `container ${id} is not loaded`);
    return record;
  }

  #replace(id: string, name: string, text: string): void {
    this.#files.replace(join(this.path(id), name), text, FILE_MODE);
  }

  #remember(record: ContainerRecord): void {
    const ids = this.exists(record.id) ? this.#ids : null;
    this.#forget(record.id);
    this.#ids = ids;
    this.#records.set(record.id, record);
    this.#index.add(record.id);
    if (record.owner !== null) this.#idsByKey.set(record.owner.key, record.id);
    for (const watcher of this.#watchers) watcher.recordChanged(record.id);
  }

  #forget(id: string): void {
    this.#all = null;
    this.#ids = null;
    const key = this.#records.get(id)?.owner?.key;
    if (key !== undefined && this.#idsByKey.get(key) === id) this.#idsByKey.delete(key);
    this.#records.delete(id);
    this.#damaged.delete(id);
    this.#index.delete(id);
  }
}
