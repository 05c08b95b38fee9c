import { type BigIntStats, existsSync, lstatSync, readlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { TsdError } from '../../../model/errors/errors.ts';
import { append } from '../../../model/lists.ts';
import { fromBytes } from '../../tar/header.ts';
import { tarHeader } from '../../tar/writer.ts';
import { entryOf, scanTree } from '../../tree/scan.ts';
import type { TreeEntry } from '../../tree/tree-tar.ts';
import { sourceMissing } from '../image-files.ts';

const MAX_SYMLINKS = 40;

/**
 * Collects files of this host under the paths they have here. Symlinks are kept and what they lead to is added, so that
 * a merged /usr looks the same. Times are set to the epoch: installing the same package twice gives the same layer.
 */
export class HostTree {
  readonly #entries = new Map<string, TreeEntry>();
  readonly #stats = new Map<string, BigIntStats>();
  readonly #found: string[] = [];

  /**
   * Adds a path, the directories above it and the symlinks on the way. Of a directory only itself.
   * @returns where it really is. @throws TSD_IMAGE_SOURCE when it does not exist.
   */
  add(path: string): string {
    const pending = path.split('/').reverse();
    let current = '';
    let symlinks = 0;
    for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
      if (part === '' || part === '.') continue;
      if (part === '..') {
        current = current === '' ? '' : dirname(current).replace(/^\/$/, '');
        continue;
      }
      const next = `${current}/${part}`;
      const stat = this.#put(next, path);
      if (!stat.isSymbolicLink()) {
        current = next;
        continue;
      }
      if (++symlinks > MAX_SYMLINKS) throw sourceMissing(path, new Error('too many symlinks'));
      const target = readlinkSync(next);
      if (target.startsWith('/')) current = '';
      append(pending, target.split('/').reverse());
    }
    return current === '' ? '/' : current;
  }

  /**
   * Adds a file or a directory with everything in it. Symlinks found inside are kept, with the file they lead to; a
   * directory they lead to is not searched.
   */
  async addAll(path: string, signal?: AbortSignal): Promise<void> {
    const real = this.add(path);
    if (real === '/') throw new TsdError('TSD_IMAGE_SOURCE', 'the whole host cannot be an image', { step: 'add /' });
    for await (const file of scanTree(real, signal)) {
      const place = file.path === '' ? real : join(real, Buffer.from(file.path, 'latin1').toString('utf8'));
      const stat = this.#put(place, path);
      if (stat.isSymbolicLink() && existsSync(place)) this.add(place);
    }
  }

  /** Regular files added since the last call. */
  takeFound(): string[] {
    return this.#found.splice(0);
  }

  has(path: string): boolean {
    return this.#entries.has(path);
  }

  /** True with an entry of that name in any directory. */
  hasNamed(name: string): boolean {
    return [...this.#entries.keys()].some((path) => basename(path) === name);
  }

  /** Adds entries that the host lacks; existing ones stay. */
  addMade(path: string, made: { mode?: number; content?: string; linkname?: string }): void {
    if (this.has(path)) return;
    const above = dirname(path);
    if (above !== '/') this.addMade(above, {});
    const name = path.slice(1);
    if (made.linkname !== undefined) {
      const header = tarHeader({ type: 'symlink', path: name, mode: 0o777, linkname: made.linkname });
      this.#entries.set(path, { header, content: null });
    } else if (made.content !== undefined) {
      const content = Buffer.from(made.content);
      const header = tarHeader({ type: 'file', path: name, size: content.length, mode: made.mode ?? 0o644 });
      this.#entries.set(path, { header, content });
    } else {
      const header = tarHeader({ type: 'directory', path: `${name}/`, mode: made.mode ?? 0o755 });
      this.#entries.set(path, { header, content: null });
    }
  }

  /** Makes `path` lead to `target`. @throws TSD_IMAGE_SOURCE when something else is there. */
  addLink(path: string, target: string): void {
    const existing = this.#entries.get(path)?.header;
    if (existing !== undefined && existing.linkname !== target) {
      throw new TsdError(
        'TSD_IMAGE_SOURCE',
        `two different libraries are named ${basename(path)}: ${path}, ${target}`,
        {
          step: 'find libraries',
        },
      );
    }
    this.addMade(path, { linkname: target });
  }

  /** Owners of all files: their names are needed in the image. */
  owners(): { readonly uids: ReadonlySet<number>; readonly gids: ReadonlySet<number> } {
    const headers = [...this.#entries.values()].map(({ header }) => header);
    return { uids: new Set(headers.map(({ uid }) => uid)), gids: new Set(headers.map(({ gid }) => gid)) };
  }

  /** Parents first. */
  entries(): TreeEntry[] {
    return [...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
  }

  /** Text that changes when a file that was taken from the host changes. */
  fingerprint(): string {
    return [...this.#entries]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, { header, content }]) => {
        const stat = this.#stats.get(path);
        const seen = stat?.isFile() ? [stat.dev, stat.ino, stat.mtimeNs, stat.ctimeNs].join(' ') : '';
        const made = Buffer.isBuffer(content) ? content.toString('utf8') : '';
        return [path, header.type, header.mode, header.uid, header.gid, header.size, header.linkname, seen, made].join(
          '\0',
        );
      })
      .join('\n');
  }

  #put(path: string, wanted: string): BigIntStats {
    const known = this.#stats.get(path);
    if (known !== undefined) return known;
    let stat: BigIntStats;
    try {
      stat = lstatSync(path, { bigint: true });
    } catch (cause) {
      throw sourceMissing(wanted, cause);
    }
    const entry = entryOf(fromBytes(Buffer.from(path.slice(1))), { hostPath: Buffer.from(path), stat });
    this.#stats.set(path, stat);
    if (entry === null) return stat;
    this.#entries.set(path, { ...entry, header: { ...entry.header, mtimeSeconds: 0, mtimeNanos: 0 } });
    if (stat.isFile()) this.#found.push(path);
    return stat;
  }
}
