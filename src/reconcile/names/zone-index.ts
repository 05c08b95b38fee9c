/**
 * The names of all networks, kept as containers come, go and change. What one change costs depends on the names of that
 * container, not on how many others there are.
 */
import { createHash } from 'node:crypto';
import { smallest } from '../../model/lists.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { NameRecord, NetworkChange, NetworkState, PointerRecord } from '../../resolver/protocol.ts';
import { labelsOf, type NamedEndpoint } from './zones.ts';

interface Claimant {
  readonly id: string;
  readonly rank: number;
  readonly ipv4: string | null;
  readonly ipv6: string | null;
}

interface Name {
  readonly name: string;
  readonly scope: string | null;
  /** By container. */
  readonly claimants: Map<string, Claimant>;
  /** What counts in the digest. */
  record: NameRecord | null;
}

interface Pointer {
  /** Names by container; an address may be handed on before the one that had it has gone. */
  readonly names: Map<string, string>;
  record: PointerRecord | null;
}

interface Zone {
  readonly names: Map<string, Name>;
  readonly pointers: Map<string, Pointer>;
  sum: bigint;
  /** As of the last {@link ZoneIndex.change}: its digest, and what changed since. */
  taken: string;
  readonly changedNames: Set<string>;
  readonly changedPointers: Set<string>;
}

const SUM_BITS = 64;

/** Of one entry; an entry's place does not count, so a digest is a sum. */
function weight(entry: unknown): bigint {
  return createHash('sha256').update(JSON.stringify(entry)).digest().readBigUInt64LE();
}

const digestOf = (sum: bigint): string => sum.toString(16);

const nameKey = (name: string, scope: string | null): string => `${name} ${scope ?? ''}`;

/** Addresses in the order of containers' ids, so that equal claims are an equal record. */
function recordOf({ name, scope, claimants }: Name): NameRecord | null {
  const all = [...claimants.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  if (all.length === 0) return null;
  const rank = smallest(all.map((claimant) => claimant.rank));
  const counting = all.filter((claimant) => claimant.rank === rank);
  const addresses = (family: 'ipv4' | 'ipv6') => [...new Set(counting.flatMap((claimant) => claimant[family] ?? []))];
  return { name, scope, ipv4: addresses('ipv4'), ipv6: addresses('ipv6') };
}

const rankOf = (endpoint: NamedEndpoint, name: string, scope: string | null): number =>
  smallest(endpoint.claims.flatMap((claim) => (claim.name === name && claim.scope === scope ? claim.rank : [])));

export class ZoneIndex {
  readonly #zones = new Map<ResourceKey, Zone>();
  readonly #endpoints = new Map<string, readonly NamedEndpoint[]>();
  readonly #changed = new Set<ResourceKey>();

  /** Networks whose names changed since {@link change} was asked about them, those without any name left among them. */
  get changed(): ReadonlySet<ResourceKey> {
    return this.#changed;
  }

  /** Networks with names. */
  get networks(): Iterable<ResourceKey> {
    return this.#zones.keys();
  }

  /** In place of what was known of the container. */
  put(id: string, endpoints: readonly NamedEndpoint[]): void {
    const before = this.#endpoints.get(id) ?? [];
    if (JSON.stringify(before) === JSON.stringify(endpoints)) return;
    for (const endpoint of before) this.#remove(id, endpoint);
    for (const endpoint of endpoints) this.#add(id, endpoint);
    if (endpoints.length > 0) this.#endpoints.set(id, endpoints);
    else this.#endpoints.delete(id);
  }

  /** Null for a network without names. */
  digest(network: ResourceKey): string | null {
    const zone = this.#zones.get(network);
    if (zone === undefined) return null;
    this.#settle(network, zone);
    return this.#zones.has(network) ? digestOf(zone.sum) : null;
  }

  /** Null for a network without names. */
  state(network: ResourceKey): NetworkState | null {
    const zone = this.#zones.get(network);
    const digest = this.digest(network);
    if (zone === undefined || digest === null) return null;
    return {
      key: network,
      digest,
      labels: labelsOf(network),
      names: [...zone.names.values()].flatMap(({ record }) => record ?? []),
      pointers: [...zone.pointers.values()].flatMap(({ record }) => record ?? []),
    };
  }

  /** What changed since this was asked last; null where nothing did, and for a network without names. */
  change(network: ResourceKey): NetworkChange | null {
    this.#changed.delete(network);
    const zone = this.#zones.get(network);
    if (zone === undefined) return null;
    const digest = this.digest(network) ?? '';
    const { taken: from, changedNames, changedPointers } = zone;
    const names = [...changedNames].map((key) => zone.names.get(key) ?? key);
    const pointers = [...changedPointers].map((address) => zone.pointers.get(address) ?? address);
    zone.taken = digest;
    changedNames.clear();
    changedPointers.clear();
    if (from === digest) return null;
    return {
      key: network,
      from,
      digest,
      set: names.flatMap((name) => (typeof name === 'string' ? [] : (name.record ?? []))),
      unset: names.flatMap((name) => (typeof name === 'string' ? [unsetOf(name)] : [])),
      setPointers: pointers.flatMap((pointer) => (typeof pointer === 'string' ? [] : (pointer.record ?? []))),
      unsetPointers: pointers.flatMap((pointer) => (typeof pointer === 'string' ? [pointer] : [])),
    };
  }

  #zone(network: ResourceKey): Zone {
    const known = this.#zones.get(network);
    if (known !== undefined) return known;
    const sum = weight(labelsOf(network));
    const [names, pointers] = [new Map<string, Name>(), new Map<string, Pointer>()];
    const [changedNames, changedPointers] = [new Set<string>(), new Set<string>()];
    const zone: Zone = { names, pointers, sum, taken: '', changedNames, changedPointers };
    this.#zones.set(network, zone);
    return zone;
  }

  #add(id: string, endpoint: NamedEndpoint): void {
    const { network, claims, pointers, ipv4, ipv6 } = endpoint;
    const zone = this.#zone(network);
    for (const { name, scope } of claims) {
      const key = nameKey(name, scope);
      const entry = zone.names.get(key) ?? { name, scope, claimants: new Map(), record: null };
      entry.claimants.set(id, { id, rank: rankOf(endpoint, name, scope), ipv4, ipv6 });
      zone.names.set(key, entry);
      zone.changedNames.add(key);
    }
    for (const { address, name } of pointers) {
      const entry = zone.pointers.get(address) ?? { names: new Map(), record: null };
      entry.names.set(id, name);
      zone.pointers.set(address, entry);
      zone.changedPointers.add(address);
    }
    this.#changed.add(network);
  }

  #remove(id: string, { network, claims, pointers }: NamedEndpoint): void {
    const zone = this.#zone(network);
    for (const { name, scope } of claims) {
      zone.names.get(nameKey(name, scope))?.claimants.delete(id);
      zone.changedNames.add(nameKey(name, scope));
    }
    for (const { address } of pointers) {
      zone.pointers.get(address)?.names.delete(id);
      zone.changedPointers.add(address);
    }
    this.#changed.add(network);
  }

  /** Brings the records of changed names, and with them the digest, to the present. */
  #settle(network: ResourceKey, zone: Zone): void {
    let { sum } = zone;
    const replace = (before: unknown, after: unknown): void => {
      if (before !== null) sum -= weight(before);
      if (after !== null) sum += weight(after);
    };
    for (const key of zone.changedNames) {
      const entry = zone.names.get(key);
      if (entry === undefined) continue;
      const after = recordOf(entry);
      replace(entry.record, after);
      entry.record = after;
      if (after === null) zone.names.delete(key);
    }
    for (const address of zone.changedPointers) {
      const entry = zone.pointers.get(address);
      if (entry === undefined) continue;
      const [name] = [...entry.names.values()].sort();
      const after = name === undefined ? null : { address, name };
      replace(entry.record, after);
      entry.record = after;
      if (after === null) zone.pointers.delete(address);
    }
    zone.sum = BigInt.asUintN(SUM_BITS, sum);
    if (zone.names.size === 0 && zone.pointers.size === 0) this.#zones.delete(network);
  }
}

function unsetOf(key: string): { name: string; scope: string | null } {
  const [name = '', scope = ''] = key.split(' ');
  return { name, scope: scope === '' ? null : scope };
}
