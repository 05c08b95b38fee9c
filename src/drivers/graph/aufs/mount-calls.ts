import { type MountCall, MS } from '../../../ffi/storage/mounts.ts';

/** fs/namespace.c, copy_mount_options: one page, the last byte of it a NUL. */
const DATA_MAX = 4095;
const XINO = '/dev/shm/aufs.xino';

export interface AufsBranches {
  /** Where the container writes. */
  readonly writable: string;
  /** The layers, nearest first. */
  readonly layers: readonly string[];
  /** Whether this aufs knows `dirperm1`. */
  readonly dirperm1: boolean;
}

/**
 * The calls of mount(2) that put a container's root together, as Docker 1.4 makes them: as many branches as mount's page
 * of options has room for, and each further one by a remount that appends it.
 *
 * `xino`: aufs' table of inode numbers, on a filesystem that any backing filesystem can do with. `dio`: files may be opened
 * with O_DIRECT. `dirperm1`: the permissions of a directory are those of its topmost branch, where chmod went. `noplink`:
 * Docker runs auplink(8) before it unmounts, so that names of one file that was copied up stay together; the mounts made
 * here end with the container's processes, when auplink(8) cannot run any more, so `noplink` separates the names from the start.
 */
export function aufsMountCalls({ writable, layers, dirperm1 }: AufsBranches): readonly MountCall[] {
  const options = `,dio,noplink,xino=${XINO}${dirperm1 ? ',dirperm1' : ''}`;
  let branches = `br:${writable}=rw`;
  let fitting = 0;
  for (const layer of layers) {
    const longer = `${branches}:${readOnly(layer)}`;
    if (Buffer.byteLength(longer) + options.length > DATA_MAX) break;
    branches = longer;
    fitting += 1;
  }
  const call = (flags: number, data: string): MountCall => ({ source: 'none', filesystem: 'aufs', flags, data });
  const appended = layers.slice(fitting).map((layer) => call(MS.remount, `append:${readOnly(layer)}`));
  return [call(0, `${branches}${options}`), ...appended];
}

/** `wh`: files of this branch may be whiteouts. */
const readOnly = (layer: string): string => `${layer}=ro+wh`;

/** What aufs' list of branches cannot say: characters that separate there, and that it has no way to escape. */
export const aufsCannotName = (path: string): boolean => /[:,=\s\\]/.test(path);
