/**
 * Decides whether a file is trusted: which users can have written it, by owner and mode of every component of its path. A
 * user who can write to a directory can replace each of its entries; in a sticky directory only his own.
 */
import { shellWord } from './text/shell-word.ts';

/** What one name of a path leads to, as its open descriptor says. */
export interface PathComponent {
  readonly path: string;
  readonly kind: 'directory' | 'file' | 'link' | 'other';
  readonly uid: number;
  readonly gid: number;
  /** Permission bits with set-id and sticky bits. */
  readonly mode: number;
  /** Hard links. */
  readonly names: number;
  /** An access control list names further users or groups; the group bits are its mask. */
  readonly acl: boolean;
}

export interface Trusted {
  /** Null: any owner. */
  readonly users: readonly number[] | null;
  /** Those whose members may command anyway. */
  readonly groups: readonly number[];
}

export interface Doubt {
  /** `group`: what only members of one group may write to. */
  readonly about: 'owner' | 'everybody' | 'group' | 'acl' | 'names';
  readonly path: string;
  readonly message: string;
  /** What a person types to end it. */
  readonly command: string;
}

const STICKY = 0o1000;
const GROUP_WRITES = 0o020;
const ALL_WRITE = 0o002;

interface Writers {
  readonly everybody: boolean;
  readonly group: boolean;
  readonly acl: boolean;
}

/** Returns who may write besides the owner. The mode of a symlink has no meaning. */
function writersOf({ kind, mode, gid, acl }: PathComponent, { groups }: Trusted): Writers {
  if (kind === 'link') return { everybody: false, group: false, acl: false };
  const group = (mode & GROUP_WRITES) !== 0;
  return { everybody: (mode & ALL_WRITE) !== 0, group: group && !groups.includes(gid), acl: group && acl };
}

const isShared = ({ everybody, group, acl }: Writers): boolean => everybody || group || acl;

function ownerDoubt({ path, kind, uid }: PathComponent, { users }: Trusted): Doubt[] {
  if (users === null || users.includes(uid)) return [];
  const [first = 0] = users;
  const command = `chown ${kind === 'link' ? '-h ' : ''}${first === 0 ? 'root' : first} ${shellWord(path)}`;
  return [{ about: 'owner', path, message: `${path} belongs to uid ${uid}`, command }];
}

function modeDoubt(component: PathComponent, writers: Writers): Doubt[] {
  const { path, kind, gid, mode } = component;
  // In a sticky directory only the owner of an entry replaces it, so the owner of the next component decides.
  if (!isShared(writers) || (kind === 'directory' && (mode & STICKY) !== 0)) return [];
  const { everybody, group, acl } = writers;
  const name = shellWord(path);
  const bits = `${group || acl ? 'g' : ''}${everybody ? 'o' : ''}`;
  if (everybody) {
    return [
      { about: 'everybody', path, message: `${path} is writable by everybody`, command: `chmod ${bits}-w ${name}` },
    ];
  }
  if (acl) {
    const message = `${path} is writable by those of its access control list`;
    return [{ about: 'acl', path, message, command: `setfacl -b ${name} && chmod g-w ${name}` }];
  }
  return [{ about: 'group', path, message: `${path} is writable by group ${gid}`, command: `chmod g-w ${name}` }];
}

/** In a directory that others may write to, a further name of a file may be theirs: they choose then where it counts. */
function namesDoubt({ path, kind, names }: PathComponent, isIn: Writers | null): Doubt[] {
  if (kind !== 'file' || names < 2 || isIn === null || !isShared(isIn)) return [];
  const [from, to] = [shellWord(path), shellWord(`${path}.copy`)];
  const message = `${path} has ${names} names, in a directory that others may write to`;
  return [{ about: 'names', path, message, command: `cp -p ${from} ${to} && mv ${to} ${from}` }];
}

/** Everything that speaks against a path, from its beginning. @param components from the root on, each link before its target */
export function doubtsAbout(components: readonly PathComponent[], trusted: Trusted): readonly Doubt[] {
  let isIn: Writers | null = null;
  const found = new Map<string, readonly Doubt[]>();
  for (const component of components) {
    const writers = writersOf(component, trusted);
    found.set(component.path, [
      ...ownerDoubt(component, trusted),
      ...modeDoubt(component, writers),
      ...namesDoubt(component, isIn),
    ]);
    if (component.kind === 'directory') isIn = writers;
  }
  return [...found.values()].flat();
}

/** Why something is not obeyed, and the line to type. */
export interface Refusal {
  readonly message: string;
  readonly hint: string;
}

/** A refusal that names all doubts; null without any. @param what `the manifest /etc/x.yaml` */
export function refusalOf(what: string, doubts: readonly Doubt[]): Refusal | null {
  if (doubts.length === 0) return null;
  const reasons = doubts.map(({ message }) => message).join('; ');
  const commands = doubts.map(({ command }) => command).join(' && ');
  return { message: `${what} is not obeyed: ${reasons}`, hint: `Run \`${commands}\`.` };
}
