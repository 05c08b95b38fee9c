/** Keeps what the resolver is to know in agreement with the records of containers, and remembers what changed. */
import { createHash } from 'node:crypto';
import type { ResourceKey } from '../../model/resource.ts';
import type { SandboxState } from '../../resolver/protocol.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore, RecordWatcher } from '../../state/containers/containers.ts';
import { endpointsByRoute } from '../../state/containers/endpoints.ts';
import { containerSpecOf } from '../../state/containers/written-spec.ts';
import { observedReferences } from '../plan/references.ts';
import type { Peer } from './peer-index.ts';
import { ZoneIndex } from './zone-index.ts';
import { askerOf, type LinkedName, type NamedEndpoint, type NetworkLookup, namedEndpoints, namedOf } from './zones.ts';

export interface ZoneBookParts {
  readonly containers: Pick<ContainerStore, 'all' | 'get' | 'byKey' | 'damagedIds' | 'watch'>;
  readonly networkOf: NetworkLookup;
  /** What others call a container whose record cannot be read; empty for every other one. */
  readonly unread: (id: string) => readonly Peer[];
  /** Name servers of containers that declare none (`--dns`). */
  readonly servers: readonly string[];
}

interface Linked {
  readonly key: ResourceKey;
  readonly alias: string;
}

function linksOf({ owner, engineName }: ContainerRecord): readonly Linked[] {
  if (owner === null) return [];
  const spec = containerSpecOf(owner);
  if (spec.links.length === 0) return [];
  const { links } = observedReferences({ key: owner.key, engineName, spec });
  return links.map((key, index) => ({ key, alias: spec.links[index]?.alias ?? '' }));
}

function withDigest(asker: Omit<SandboxState, 'digest'>): SandboxState {
  return { ...asker, digest: createHash('sha256').update(JSON.stringify(asker)).digest('hex').slice(0, 16) };
}

function sameForNames(a: ContainerRecord, b: ContainerRecord): boolean {
  if (a.owner !== b.owner || a.engineName !== b.engineName || a.resolver !== b.resolver) return false;
  return JSON.stringify(endpointsByRoute(a)) === JSON.stringify(endpointsByRoute(b));
}

export class ZoneBook implements RecordWatcher {
  readonly zones = new ZoneIndex();
  readonly #parts: ZoneBookParts;
  readonly #askers = new Map<string, SandboxState>();
  readonly #changedAskers = new Set<string>();
  /** Ids of containers that link to one, by its key. */
  readonly #linking = new Map<ResourceKey, Set<string>>();
  readonly #links = new Map<string, readonly Linked[]>();
  /** Records as they were last taken. */
  readonly #taken = new Map<string, ContainerRecord>();
  /** Containers that ask, with a network that is not known just now: what others know of them stays as it was. */
  readonly #unknown = new Set<string>();
  #onChange = (): void => {};

  constructor(parts: ZoneBookParts) {
    this.#parts = parts;
    parts.containers.watch(this);
  }

  /** Takes what there is, and calls back for each change from now on. */
  begin(onChange: () => void): void {
    for (const { id } of this.#parts.containers.all()) this.#take(id);
    for (const id of this.#parts.containers.damagedIds) this.#take(id);
    this.#onChange = onChange;
    onChange();
  }

  /** What the resolver is to know of the containers that ask it. */
  get askers(): ReadonlyMap<string, SandboxState> {
    return this.#askers;
  }

  /** Containers whose entry in {@link askers} came, changed or went since this was called last. */
  changedAskers(): readonly string[] {
    const changed = [...this.#changedAskers];
    this.#changedAskers.clear();
    return changed;
  }

  isUnknown(id: string): boolean {
    return this.#unknown.has(id);
  }

  get areSomeUnknown(): boolean {
    return this.#unknown.size > 0;
  }

  /** Looks whether the networks of those are known by now. */
  retake(): void {
    const before = this.#unknown.size;
    for (const id of [...this.#unknown]) {
      const record = this.#parts.containers.get(id);
      if (record === undefined || this.#areNetworksKnown(record)) this.#take(id);
    }
    if (this.#unknown.size < before) this.#onChange();
  }

  recordChanged(id: string): void {
    if (this.#take(id)) this.#onChange();
  }

  textWritten(): void {}

  /** Most changes of a record are of its state. */
  #take(id: string): boolean {
    const record = this.#parts.containers.get(id);
    const before = this.#taken.get(id);
    const isKnown = record === undefined || this.#areNetworksKnown(record);
    if (isKnown || record.owner === null || record.resolver === null) this.#unknown.delete(id);
    else this.#unknown.add(id);
    if (record !== undefined && before !== undefined && (!isKnown || sameForNames(before, record))) return false;
    if (record !== undefined && isKnown) this.#taken.set(id, record);
    else this.#taken.delete(id);
    this.zones.put(id, record ? this.#named(record) : this.#unreadable(id));
    this.#follow(id, record ? linksOf(record) : []);
    this.#ask(id, record);
    for (const key of new Set([before?.owner?.key, record?.owner?.key])) {
      const linking = (key && this.#linking.get(key)) ?? [];
      for (const other of linking) this.#ask(other, this.#parts.containers.get(other));
    }
    return true;
  }

  #areNetworksKnown(record: ContainerRecord): boolean {
    return endpointsByRoute(record).every(({ bridge }) => this.#parts.networkOf(bridge) !== null);
  }

  #named(record: ContainerRecord): readonly NamedEndpoint[] {
    const named = namedOf(record);
    return named === null ? [] : namedEndpoints(named, this.#parts.networkOf);
  }

  #unreadable(id: string): readonly NamedEndpoint[] {
    const peers = this.#parts.unread(id);
    const [peer] = peers;
    if (peer === undefined) return [];
    const endpoints = peers.map(({ bridge, address }) => ({ bridge, ipv4: address, ipv6: null, aliases: [] }));
    return namedEndpoints({ ...peer, id, endpoints }, this.#parts.networkOf);
  }

  #follow(id: string, links: readonly Linked[]): void {
    for (const { key } of this.#links.get(id) ?? []) {
      const linking = this.#linking.get(key);
      linking?.delete(id);
      if (linking?.size === 0) this.#linking.delete(key);
    }
    for (const { key } of links) this.#linking.set(key, (this.#linking.get(key) ?? new Set()).add(id));
    if (links.length > 0) this.#links.set(id, links);
    else this.#links.delete(id);
  }

  #ask(id: string, record: ContainerRecord | undefined): void {
    const { networkOf, servers } = this.#parts;
    const asker = record ? askerOf(record, { networkOf, servers, linked: this.#linked(id) }) : null;
    const before = this.#askers.get(id);
    const now = asker === null ? undefined : withDigest(asker);
    if (before?.digest === now?.digest) return;
    if (now) this.#askers.set(id, now);
    else this.#askers.delete(id);
    this.#changedAskers.add(id);
  }

  #linked(id: string): readonly LinkedName[] {
    return (this.#links.get(id) ?? []).flatMap(({ key, alias }) => {
      const record = this.#parts.containers.byKey(key);
      return record ? [{ alias, engineName: record.engineName, endpoints: endpointsByRoute(record) }] : [];
    });
  }
}
