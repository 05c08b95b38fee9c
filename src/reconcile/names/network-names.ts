/**
 * Keeps the names of a network in the hosts files of its containers. The files are bind-mounted, so they are rewritten in
 * place; what a payload wrote beside our block stays. Those of runs that ask the resolver have no such names. Changes that come together are written together: n containers that
 * start cost few rewrites of each file and not n.
 */
import type { Clock, Timers } from '../../model/clock.ts';
import { describeError, toTsdError } from '../../model/errors/errors.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';
import { baseKey } from '../../model/update.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore, RecordWatcher } from '../../state/containers/containers.ts';
import { endpointsOf, hostAddresses, ownAddresses } from '../../state/containers/endpoints.ts';
import { buildHosts, withNames } from '../../state/containers/hosts.ts';
import { namesBeside, type Peer, PeerIndex, peersOf, samePeers } from './peer-index.ts';

/** Files are rewritten for at most so long at a time; then others have their turn. */
const SLICE_MS = 10;
/** Rewriting takes at most this part of the time while changes keep coming. */
const SHARE = 10;
/** A disk that failed is tried again after so long. */
const RETRY_MS = 5_000;

type Store = Pick<ContainerStore, 'all' | 'get' | 'damagedIds' | 'readText' | 'writeText' | 'watch'>;

export interface NetworkNamesParts {
  readonly containers: Store;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly onProblem: (text: string) => void;
  /** What others call a container whose record cannot be read; empty for every other one. */
  readonly unread: (id: string) => readonly Peer[];
}

function besideOf({ config, linkAddresses, hostConfig }: ContainerRecord): Set<string> {
  return namesBeside({
    hostname: config.Hostname,
    domainname: config.Domainname,
    aliases: Object.keys(linkAddresses),
    extraHosts: (hostConfig.ExtraHosts ?? []).map((entry) => ({ name: entry.split(':', 1)[0] ?? '' })),
  });
}

/** The file as it was written at the start, for one that cannot be read any more. */
function wholeText(record: ContainerRecord): string {
  const { config, linkAddresses, hostConfig } = record;
  return buildHosts({
    addresses: ownAddresses(record),
    hostname: config.Hostname,
    domainname: config.Domainname,
    links: Object.entries(linkAddresses).map(([alias, address]) => ({ alias, address })),
    extraHosts: hostConfig.ExtraHosts ?? [],
    hostGateway: hostAddresses(record),
  });
}

/** Has an endpoint and a file that was written for a run which does not ask the resolver. */
const isNamed = (record: ContainerRecord): boolean =>
  record.owner !== null && record.run > 0 && record.resolver === null && endpointsOf(record).length > 0;

const bridgesOf = (record: Parameters<typeof endpointsOf>[0]): readonly string[] =>
  endpointsOf(record).map(({ bridge }) => bridge);

export class NetworkNames implements RecordWatcher {
  readonly #parts: NetworkNamesParts;
  readonly #index = new PeerIndex();
  readonly #peers = new Map<string, readonly Peer[]>();
  /** Names in the file of a container, as last written or found. */
  readonly #written = new Map<string, string>();
  #cancel: (() => void) | null = null;
  #notBeforeMs = 0;
  /** Where the next slice begins: each gets its turn while changes keep coming. */
  #next = 0;
  #problem = '';
  /** Nothing is written before what was there has been taken over. */
  #active = false;

  constructor(parts: NetworkNamesParts) {
    this.#parts = parts;
    for (const { id } of parts.containers.all()) this.#take(id);
    parts.containers.watch(this);
  }

  /**
   * Lines for the hosts file of a container: a name that two of its networks have is that of the first one.
   * @param beside names that the file has for something else
   */
  lines(bridges: readonly string[], key: ResourceKey, beside: ReadonlySet<string>): readonly string[] {
    const own = (bridge: string, taken: ReadonlySet<string>) =>
      this.#index.lines(bridge, parseKey(key).app, baseKey(key), taken);
    const [only = ''] = bridges;
    if (bridges.length <= 1) return own(only, beside);
    const lines: string[] = [];
    const taken = new Set(beside);
    for (const bridge of bridges) {
      for (const line of own(bridge, taken)) lines.push(line);
      for (const line of lines) for (const name of line.split(/[\t ]/).slice(1)) taken.add(name);
    }
    return lines;
  }

  /** Containers of its network that the file of one does not name. */
  leftOut(containerId: string): number {
    const record = this.#parts.containers.get(containerId);
    const bridges = record && record.resolver === null ? bridgesOf(record) : [];
    return bridges.reduce((sum, bridge) => sum + this.#index.leftOut(bridge), 0);
  }

  recordChanged(id: string): void {
    if (this.#take(id)) this.#schedule(0);
  }

  textWritten(id: string): void {
    this.#written.delete(id);
  }

  /** At once, where a moment with the old names would be seen: the file of one container, or all. */
  renew(containerId?: string): void {
    if (containerId === undefined) {
      this.#slice(Number.POSITIVE_INFINITY);
      return;
    }
    const record = this.#parts.containers.get(containerId);
    const problem = this.#active && record && isNamed(record) ? this.#bring(record) : null;
    if (problem === null) return;
    this.#say(problem);
    this.#schedule(RETRY_MS);
  }

  /** What an earlier supervisor left is brought to the present. */
  begin(): void {
    for (const id of this.#parts.containers.damagedIds) this.#take(id);
    this.#active = true;
    this.#schedule(0);
  }

  end(): void {
    this.#active = false;
    this.#cancel?.();
  }

  /** Reports whether a name or an address changed. */
  #take(id: string): boolean {
    const record = this.#parts.containers.get(id);
    const [before, now] = [this.#peers.get(id) ?? [], record ? peersOf(record) : this.#parts.unread(id)];
    if (!record) this.#written.delete(id);
    if (samePeers(before, now)) return false;
    for (const peer of before) this.#index.remove(peer);
    for (const peer of now) this.#index.add(peer);
    if (now.length > 0) this.#peers.set(id, now);
    else this.#peers.delete(id);
    return true;
  }

  #schedule(ms: number): void {
    if (this.#cancel !== null || !this.#active) return;
    const { clock, timers } = this.#parts;
    const wait = Math.max(ms, this.#notBeforeMs - clock.now().bootMs);
    this.#cancel = timers.after(wait, () => {
      this.#cancel = null;
      this.#slice(SLICE_MS);
    });
  }

  #slice(ms: number): void {
    if (!this.#active) return;
    const { clock, containers } = this.#parts;
    const records = containers.all();
    const beganMs = clock.now().bootMs;
    const problems: string[] = [];
    let looked = 0;
    for (; looked < records.length && clock.now().bootMs - beganMs <= ms; looked++) {
      const record = records[(this.#next + looked) % records.length];
      const problem = record && isNamed(record) ? this.#bring(record) : null;
      if (problem !== null) problems.push(problem);
    }
    const unfinished = looked < records.length;
    this.#next = unfinished ? (this.#next + looked) % records.length : 0;
    const now = clock.now().bootMs;
    this.#notBeforeMs = now + (now - beganMs) * SHARE;
    this.#say(problems[0] ?? '');
    if (unfinished) this.#schedule(0);
    else if (problems.length > 0) this.#schedule(RETRY_MS);
  }

  /** Said once, not at every attempt. */
  #say(problem: string): void {
    if (problem !== '' && problem !== this.#problem) this.#parts.onProblem(problem);
    this.#problem = problem;
  }

  /** Returns what it failed with, in words. */
  #bring(record: ContainerRecord): string | null {
    const { id, owner, engineName } = record;
    if (owner === null) return null;
    const { containers } = this.#parts;
    const names = this.lines(bridgesOf(record), owner.key, besideOf(record));
    const block = names.join('\n');
    if (this.#written.get(id) === block) return null;
    try {
      const present = containers.readText(id, 'hosts');
      const wanted = withNames(present ?? wholeText(record), names);
      if (wanted !== present) containers.writeText(id, 'hosts', wanted);
      this.#written.set(id, block);
      return null;
    } catch (thrown) {
      return `names for ${engineName}: ${describeError(toTsdError(thrown))}`;
    }
  }
}
