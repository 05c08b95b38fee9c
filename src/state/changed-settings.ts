import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { OriginalSettings } from '../drivers/contract/driver.ts';
import { toStateError } from './files/state-error.ts';
import { corrupt, readStateFile, type StateIssue } from './files/state-file.ts';

/**
 * What settings of the host were before they were changed, on disk before they are. A boot starts with settings of its own,
 * so that those of an earlier one are of no use.
 */
export class ChangedSettings implements OriginalSettings {
  readonly issues: StateIssue[] = [];
  readonly #path: string;
  readonly #bootId: string;
  readonly #originals: Map<string, string>;

  constructor(path: string, bootId: string) {
    this.#path = path;
    this.#bootId = bootId;
    this.#originals = this.#read();
  }

  get(path: string): string | null {
    return this.#originals.get(path) ?? null;
  }

  /** @throws TsdError TSD_DISK_FULL, TSD_SYSCALL; then only this process knows it, until the next one that is written. */
  set(path: string, original: string | null): void {
    if (this.get(path) === original) return;
    if (original === null) this.#originals.delete(path);
    else this.#originals.set(path, original);
    try {
      this.#write();
    } catch (error) {
      throw toStateError(error, `write ${this.#path}`);
    }
  }

  #read(): Map<string, string> {
    try {
      const text = readStateFile(this.#path);
      return text === null ? new Map() : this.#parse(text);
    } catch (error) {
      this.issues.push({ path: this.#path, error: toStateError(error, `read ${this.#path}`) as StateIssue['error'] });
      return new Map();
    }
  }

  #parse(text: string): Map<string, string> {
    let parsed: { bootId?: unknown; settings?: unknown } | null;
    try {
      parsed = JSON.parse(text) as typeof parsed;
    } catch (error) {
      throw corrupt(this.#path, 'is not complete JSON', error);
    }
    if (typeof parsed?.settings !== 'object' || parsed.settings === null) throw corrupt(this.#path, 'has no settings');
    if (parsed.bootId !== this.#bootId) return new Map();
    const entries = Object.entries(parsed.settings).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    );
    return new Map(entries);
  }

  #write(): void {
    if (this.#originals.size === 0) {
      rmSync(this.#path, { force: true });
      sync(dirname(this.#path));
      return;
    }
    const temporary = `${this.#path}.new`;
    const settings = Object.fromEntries(this.#originals);
    writeFileSync(temporary, `${JSON.stringify({ bootId: this.#bootId, settings })}\n`, { mode: 0o600, flush: true });
    renameSync(temporary, this.#path);
    sync(dirname(this.#path));
  }
}

function sync(directory: string): void {
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
