/** The nftables tables as the kernel lists them, and what is missing there. Pure. */

import type { Names } from '../names.ts';
import { CHAINS, FENCED_VERSION, RULES_VERSION, SETS, type SetName } from './layout.ts';
import { type Element, identityOf, isPort, type Owner } from './ruleset.ts';

export interface ReadTable {
  /** Every chain has its rules and the table is of this version. */
  readonly intact: boolean;
  /** It is of a version whose networks did not look at sources, nor fence containers that reach each other. */
  readonly earlier: boolean;
  readonly owned: ReadonlyMap<Owner, readonly Element[]>;
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

function member(value: Json | undefined, name: string): Json | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return (value as { readonly [key: string]: Json })[name];
}

/** Fields of a key or value as libnftables-json(5) writes them: plain, concat or prefix. */
function fieldsOf(value: Json | undefined): string[] {
  const concat = member(value, 'concat');
  if (Array.isArray(concat)) return (concat as readonly Json[]).flatMap(fieldsOf);
  const prefix = member(value, 'prefix');
  if (prefix !== undefined) return [`${String(member(prefix, 'addr'))}/${String(member(prefix, 'len'))}`];
  return typeof value === 'string' || typeof value === 'number' ? [String(value)] : [];
}

function parseElement(names: Names, set: SetName, json: Json): { owner: Owner; element: Element } | null {
  const [keyJson, valueJson] = Array.isArray(json) ? (json as readonly Json[]) : [json, undefined];
  const body = member(keyJson, 'elem');
  const comment = member(body, 'comment');
  if (typeof comment !== 'string') return null;
  const [network, endpoint] = [names.idOf('network', comment), names.idOf('endpoint', comment)];
  const owner: Owner | null =
    network !== null ? `network:${network}` : endpoint !== null ? `endpoint:${endpoint}` : null;
  if (owner === null) return null;
  const value = valueJson === undefined ? null : fieldsOf(valueJson);
  const key = fieldsOf(member(body, 'val'));
  // Of an earlier version of the rules: its owner writes it again.
  if (key.length !== SETS[set].type.split(':')[0]?.split(' . ').length) return null;
  return { owner, element: { set, key, value } };
}

function entriesOf(text: string): readonly Json[] {
  const entries = member(JSON.parse(text) as Json, 'nftables');
  return Array.isArray(entries) ? (entries as readonly Json[]) : [];
}

/** The version of the rules, of an entry that is our table. */
function versionOf(names: Names, entry: Json): number | null {
  const comment = member(member(entry, 'table'), 'comment');
  const version = names.idOf('firewall', typeof comment === 'string' ? comment : null);
  return version === null ? null : Number(version);
}

/**
 * Reads the answers to `list table`. What is not ours in them is left out.
 * @param fence of the bridge family; null when there is none.
 */
export function parseTable(names: Names, text: string, fence: string | null): ReadTable {
  const owned = new Map<Owner, Element[]>();
  const ruleCounts = new Map<string, number>();
  let version = 0;
  for (const entry of [...entriesOf(text), ...(fence === null ? [] : entriesOf(fence))]) {
    version = versionOf(names, entry) ?? version;
    const chain = member(member(entry, 'chain'), 'name') ?? member(member(entry, 'rule'), 'chain');
    if (typeof chain === 'string') {
      const isRule = member(entry, 'rule') !== undefined;
      ruleCounts.set(chain, (ruleCounts.get(chain) ?? 0) + (isRule ? 1 : 0));
    }
    const set = member(entry, 'set') ?? member(entry, 'map');
    const name = member(set, 'name');
    const elements = member(set, 'elem');
    if (typeof name !== 'string' || !(name in SETS) || !Array.isArray(elements)) continue;
    for (const json of elements as readonly Json[]) {
      const parsed = parseElement(names, name as SetName, json);
      if (parsed === null) continue;
      const list = owned.get(parsed.owner);
      if (list === undefined) owned.set(parsed.owner, [parsed.element]);
      else list.push(parsed.element);
    }
  }
  const complete = Object.entries(CHAINS).every(
    ([name, { family, rules }]) => (family === 'bridge' && fence === null) || ruleCounts.get(name) === rules.length,
  );
  return { intact: version === RULES_VERSION && complete, earlier: version < FENCED_VERSION, owned };
}

/** The elements without those that publish ports: each endpoint is asked for its own. */
export function withoutPorts(wanted: ReadonlyMap<Owner, readonly Element[]>): Map<Owner, readonly Element[]> {
  return new Map(
    [...wanted].map(([owner, all]) => [owner, all.filter((element) => element.set === 'userland' || !isPort(element))]),
  );
}

/** True when chains and rules are whole and every element that should be there is. */
export function isComplete(table: ReadTable | null, wanted: ReadonlyMap<Owner, readonly Element[]>): boolean {
  if (table?.intact !== true) return false;
  for (const [owner, elements] of wanted) {
    const present = new Set((table.owned.get(owner) ?? []).map(identityOf));
    if (!elements.every((element) => present.has(identityOf(element)))) return false;
  }
  return true;
}
