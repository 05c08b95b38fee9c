/**
 * The watched directory as a source of manifests. Notifications only say when to look; what counts is what a look finds,
 * so a lost or doubled notification does no harm.
 */

import { closeSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { type FSWatcher, watch } from 'chokidar';
import type { Gate } from '../../ffi/files/gate.ts';
import type { Clock } from '../../model/clock.ts';
import { TsdError, toTsdError } from '../../model/errors/errors.ts';
import type { Refusal } from '../../model/trust.ts';
import { groupFiles, isDropInDirectory } from '../importers/bundle.ts';
import type { Signature } from './files.ts';
import { isCircle, isManifestName, type Scan, scanDirectory, signatureAt } from './scan.ts';
import { DirectorySettler, InputSettler, type WatchedFile } from './settle.ts';

/** The whole directory at one moment, every file finished. */
export interface DirectorySnapshot {
  /** All manifests, by path. Quadlet units are one, called `quadlet`. */
  readonly files: readonly WatchedFile[];
  /**
   * Why there are no files any more: the directory itself vanished, or several files, or those of another directory in
   * its place, became none. It looks like an accident (an unmounted disk, a wrong `rm`); the caller holds the removal
   * until a person approves it.
   */
  readonly loss: 'none' | 'vanished' | 'emptied';
  /** The content of an input given to {@link ManifestWatcher.setInputs} changed. */
  readonly inputsChanged: boolean;
  /** Why the directory is not obeyed: others may write to it. Then the files are those of before. Left out, it is. */
  readonly refused?: Refusal;
}

export interface WatchOptions {
  /**
   * Called with every new state of the directory, first of all with the one found at the start. Never called twice at
   * once. A rejection is reported to `onProblem`, and the next look calls it again.
   */
  readonly onChange: (snapshot: DirectorySnapshot) => Promise<void> | void;
  /** Something hinders watching; the directory is still looked at every few seconds. */
  readonly onProblem: (error: TsdError) => void;
  readonly clock: Clock;
  /** Judges the directory and its manifests; left out, whoever writes to them is trusted. */
  readonly gate?: Gate;
  /** Inputs on filesystems that may not answer: they are looked at while they do, and not watched. */
  readonly files: {
    isRemote(path: string): boolean;
    /** True when the file can be looked at without waiting for anyone. */
    isFree(path: string): boolean;
    /** Resolves when their filesystems have answered, or took too long; with false when there was nothing to wait for. */
    settle(paths: readonly string[]): Promise<boolean>;
  };
  /** How many manifests of this directory are in force from before, so that finding none is noticed as a loss. */
  readonly knownFiles: number;
}

export interface ManifestWatcher {
  /** Files outside the directory whose change is reported as well: env files, secrets, bound files. Absolute paths. */
  setInputs(paths: Iterable<string>): void;
  /** After this no callback is called. */
  close(): Promise<void>;
}

/** Notifications of one change come in bursts. */
const GATHER_MS = 5;
/** Finds changes without notifications: on network filesystems, and behind links into other directories. */
const LOOK_ANYWAY_MS = 5_000;
/** How soon a directory that came back is found. */
const ABSENT_MS = 250;

const NO_FILES: readonly WatchedFile[] = [];
const UNCHANGED = { state: 'unchanged' } as const;

class DirectoryWatcher implements ManifestWatcher {
  readonly #directory: string;
  readonly #options: WatchOptions;
  readonly #settler: DirectorySettler;
  readonly #inputs = new InputSettler();
  readonly #closing: Promise<void>[] = [];
  #watcher: FSWatcher | null = null;
  #inputWatcher: FSWatcher | null = null;
  /** Inputs that the last look left out. */
  readonly #unanswered: string[] = [];
  /** Identity of the directory that is watched. */
  #watched: string | null = null;
  /** How many files there were when there were any, and in which directory. */
  #last: { readonly count: number; readonly directory: string | null };
  #reported: DirectorySnapshot | null = null;
  /** What was not taken over. */
  #owed: DirectorySnapshot | null = null;
  /** Why; said once. */
  #refusal: string | null = null;
  #timer: NodeJS.Timeout | null = null;
  #dueAtBootMs = 0;
  #closed = false;

  constructor(directory: string, options: WatchOptions) {
    this.#directory = directory;
    this.#options = options;
    this.#settler = new DirectorySettler(options.gate ?? null);
    this.#last = { count: options.knownFiles, directory: null };
    this.#lookAfter(0);
  }

  setInputs(paths: Iterable<string>): void {
    const before = new Set(this.#inputs.paths);
    this.#inputs.set(paths, (path) => this.#signatureOf(path), this.#options.clock.now());
    if (this.#inputs.paths.some((path) => !before.has(path))) this.#watchInputs();
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#stopWatching();
    if (this.#inputWatcher) this.#closing.push(this.#inputWatcher.close());
    this.#inputWatcher = null;
    await Promise.all(this.#closing);
  }

  #lookAfter(ms: number): void {
    if (this.#closed) return;
    const due = this.#options.clock.now().bootMs + ms;
    if (this.#timer && this.#dueAtBootMs <= due) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#dueAtBootMs = due;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#look();
    }, Math.ceil(ms));
  }

  #look(): void {
    let scan: Scan;
    let refused: Refusal | null;
    try {
      scan = scanDirectory(this.#directory);
      refused = this.#refused(scan);
    } catch (cause) {
      this.#problem(`cannot look into ${this.#directory}`, cause);
      this.#lookAfter(LOOK_ANYWAY_MS);
      return;
    }
    this.#follow(scan);
    this.#lookAfter(scan.directory === null ? ABSENT_MS : LOOK_ANYWAY_MS);
    const now = this.#options.clock.now();
    const settled = refused === null ? this.#settler.look(scan, now) : UNCHANGED;
    const inputs = this.#inputs.look((path) => this.#signatureOf(path), now);
    this.#lookWhenAnswered();
    if (inputs.waitMs > 0) this.#lookAfter(inputs.waitMs);
    if (settled.state === 'waiting') this.#lookAfter(settled.ms);
    if (settled.state === 'changed' && settled.again) this.#lookAfter(GATHER_MS);
    if (settled.state === 'waiting' && !inputs.changed) return;
    const files = settled.state === 'changed' ? settled.files : (this.#reported?.files ?? NO_FILES);
    const loss = refused === null ? this.#loss(files, scan) : 'none';
    this.#report({ files, loss, inputsChanged: inputs.changed, ...(refused && { refused }) });
  }

  /** A directory that is not there is judged when it is. */
  #refused(scan: Scan): Refusal | null {
    const { gate } = this.#options;
    if (gate === undefined || scan.directory === null) return null;
    const { fd, refusal } = gate(this.#directory);
    closeSync(fd);
    return refusal;
  }

  /** Undefined while that would mean to wait. */
  #signatureOf(path: string): Signature | null | undefined {
    if (this.#options.files.isFree(path)) return signatureAt(path);
    this.#unanswered.push(path);
    return undefined;
  }

  #lookWhenAnswered(): void {
    const unanswered = this.#unanswered.splice(0);
    if (unanswered.length === 0) return;
    void this.#options.files.settle(unanswered).then((waited) => {
      if (waited) this.#lookAfter(GATHER_MS);
    });
  }

  #loss(files: readonly WatchedFile[], scan: Scan): DirectorySnapshot['loss'] {
    if (files.length > 0) {
      this.#last = { count: files.length, directory: scan.directory ?? this.#last.directory };
      return 'none';
    }
    const { count, directory } = this.#last;
    if (count === 0) return 'none';
    if (scan.directory === null) return 'vanished';
    return count > 1 || (directory !== null && directory !== scan.directory) ? 'emptied' : 'none';
  }

  #report(snapshot: DirectorySnapshot): void {
    const before = this.#reported;
    const same =
      before?.files === snapshot.files &&
      before.loss === snapshot.loss &&
      before.refused?.message === snapshot.refused?.message;
    const owed = this.#owed;
    if (same && !snapshot.inputsChanged && owed === null) return;
    this.#owed = null;
    this.#reported = snapshot;
    void this.#deliver({ ...snapshot, inputsChanged: snapshot.inputsChanged || owed?.inputsChanged === true });
  }

  async #deliver(snapshot: DirectorySnapshot): Promise<void> {
    try {
      await this.#options.onChange({ ...snapshot, files: groupFiles(snapshot.files) });
      this.#refusal = null;
    } catch (thrown) {
      this.#owed = snapshot;
      const error = toTsdError(thrown);
      if (!this.#closed && error.message !== this.#refusal) this.#options.onProblem(error);
      this.#refusal = error.message;
    }
  }

  /** Watches the directory that is there now; another one may have taken its place. */
  #follow(scan: Scan): void {
    if (scan.directory === this.#watched) return;
    this.#stopWatching();
    this.#watched = scan.directory;
    if (scan.directory === null) return;
    const watcher = watch(this.#directory, {
      depth: 0,
      ignoreInitial: true,
      atomic: false,
      ignorePermissionErrors: true,
      ignored: (path) =>
        path !== this.#directory &&
        ((!isManifestName(basename(path)) && !isDropInDirectory(basename(path))) || isCircle(path)),
    });
    this.#watcher = this.#listen(watcher, this.#directory);
  }

  #watchInputs(): void {
    if (this.#inputWatcher) this.#closing.push(this.#inputWatcher.close());
    const directories = new Set(this.#inputs.paths.filter((path) => path.endsWith('/')).map((path) => resolve(path)));
    // A watch of a directory reports its files.
    const paths = this.#inputs.paths
      .filter((path) => !this.#options.files.isRemote(path))
      .map((path) => resolve(path))
      .filter((path) => !directories.has(dirname(path)) || directories.has(path));
    const given = new Set(paths);
    const watcher = watch(paths, {
      ignoreInitial: true,
      atomic: false,
      depth: 0,
      ignored: (path) => directories.has(dirname(path)) && !given.has(path),
    });
    this.#inputWatcher = this.#listen(watcher, 'the inputs');
  }

  #listen(watcher: FSWatcher, what: string): FSWatcher {
    const wake = () => this.#lookAfter(GATHER_MS);
    watcher.on('all', wake);
    // Comes before chokidar's own filters, so it also tells of the `..data` link of a Kubernetes volume.
    watcher.on('raw', wake);
    watcher.on('ready', wake);
    watcher.on('error', (cause) => this.#problem(`cannot watch ${what}`, cause));
    return watcher;
  }

  #stopWatching(): void {
    if (this.#watcher) this.#closing.push(this.#watcher.close());
    this.#watcher = null;
  }

  #problem(message: string, cause: unknown): void {
    const reason = cause instanceof Error ? `${message}: ${cause.message}` : message;
    if (!this.#closed) this.#options.onProblem(new TsdError('TSD_MANIFEST_READ', reason, { cause }));
  }
}

/**
 * Watches the manifests of a directory, not of its subdirectories. The directory need not exist yet, and may go and come
 * back. Symbolic links are followed.
 */
export function watchManifests(directory: string, options: WatchOptions): ManifestWatcher {
  return new DirectoryWatcher(resolve(directory), options);
}
