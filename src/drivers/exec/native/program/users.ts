/** Who a process runs as: `user|uid[:group|gid]` looked up in the image's user database, as Docker does. */
import { TsdError } from '../../../../model/errors/errors.ts';
import { type FileTree, readTextFile } from '../container-tree.ts';

export interface ProcessUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups, with the primary one. */
  readonly groups: readonly number[];
  /** Home directory, `/` when the database has none. */
  readonly home: string;
}

/** Ids above are (uid_t)-1 or turn negative in programs that keep them in an int. */
const MAX_ID = 2 ** 31 - 1;

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}
interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

function parseId(text: string | undefined): number | null {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return null;
  const id = Number(text);
  return id <= MAX_ID ? id : null;
}

/** passwd(5); lines that are none are passed over. */
function parsePasswd(text: string): PasswdEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name, , uidText, gidText, , home] = line.split(':');
    const uid = parseId(uidText);
    const gid = parseId(gidText);
    if (name === undefined || name === '' || uid === null || gid === null) return [];
    return [{ name, uid, gid, home: home?.startsWith('/') && !home.includes('\0') ? home : '/' }];
  });
}

/** group(5); lines that are none are passed over. */
function parseGroups(text: string): GroupEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name, , gidText, members] = line.split(':');
    const gid = parseId(gidText);
    if (name === undefined || name === '' || gid === null) return [];
    return [{ name, gid, members: members?.trim().split(',') ?? [] }];
  });
}

/** Most containers share an image and with it the database; parsing it takes as long as reading it. */
function rememberingTheLast<T>(parse: (text: string) => T): (text: string) => T {
  let last: { readonly text: string; readonly parsed: T } | null = null;
  return (text) => {
    if (last?.text !== text) last = { text, parsed: parse(text) };
    return last.parsed;
  };
}

const passwdEntries = rememberingTheLast<readonly PasswdEntry[]>(parsePasswd);
const groupEntries = rememberingTheLast<readonly GroupEntry[]>(parseGroups);

function notFound(what: string, wanted: string, file: string): TsdError {
  return new TsdError('TSD_USER_NOT_FOUND', `${what} ${JSON.stringify(wanted)} is not in ${file} of the image`, {
    step: `look up ${what} ${wanted}`,
  });
}

/** What reads as a number is no name, also one too large: otherwise the image would choose whom it means. */
function isNamed(name: string, wanted: string): boolean {
  return name === wanted && !/^[-+]?\d+$/.test(wanted);
}

function groupId(groups: readonly GroupEntry[], wanted: string): number {
  const gid = parseId(wanted) ?? groups.find(({ name }) => isNamed(name, wanted))?.gid ?? null;
  if (gid === null) throw notFound('group', wanted, '/etc/group');
  return gid;
}

/** @param wanted more groups, as {@link lookUpUser} reads one. @throws TsdError TSD_USER_NOT_FOUND. */
export function withGroups(tree: FileTree, user: ProcessUser, wanted: readonly string[]): ProcessUser {
  if (wanted.length === 0) return user;
  const groups = groupEntries(readTextFile(tree, '/etc/group') ?? '');
  return { ...user, groups: [...new Set([...user.groups, ...wanted.map((group) => groupId(groups, group))])] };
}

/**
 * @param wanted empty: root. A number need not be in the database; a name must.
 * @throws TsdError TSD_USER_NOT_FOUND.
 */
export function lookUpUser(tree: FileTree, wanted: string): ProcessUser {
  const [userText = '', groupText = ''] = wanted.split(':');
  const wantedUid = userText === '' ? 0 : parseId(userText);
  const entry = passwdEntries(readTextFile(tree, '/etc/passwd') ?? '').find(({ name, uid }) =>
    wantedUid === null ? isNamed(name, userText) : uid === wantedUid,
  );
  const uid = entry?.uid ?? wantedUid;
  if (uid === null) throw notFound('user', userText, '/etc/passwd');
  const groups = groupEntries(readTextFile(tree, '/etc/group') ?? '');
  const home = entry?.home ?? '/';
  if (groupText !== '') {
    const gid = groupId(groups, groupText);
    return { uid, gid, groups: [gid], home };
  }
  const gid = entry?.gid ?? 0;
  const supplementary = groups.filter(({ members }) => entry !== undefined && members.includes(entry.name));
  return { uid, gid, groups: [...new Set([gid, ...supplementary.map((group) => group.gid)])], home };
}
