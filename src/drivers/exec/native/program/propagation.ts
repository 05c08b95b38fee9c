/** Binds whose later mounts are seen on the other side as well: mount_namespaces(7). */
import { readFileSync } from 'node:fs';
import { unescaped } from '../../../../ffi/storage/mount-table.ts';
import { MS } from '../../../../ffi/storage/mounts.ts';
import { TsdError } from '../../../../model/errors/errors.ts';
import type { Propagation } from '../../../../model/kinds/short-forms.ts';

/** Flags of mount_setattr(2), and whether they are for the mounts below as well. */
export const PROPAGATION_FLAGS = {
  shared: { type: MS.shared, recursive: false },
  slave: { type: MS.slave, recursive: false },
  rshared: { type: MS.shared, recursive: true },
  rslave: { type: MS.slave, recursive: true },
} as const satisfies Record<Propagation, unknown>;

interface MountLine {
  readonly place: string;
  readonly fields: readonly string[];
}

/** proc_pid_mountinfo(5) */
function parseMountLine(line: string): MountLine {
  const [own = ''] = line.split(' - ');
  const [, , , , place = '', , ...fields] = own.split(' ');
  return { place: unescaped(place), fields };
}

/** The mount that a path without links is on: of several in one place the last. */
function mountOf(path: string, mountinfo: string): MountLine | null {
  const holds = ({ place }: MountLine): boolean => place === '/' || path === place || path.startsWith(`${place}/`);
  const lines = mountinfo.split('\n').filter((line) => line !== '');
  return lines
    .map(parseMountLine)
    .filter(holds)
    .reduce<MountLine | null>((best, next) => (best && best.place.length > next.place.length ? best : next), null);
}

/** What is mounted on a private mount stays in its own namespace. @throws TsdError TSD_BIND_SOURCE in Docker's words */
export function requirePropagating(path: string, propagation: Propagation, step: string): void {
  const mount = mountOf(path, readFileSync('/proc/thread-self/mountinfo', 'utf8'));
  const toHost = PROPAGATION_FLAGS[propagation].type === MS.shared;
  const wanted = toHost ? ['shared:'] : ['shared:', 'master:'];
  if (mount?.fields.some((field) => wanted.some((tag) => field.startsWith(tag)))) return;
  const kind = toHost ? 'shared' : 'shared or slave';
  const message = `path ${path} is mounted on ${mount?.place ?? '/'} but it is not a ${kind} mount`;
  throw new TsdError('TSD_BIND_SOURCE', message, {
    step,
    class: 'precondition',
    hint: `\`mount --make-shared ${mount?.place ?? '/'}\` makes it one.`,
  });
}
