/** --chown and --chmod. */
import type { Beneath } from '../../../ffi/files/beneath.ts';
import { type DockerfilePlace, dockerfileError } from '../../../model/dockerfile/place.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const MAX_TEXT_BYTES = 16 * 1024 * 1024;
const MAX_ID = 2 ** 31 - 1;

/** `user[:group]` by the user database of the stage; a user without a group brings its own. */
export function parseOwner(text: string, root: Beneath, place: DockerfilePlace): Owner {
  const [user = '', group] = text.split(':');
  const passwd = idOf(user) === null || group === undefined ? lines(root, 'etc/passwd') : [];
  // A number without a user is not looked up as a name: the stage would choose the group.
  const entry = passwd.find(([name, , uid]) => (idOf(user) === null ? name : uid) === user);
  const uid = idOf(user) ?? idOf(entry?.[2]);
  if (uid === null) throw dockerfileError(place, `user ${JSON.stringify(user)} is not in /etc/passwd of the stage`);
  if (group === undefined) return { uid, gid: idOf(entry?.[3]) ?? uid };
  const gid = idOf(group) ?? idOf(lines(root, 'etc/group').find(([name]) => name === group)?.[2]);
  if (gid === null) throw dockerfileError(place, `group ${JSON.stringify(group)} is not in /etc/group of the stage`);
  return { uid, gid };
}

function lines(root: Beneath, path: string): string[][] {
  const found = root.resolve(path);
  const text = found === null ? null : root.readText(found, MAX_TEXT_BYTES);
  return (text ?? '').split('\n').map((line) => line.split(':'));
}

function idOf(text: string | undefined): number | null {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return null;
  const id = Number(text);
  return id <= MAX_ID ? id : null;
}

/** Octal permission bits. */
export function parseMode(text: string, place: DockerfilePlace): number {
  if (/^0?[0-7]{1,4}$/.test(text)) return Number.parseInt(text, 8);
  throw dockerfileError(place, `--chmod=${text} is no octal mode; write for example 0644`);
}
