/**
 * The nftables tables of one supervisor as text, and back. Rules are fixed; what changes are elements of sets and maps,
 * each with its owner as comment. Pure.
 *
 * Forwarded packets of our bridges: answers pass; containers of one open network reach each other; links pass; networks
 * that are internal have no way in or out; published ports pass; our bridges accept nothing else, so they are isolated
 * from each other and from other hosts. What a container sends elsewhere passes and is rewritten where asked.
 */

import { bareAddress, networkOf } from '../../../../model/addresses.ts';
import { append } from '../../../../model/lists.ts';
import type { BridgeEndpoint } from '../bridge-endpoint.ts';
import type { Names } from '../names.ts';
import type { BridgeNetwork } from '../network-options.ts';

type Family = 'ip' | 'bridge';

/** `names`: how many of the first fields of a key are interface names, which are quoted. */
const SETS = {
  bridges: { family: 'ip', type: 'ifname', names: 1 },
  open: { family: 'ip', type: 'ifname . ifname', names: 2 },
  internal: { family: 'ip', type: 'ifname', names: 1 },
  subnets: { family: 'ip', type: 'ipv4_addr', names: 0, interval: true },
  outbound: { family: 'ip', type: 'ipv4_addr', names: 0, interval: true },
  userland: { family: 'ip', type: 'inet_proto . inet_service', names: 0 },
  reach: { family: 'ip', type: 'ifname . ipv4_addr . ipv4_addr . inet_proto . inet_service', names: 1 },
  ports: { family: 'ip', type: 'ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service', names: 0 },
  ports_any: { family: 'ip', type: 'inet_proto . inet_service : ipv4_addr . inet_service', names: 0 },
  fenced: { family: 'bridge', type: 'ifname', names: 1 },
  leased: { family: 'bridge', type: 'ifname . ether_addr . ipv4_addr', names: 1 },
} as const;

type SetName = keyof typeof SETS;

/** One element. `value` is what a map's key leads to. */
export interface Element {
  readonly set: SetName;
  readonly key: readonly string[];
  readonly value: readonly string[] | null;
}

/** `network:<bridge>` or `endpoint:<container id>`. */
export type Owner = `network:${string}` | `endpoint:${string}`;

export const endpointOwner = (containerId: string): Owner => `endpoint:${containerId}`;

interface Chain {
  /** `ip` when left out. */
  readonly family?: Family;
  readonly hook: string | null;
  readonly rules: readonly string[];
}

/**
 * Chains in the order they see a packet. `guard`: a bridge may route 127/8 (for ports published there), so nothing from
 * a container may claim such an address. `output` leaves to the userland forwarder what is published by it on 127/8.
 * `postrouting`: a container that reaches a published port of its own network must see the answer come back through
 * us; so must the host's 127.0.0.1. `fence`: what comes from a container of a network without inter-container
 * communication bears the addresses of its lease, since links are matched by address; it is of the bridge family, which
 * knows the container's own interface.
 */
const CHAINS: Readonly<Record<string, Chain>> = {
  fence: {
    family: 'bridge',
    hook: 'type filter hook prerouting priority -300; policy accept;',
    rules: [
      'iifname != @fenced accept',
      'ether type ip iifname . ether saddr . ip saddr @leased accept',
      'ether type arp iifname . ether saddr . arp saddr ip @leased iifname . arp saddr ether . arp saddr ip @leased accept',
      'drop',
    ],
  },
  guard: {
    hook: 'type filter hook prerouting priority raw; policy accept;',
    rules: ['iifname @bridges ip daddr 127.0.0.0/8 drop', 'iifname @bridges ip saddr 127.0.0.0/8 drop'],
  },
  publish: {
    hook: null,
    rules: ['dnat to ip daddr . meta l4proto . th dport map @ports', 'dnat to meta l4proto . th dport map @ports_any'],
  },
  prerouting: {
    hook: 'type nat hook prerouting priority dstnat; policy accept;',
    rules: ['ip daddr != 127.0.0.0/8 fib daddr type local jump publish'],
  },
  output: {
    hook: 'type nat hook output priority dstnat; policy accept;',
    rules: ['ip daddr 127.0.0.0/8 meta l4proto . th dport @userland return', 'fib daddr type local jump publish'],
  },
  postrouting: {
    hook: 'type nat hook postrouting priority srcnat; policy accept;',
    rules: [
      'oifname @bridges ip saddr 127.0.0.0/8 ct status dnat masquerade',
      'oifname @bridges ip saddr @subnets ct status dnat masquerade',
      'oifname != @bridges ip saddr @outbound masquerade',
    ],
  },
  forward: {
    hook: 'type filter hook forward priority filter; policy accept;',
    rules: [
      'iifname != @bridges oifname != @bridges accept',
      'ct state established,related accept',
      'iifname . oifname @open accept',
      'iifname . ip saddr . ip daddr . meta l4proto . th dport @reach accept',
      'iifname @internal drop',
      'oifname @internal drop',
      'ct status dnat accept',
      'oifname @bridges drop',
    ],
  },
};

/** Raised when sets, chains or rules change, so that an upgraded supervisor rewrites the table. */
const RULES_VERSION = 2;

/**
 * Commands that put new tables with these elements in place of the existing ones, in one transaction. The one
 * of the bridge family is made only for elements that are in it.
 * @param fenced whether there is one already.
 */
export function wholeTable(names: Names, owned: ReadonlyMap<Owner, readonly Element[]>, fenced: boolean): string {
  const needed = [...owned.values()].flat().some(isFence);
  const lines = [...emptyTable(names, 'ip')];
  if (needed || fenced) append(lines, removedTable(names, 'bridge'));
  if (needed) append(lines, emptyTable(names, 'bridge'));
  for (const [owner, elements] of owned) append(lines, addElements(names, owner, elements));
  return lines.join('\n');
}

/** Commands after which there is no table, whether there was one or not. */
export function removedTable(names: Names, family: Family): string[] {
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
    if ((chain.family ?? 'ip') !== family) continue;
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

export function networkElements(config: BridgeNetwork): Element[] {
  const subnet = [networkOf(config.subnet)];
  const elements: Element[] = [
    { set: 'bridges', key: [config.bridge], value: null },
    { set: 'subnets', key: subnet, value: null },
  ];
  if (config.icc) elements.push({ set: 'open', key: [config.bridge, config.bridge], value: null });
  if (config.internal) elements.push({ set: 'internal', key: [config.bridge], value: null });
  if (config.masquerade && !config.internal) elements.push({ set: 'outbound', key: subnet, value: null });
  return elements;
}

/** True for what is in the table of the bridge family. */
export function isFence({ set }: Element): boolean {
  return SETS[set].family === 'bridge';
}

/** True for what publishes ports. */
export function isPort({ set }: Element): boolean {
  return set === 'ports' || set === 'ports_any' || set === 'userland';
}

/** What lets an endpoint reach its links, and keeps it to its addresses where that decides who is let through. */
export function linkElements(config: BridgeEndpoint, network: BridgeNetwork, hostInterface: string): Element[] {
  const source = bareAddress(config.address);
  const reach = config.reach.map(
    ({ address, port, protocol }): Element => ({
      set: 'reach',
      key: [network.bridge, source, address, protocol, String(port)],
      value: null,
    }),
  );
  if (network.icc) return reach;
  return [
    ...reach,
    { set: 'fenced', key: [hostInterface], value: null },
    { set: 'leased', key: [hostInterface, config.mac.toLowerCase(), source], value: null },
  ];
}

// -------------------------------------------------------------------------------------------------------------- reading

export interface ReadTable {
  /** Every chain has its rules and the table is of this version. */
  readonly intact: boolean;
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
  if (Array.isArray(concat)) return concat.map(String);
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

/**
 * Reads the answers to `list table`. What is not ours in them is left out.
 * @param fence of the bridge family; null when there is none.
 */
export function parseTable(names: Names, text: string, fence: string | null): ReadTable {
  const owned = new Map<Owner, Element[]>();
  const ruleCounts = new Map<string, number>();
  let version = false;
  for (const entry of [...entriesOf(text), ...(fence === null ? [] : entriesOf(fence))]) {
    if (member(member(entry, 'table'), 'comment') === names.mark('firewall', String(RULES_VERSION))) version = true;
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
  return { intact: version && complete, owned };
}

/** The elements without those that publish ports: each endpoint is asked for its own. */
export function withoutPorts(wanted: ReadonlyMap<Owner, readonly Element[]>): Map<Owner, readonly Element[]> {
  return new Map([...wanted].map(([owner, all]) => [owner, all.filter(({ set }) => !/^ports/.test(set))]));
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
