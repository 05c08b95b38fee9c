/** Ids that Debian's base-passwd and the LSB give the same meaning everywhere. */
const LAST_STATIC_ID = 99;
const NOBODY = 65534;

interface Wanted {
  readonly ids: ReadonlySet<number>;
  readonly names: ReadonlySet<string>;
}

/**
 * The lines of a passwd(5) or group(5) file that an image needs: the statically allocated ids, nobody, and those that are
 * named or own a file. Sorted by id; passwords are locked.
 */
export function selectAccounts(text: string, { ids, names }: Wanted): string {
  const rows = text
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length >= 4 && /^\d+$/.test(fields[2] ?? ''))
    .map((fields) => ({ id: Number(fields[2]), name: fields[0] as string, fields }))
    .filter(({ id, name }) => id <= LAST_STATIC_ID || id === NOBODY || ids.has(id) || names.has(name));
  return rows
    .sort((a, b) => a.id - b.id)
    .map(({ fields }) => `${[fields[0], 'x', ...fields.slice(2)].join(':')}\n`)
    .join('');
}

/** Member lists say who uses this host, not what the image needs. */
export function withoutMembers(groups: string): string {
  return groups.replaceAll(/^([^:\n]*:[^:\n]*:[^:\n]*):.*$/gm, '$1:');
}

/** User and group of `user[:group]`, as names and ids. */
export function accountsNamed(user: string): { readonly users: Wanted; readonly groups: Wanted } {
  const [name = '', group = ''] = user.split(':');
  return { users: wanted(name), groups: wanted(group) };
}

function wanted(text: string): Wanted {
  if (/^\d+$/.test(text)) return { ids: new Set([Number(text)]), names: new Set() };
  return { ids: new Set(), names: new Set(text === '' ? [] : [text]) };
}
