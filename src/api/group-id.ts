/** Groups of this host. Commands look them up too, so nothing native is needed for it. */
import { readFileSync } from 'node:fs';

/** Gid of a group of this host by name or number, or null (group(5)). */
export function groupId(group: string): number | null {
  if (/^\d+$/.test(group)) return Number(group);
  const entry = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === group);
  return entry === undefined ? null : Number(entry[2]);
}
