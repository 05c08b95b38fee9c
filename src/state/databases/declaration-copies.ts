/**
 * declarations/: a second copy of what history.db says of each app, one file an app, so that the loss of the database, or an
 * old one in its place, is noticed and takes nothing away. `APP.json` is on the disk when the change of its app is; what was
 * made of it (`APP.made.json`) follows a moment later and is checked against the containers before it is used. `mark.json`
 * has the last generation in which an app went, since missing copies say nothing by themselves, and the instance.
 */

import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { makePath } from '../../ffi/files/make-path.ts';
import { describeError, TsdError, toTsdError } from '../../model/errors/errors.ts';
import { largest } from '../../model/lists.ts';
import type { StateFiles } from '../files/durable.ts';
import { toStateError } from '../files/state-error.ts';
import { corrupt, readStateFile, type StateIssue } from '../files/state-file.ts';
import { readNetworkRecord, type WrittenRecord } from '../history/network-record.ts';
import type { DatedDeclaration, Declaration, Made } from './declaration.ts';

const FORMAT = 1;
const MODE = 0o600;
const DIRECTORY = 'declarations';
const MARK = 'mark.json';
const MADE = '.made.json';
const COPY = '.json';
const APP = /^[a-z0-9][a-z0-9-]{0,62}$/;

const sha256Of = (text: string): string => createHash('sha256').update(text).digest('hex');

/** As this version writes it, or an earlier one did. */
interface WrittenMade extends Omit<Made, 'networks'> {
  readonly networks: readonly WrittenRecord[];
}

interface Header {
  readonly format: number;
  readonly app: string;
  readonly generation: number;
  readonly sha256: string;
}

/** Changes on their way: nothing is seen of them before {@link publish}. */
export interface StagedCopies {
  /** Publishes copies once history.db is on disk. Never throws: a missing copy counts as older and is written at the next start. */
  publish(): void;
  abandon(): void;
}

function fsyncPath(path: string): void {
  const fd = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The two lines of a file. @throws TsdError TSD_STATE_CORRUPT */
function decode(path: string, text: string): { readonly header: Header; readonly body: string } {
  const [first = '', body = '', ...rest] = text.split('\n');
  let header: Header;
  try {
    header = JSON.parse(first) as Header;
  } catch (error) {
    throw corrupt(path, 'is not complete', error);
  }
  if (header.format > FORMAT) throw corrupt(path, `has format ${header.format}; this tsdocker knows ${FORMAT}`);
  if (rest.length !== 1 || sha256Of(body) !== header.sha256) throw corrupt(path, 'is not complete, or was changed');
  return { header, body };
}

export class DeclarationCopies {
  readonly #directory: string;
  readonly #files: StateFiles;
  readonly #instance: string;
  readonly #copies = new Map<string, DatedDeclaration>();
  readonly #unread = new Map<string, TsdError>();
  readonly #made = new Map<string, string>();
  readonly #issues: StateIssue[] = [];
  #mark: number | null = null;
  /** Number of fsync(2) calls so far. */
  syncs = 0;

  /** @throws TsdError only where the directory itself cannot be listed or made. */
  constructor(root: string, files: StateFiles, instance: string) {
    this.#instance = instance;
    this.#directory = join(root, DIRECTORY);
    this.#files = files;
    try {
      makePath(this.#directory, 0o700);
      for (const name of readdirSync(this.#directory)) this.#load(name);
    } catch (error) {
      throw toStateError(error, `read ${this.#directory}`);
    }
  }

  /** Files that could not be read; they were moved aside. */
  get issues(): readonly StateIssue[] {
    return this.#issues;
  }

  all(): ReadonlyMap<string, DatedDeclaration> {
    return this.#copies;
  }

  /** Apps whose copy was there and could not be read. */
  unread(): ReadonlyMap<string, TsdError> {
    return this.#unread;
  }

  /** Null where none is known that can be read. */
  made(app: string): Made | null {
    const json = this.#made.get(app);
    if (json === undefined) return null;
    const { networks, images } = JSON.parse(json) as WrittenMade;
    return { networks: networks.map(readNetworkRecord), images };
  }

  /** The highest generation that anything here was written in; null where nothing ever was. */
  highest(): number | null {
    const generations = [...this.#copies.values()].map(({ generation }) => generation);
    return this.#mark === null && generations.length === 0 ? null : largest(generations, this.#mark ?? 0);
  }

  /** True once the copies of a root were complete: one that is not there is one of an app that went. */
  get complete(): boolean {
    return this.#mark !== null;
  }

  /**
   * Writes what is new, one fsync an app.
   * @param apps all of them but those in `held`, whose copies stay as they are
   * @throws TsdError TSD_DISK_FULL, TSD_SYSCALL; then nothing is staged
   */
  stage(apps: ReadonlyMap<string, string>, generation: number, held: ReadonlySet<string>): StagedCopies {
    const temporaries: string[] = [];
    const ready: (() => void)[] = [];
    const abandon = (): void => {
      for (const path of temporaries) rmSync(path, { force: true });
    };
    try {
      for (const [app, json] of apps) {
        const sha256 = sha256Of(json);
        if (held.has(app) || this.#copies.get(app)?.sha256 === sha256) continue;
        const header: Header = { format: FORMAT, app, generation, sha256 };
        const temporary = this.#write(app + COPY, `${JSON.stringify(header)}\n${json}\n`);
        temporaries.push(temporary);
        ready.push(() => {
          renameSync(temporary, this.#path(app + COPY));
          this.#unread.delete(app);
          this.#copies.set(app, { declaration: JSON.parse(json) as Declaration, generation, sha256 });
        });
      }
      const gone = [...this.#copies.keys()].filter((app) => !apps.has(app) && !held.has(app));
      if (gone.length > 0 || this.#mark === null) {
        const temporary = this.#write(
          MARK,
          `${JSON.stringify({ format: FORMAT, generation, instance: this.#instance })}\n`,
        );
        temporaries.push(temporary);
        ready.push(() => {
          for (const app of gone) this.#remove(app);
          renameSync(temporary, this.#path(MARK));
          this.#mark = generation;
        });
      }
    } catch (error) {
      abandon();
      throw toStateError(error, `write ${this.#directory}`);
    }
    return { publish: () => this.#publish(ready), abandon };
  }

  /** Records the networks and images of an app, without an fsync. Never throws. */
  setMade(app: string, made: Made): void {
    const json = JSON.stringify(made);
    if (this.#made.get(app) === json) return;
    try {
      if (made.networks.length + made.images.length === 0) rmSync(this.#path(app + MADE), { force: true });
      else this.#files.replace(this.#path(app + MADE), `${JSON.stringify(this.#headerOf(app, json))}\n${json}\n`, MODE);
      this.#made.set(app, json);
    } catch (error) {
      // Met again at the next change, and at the next start.
      if (toTsdError(error).class === 'bug') throw error;
    }
  }

  #headerOf(app: string, json: string): Header {
    return { format: FORMAT, app, generation: 0, sha256: sha256Of(json) };
  }

  #publish(ready: readonly (() => void)[]): void {
    if (ready.length === 0) return;
    try {
      for (const act of ready) act();
      this.#sync(this.#directory);
    } catch (thrown) {
      const error = toTsdError(toStateError(thrown, `write ${this.#directory}`));
      this.#issues.push({
        path: this.#directory,
        error: new TsdError(error.code, `second copies of declarations are not up to date: ${describeError(error)}`, {
          hint: 'They are written again at the next start: `systemctl restart tsdocker`.',
        }),
      });
    }
  }

  #remove(app: string): void {
    rmSync(this.#path(app + COPY), { force: true });
    rmSync(this.#path(app + MADE), { force: true });
    this.#copies.delete(app);
    this.#made.delete(app);
  }

  #write(name: string, text: string): string {
    const temporary = this.#files.temporaryPath(name);
    const fd = openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, MODE);
    try {
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      this.syncs += 1;
      fsyncSync(fd);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    } finally {
      closeSync(fd);
    }
    return temporary;
  }

  #sync(path: string): void {
    this.syncs += 1;
    fsyncPath(path);
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }

  #load(name: string): void {
    const suffix = name === MARK ? MARK : name.endsWith(MADE) ? MADE : name.endsWith(COPY) ? COPY : null;
    const app = suffix === null ? '' : name.slice(0, -suffix.length);
    if (suffix === null || (suffix !== MARK && !APP.test(app))) return;
    const path = this.#path(name);
    try {
      const text = readStateFile(path) ?? '';
      if (suffix === MARK) this.#mark = readMark(path, text);
      else this.#read(app, suffix, decode(path, text));
    } catch (thrown) {
      const error = toTsdError(thrown);
      this.#issues.push({ path, error: keptAs(path, this.#setAside(path), error) });
      if (suffix === COPY) this.#unread.set(app, error);
    }
  }

  #read(app: string, suffix: typeof COPY | typeof MADE, { header, body }: ReturnType<typeof decode>): void {
    const { generation, sha256 } = header;
    if (suffix === MADE) this.#made.set(app, body);
    else this.#copies.set(app, { declaration: JSON.parse(body) as Declaration, generation, sha256 });
  }

  #setAside(path: string): string {
    let target = `${path}.damaged-1`;
    for (let n = 2; existsSync(target); n++) target = `${path}.damaged-${n}`;
    renameSync(path, target);
    return target;
  }
}

/** The copy is written again from history.db; if that is lost too, its app is held and reported. */
function keptAs(path: string, aside: string, cause: TsdError): TsdError {
  return new TsdError('TSD_STATE_CORRUPT', `${cause.message}; kept as ${aside}`, {
    step: `read ${path}`,
    hint: 'It is written again from history.db: nothing needs to be done, unless `tsdocker plan` shows an app that waits.',
    cause,
  });
}

function parseMark(path: string, text: string): { readonly generation: unknown; readonly instance: unknown } {
  try {
    return JSON.parse(text) as ReturnType<typeof parseMark>;
  } catch (error) {
    throw corrupt(path, 'is not complete JSON', error);
  }
}

function readMark(path: string, text: string): number {
  const { generation } = parseMark(path, text);
  if (typeof generation !== 'number' || !Number.isSafeInteger(generation)) throw corrupt(path, 'has no generation');
  return generation;
}

/** The instance of a root, as it is kept beside its copies; null where that is not known. @throws TSD_STATE_CORRUPT */
export function instanceCopy(root: string): string | null {
  const path = join(root, DIRECTORY, MARK);
  const text = readStateFile(path);
  const { instance } = text === null ? { instance: null } : parseMark(path, text);
  return typeof instance === 'string' ? instance : null;
}
