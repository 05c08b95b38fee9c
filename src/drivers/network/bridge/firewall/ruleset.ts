/** The nftables tables of {@link CHAINS} as text. What changes are elements, each with its owner as comment. Pure. */

import { append } from '../../../../model/lists.ts';
import type { Names } from '../names.ts';
import { CHAINS, type Family, RULES_VERSION, SETS, type SetName } from './layout.ts';

/** One element. `value` is what a map's key leads to. */
export interface Element {
  readonly set: SetName;
  readonly key: readonly string[];
  readonly value: readonly string[] | null;
}

/** `network:<bridge>` or `endpoint:<container id>`. */
export type Owner = `network:${string}` | `endpoint:${string}`;

/** What publishes ports of endpoints. */
const PORT_SETS: ReadonlySet<SetName> = new Set([
  'ports',
  'ports6',
  'ports_any',
  'ports6_any',
  'services',
  'services6',
  'userland',
]);

export const endpointOwner = (containerId: string): Owner => `endpoint:${containerId}`;

/** The family that versions before 3 had their table in. */
export const EARLIER_FAMILY = 'ip';

/** Which tables of ours there are; one of an earlier version is in the family it had. */
export interface PresentTables {
  readonly fence: boolean;
  readonly earlier: boolean;
}

/**
 * Commands that put new tables with these elements in place of the existing ones, in one transaction: no packet passes
 * in between, and connections stay translated as they are. The table of the bridge family is made only for elements that
 * are in it.
 */
export function wholeTable(
  names: Names,
  owned: ReadonlyMap<Owner, readonly Element[]>,
  { fence, earlier }: PresentTables,
): string {
  const needed = [...owned.values()].flat().some(isFence);
  const lines = earlier ? removedTable(names, EARLIER_FAMILY) : [];
  append(lines, emptyTable(names, 'inet'));
  if (needed || fence) append(lines, removedTable(names, 'bridge'));
  if (needed) append(lines, emptyTable(names, 'bridge'));
  for (const [owner, elements] of owned) append(lines, addElements(names, owner, elements));
  return lines.join('\n');
}

/** Commands after which there is no table, whether there was one or not. */
export function removedTable(names: Names, family: Family | typeof EARLIER_FAMILY): string[] {
  return [`add table ${family} ${names.table}`, `delete table ${family} ${names.table}`];
}

function emptyTable(names: Names, family: Family): string[] {
  const lines = [...removedTable(names, family), `table ${family} ${names.table} {`];
  lines.push(`comment "${names.mark('firewall', String(RULES_VERSION))}"`);
  for (const [name, definition] of Object.entries(SETS)) {
    if (definition.family !== family) continue;
    const keyword = definition.type.includes(':') ? 'map' : 'set';
    const flags = 'interval' in definition ? ' flags interval;' : '';
    lines.push(`${keyword} ${name} { type ${definition.type};${flags} }`);
  }
  for (const [name, chain] of Object.entries(CHAINS)) {
    if ((chain.family ?? 'inet') !== family) continue;
    append(lines, [`chain ${name} {`, ...(chain.hook === null ? [] : [chain.hook]), ...chain.rules, '}']);
  }
  return [...lines, '}'];
}

/** `add` leaves an element that is there with the same value alone and fails when the value differs. */
export function addElements(names: Names, owner: Owner, elements: readonly Element[]): string[] {
  const [kind, id] = splitOwner(owner);
  return bySet(elements).map(([set, members]) => {
    const texts = members.map(({ key, value }) => {
      const target = value === null ? '' : ` : ${value.join(' . ')}`;
      return `${keyText(set, key)} comment "${names.mark(kind, id)}"${target}`;
    });
    return `add element ${SETS[set].family} ${names.table} ${set} { ${texts.join(', ')} }`;
  });
}

/** `delete` fails when one of the elements is not there. */
export function deleteElements(names: Names, elements: readonly Element[]): string[] {
  return bySet(elements).map(
    ([set, members]) =>
      `delete element ${SETS[set].family} ${names.table} ${set} { ${members.map(({ key }) => keyText(set, key)).join(', ')} }`,
  );
}

function bySet(elements: readonly Element[]): [SetName, Element[]][] {
  const groups = new Map<SetName, Element[]>();
  for (const element of elements) {
    const group = groups.get(element.set);
    if (group === undefined) groups.set(element.set, [element]);
    else group.push(element);
  }
  return [...groups];
}

function keyText(set: SetName, key: readonly string[]): string {
  return key.map((field, index) => (index < SETS[set].names ? `"${field}"` : field)).join(' . ');
}

function splitOwner(owner: Owner): ['network' | 'endpoint', string] {
  const colon = owner.indexOf(':');
  return [owner.slice(0, colon) as 'network' | 'endpoint', owner.slice(colon + 1)];
}

/** Equal strings, same element of the same value. */
export function identityOf({ set, key, value }: Element): string {
  return `${set} ${key.join(' . ')} : ${value?.join(' . ') ?? ''}`;
}

/** What another owner has from now on is not taken away with the one that had it. */
export function withoutThose(elements: readonly Element[], taken: readonly Element[]): Element[] {
  const identities = new Set(taken.map(identityOf));
  return elements.filter((element) => !identities.has(identityOf(element)));
}

/** True for what is in the table of the bridge family. */
export function isFence({ set }: Element): boolean {
  return SETS[set].family === 'bridge';
}

/** True for what publishes ports. */
export function isPort({ set }: Element): boolean {
  return PORT_SETS.has(set);
}
