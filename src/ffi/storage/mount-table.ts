/** Which filesystem a path leads to, found out without touching any that may not answer. */

import { lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { append } from '../../model/lists.ts';

/** A mounted filesystem whose answers depend on someone else: a server, a daemon. */
export interface RemoteMount {
  /**
   * Of proc_pid_mountinfo(5). The next one may have it, its device number too, once the former one is gone for good; as long
   * as it keeps a process it is not.
   */
  readonly id: string;
  /** `nfs4`, `fuse.sshfs` */
  readonly type: string;
  readonly place: string;
}

/** Answered by this kernel and its disks alone. All others count as remote, those of /proc too: its links lead anywhere. */
const LOCAL: ReadonlySet<string> = new Set(
  'aufs bcachefs bpf btrfs cgroup cgroup2 configfs debugfs devpts devtmpfs efivarfs erofs exfat ext2 ext3 ext4 f2fs hugetlbfs iso9660 jfs mqueue nsfs ntfs3 overlay pstore ramfs reiserfs rootfs securityfs selinuxfs squashfs sysfs tmpfs tracefs udf vfat xfs zfs'.split(
    ' ',
  ),
);

/** The kernel's own bound on links in one path, include/linux/namei.h MAXSYMLINKS */
const MAX_LINKS = 40;
/** Many paths are looked up at once; mounts change rarely. */
const HOLDS_MS = 50;

/** A path as it is in a mountinfo: blanks, tabs, line breaks and backslashes are octal numbers there. */
export const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/**
 * Those of a mountinfo by where they are mounted. Filesystems of the host itself are omitted: nothing works without them.
 * @internal
 */
export function remoteMounts(mountinfo: string): Map<string, RemoteMount> {
  const found = new Map<string, RemoteMount>();
  for (const line of mountinfo.split('\n')) {
    const separator = line.indexOf(' - ');
    const [id = '', , , , point = ''] = line.split(' ', 5);
    const type = line.slice(separator + 3).split(' ', 1)[0] ?? '';
    if (separator < 0 || LOCAL.has(type) || point === '/') continue;
    const place = unescaped(point);
    found.set(place, { id, type, place });
  }
  return found;
}

type SeenEntry = { readonly is: 'link'; readonly target: string } | { readonly is: 'other' };
/** What a path leads to; `unseen` is not there, or cannot be looked at. */
type PathEntry = SeenEntry | { readonly is: 'unseen' };

export class MountTable {
  #remote: ReadonlyMap<string, RemoteMount> = new Map();
  readonly #entries = new Map<string, SeenEntry>();
  #text = '';
  #readAt = Number.NEGATIVE_INFINITY;

  /**
   * The first remote filesystem on the way to an absolute path, links followed; null where there is none, and where the
   * path ends before. What is looked at lies on local ones.
   */
  remoteOn(path: string): RemoteMount | null {
    this.#refresh();
    if (this.#remote.size === 0) return null;
    const pending = path.split('/').reverse();
    let at = '';
    let links = 0;
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        at = at.slice(0, Math.max(0, at.lastIndexOf('/')));
        continue;
      }
      const child = `${at}/${name}`;
      const mount = this.#remote.get(child);
      if (mount !== undefined) return mount;
      const entry = this.#entryAt(child);
      if (entry.is === 'unseen') return null;
      if (entry.is === 'other') {
        at = child;
        continue;
      }
      if (++links > MAX_LINKS) return null;
      if (entry.target.startsWith('/')) at = '';
      append(pending, entry.target.split('/').reverse());
    }
    return null;
  }

  #entryAt(path: string): PathEntry {
    const known = this.#entries.get(path);
    if (known !== undefined) return known;
    let entry: SeenEntry;
    try {
      entry = lstatSync(path).isSymbolicLink() ? { is: 'link', target: readlinkSync(path) } : { is: 'other' };
    } catch {
      return { is: 'unseen' };
    }
    this.#entries.set(path, entry);
    return entry;
  }

  #refresh(): void {
    const now = performance.now();
    if (now - this.#readAt < HOLDS_MS) return;
    this.#readAt = now;
    this.#entries.clear();
    const text = readFileSync('/proc/self/mountinfo', 'utf8');
    if (text === this.#text) return;
    this.#text = text;
    this.#remote = remoteMounts(text);
  }
}
