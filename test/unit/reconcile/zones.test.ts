/** Names of containers on their networks, as the resolver is told of them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ResourceKey } from '../../../src/model/resource.ts';
import { ZoneBook } from '../../../src/reconcile/names/zone-book.ts';
import { ZoneIndex } from '../../../src/reconcile/names/zone-index.ts';
import {
  askerOf,
  type NamedEndpoint,
  type NetworkLookup,
  namedEndpoints,
  namedOf,
} from '../../../src/reconcile/names/zones.ts';
import type { NetworkChange, NetworkState } from '../../../src/resolver/protocol.ts';
import type { ContainerRecord } from '../../../src/state/containers/container-record.ts';
import { container, type Made, Records } from '../../support/container-records.ts';
import '../../support/property-seed.ts';

const NETWORKS: Readonly<Record<string, { key: ResourceKey; internal: boolean }>> = {
  br0: { key: 'network/shop/back', internal: false },
  br1: { key: 'network/shop/vault', internal: true },
  tsdocker0: { key: 'network//bridge', internal: false },
};
const networkOf: NetworkLookup = (bridge) => NETWORKS[bridge] ?? null;

const endpointsFor = (record: ContainerRecord): readonly NamedEndpoint[] => {
  const named = namedOf(record);
  return named === null ? [] : namedEndpoints(named, networkOf);
};

function zone(records: readonly ContainerRecord[], network: ResourceKey = 'network/shop/back'): NetworkState | null {
  const index = new ZoneIndex();
  for (const record of records) index.put(record.id, endpointsFor(record));
  return index.state(network);
}

/** `name[@scope] addresses`, in order. */
function shown(state: NetworkState | null): string[] {
  return (state?.names ?? [])
    .map(({ name, scope, ipv4 }) => `${name}${scope === null ? '' : `@${scope}`} ${ipv4.join(',')}`)
    .sort();
}

describe('a container is named on its network', () => {
  test('short in its app, everywhere by engine name, short id and host name, and backwards by its address', () => {
    const web = container('shop', 'web', 2, { spec: { hostname: 'WWW', domainname: 'example.org' } });
    const state = zone([web]);
    expect(shown(state)).toEqual([
      `${web.id.slice(0, 12)} 10.0.0.2`,
      'shop-web 10.0.0.2',
      'web@shop 10.0.0.2',
      'www 10.0.0.2',
      'www.example.org 10.0.0.2',
    ]);
    expect(state?.pointers).toEqual([{ address: '10.0.0.2', name: 'shop-web.shop-back' }]);
    expect(state?.labels).toEqual([
      { label: 'back', scope: 'shop' },
      { label: 'shop-back', scope: null },
    ]);
  });

  test('two apps have the same short name without a clash', () => {
    const names = shown(zone([container('shop', 'db', 2), container('blog', 'db', 3)]));
    expect(names).toContain('db@shop 10.0.0.2');
    expect(names).toContain('db@blog 10.0.0.3');
  });

  test('a host name never takes the engine name of another, and is shared by those who have it', () => {
    const hostname = (name: string) => ({ spec: { hostname: name } });
    const names = shown(
      zone([
        container('shop', 'a', 2, hostname('blog-db')),
        container('blog', 'db', 3),
        container('shop', 'b', 4, hostname('node')),
        container('shop', 'c', 5, hostname('node')),
      ]),
    );
    expect(names).toContain('blog-db 10.0.0.3');
    expect(names).toContain('node 10.0.0.4,10.0.0.5');
  });

  test('a successor is not named before it takes over, nor the one that it follows afterwards', () => {
    const next = { ...container('shop', 'web.next', 3), engineName: 'shop-web.next' };
    const old = { ...container('shop', 'web.old', 4), engineName: 'shop-web.old' };
    expect(zone([next, old])).toBeNull();
  });
});

describe('a container asks', () => {
  const facts = { networkOf, linked: [], servers: [] };

  test('nothing without the resolver, and nothing without a network', () => {
    expect(askerOf(container('shop', 'web', 2, { resolver: null }), facts)).toBeNull();
    expect(askerOf(container('shop', 'web', 2, { bridge: null }), facts)).toBeNull();
  });

  test('its own servers from inside, those of the daemon where it has none, else those of the host', () => {
    const forwarding = (made: Made, servers: string[] = []) =>
      askerOf(container('shop', 'web', 2, made), { ...facts, servers })?.forwarding;
    const own = { spec: { dns: ['9.9.9.9', '127.0.0.11'] } };
    expect(forwarding(own, ['1.1.1.1'])).toEqual({ from: 'inside', servers: [{ address: '9.9.9.9', port: 53 }] });
    expect(forwarding({}, ['1.1.1.1'])).toEqual({ from: 'inside', servers: [{ address: '1.1.1.1', port: 53 }] });
    expect(forwarding({})).toEqual({ from: 'host' });
    expect(forwarding({ bridge: 'br1' })).toEqual({ from: 'nowhere' });
  });
});

/** The real book on records that come and go. */
function bookOf(records: Records, lookup = networkOf): ZoneBook {
  const book = new ZoneBook({ containers: records, networkOf: lookup, unread: () => [], servers: [] });
  book.begin(() => {});
  return book;
}

describe('a container whose network is not known for a time', () => {
  const web = container('shop', 'web', 2);

  test('is taken when the network is known, and is unknown until then', () => {
    const known = new Map<string, (typeof NETWORKS)[string]>();
    const records = new Records();
    records.put(web);
    const book = bookOf(records, (bridge) => known.get(bridge) ?? null);
    expect([book.isUnknown(web.id), book.areSomeUnknown, book.askers.size]).toEqual([true, true, 0]);
    book.changedAskers();
    known.set('br0', NETWORKS.br0 as (typeof NETWORKS)[string]);
    book.retake();
    expect([book.isUnknown(web.id), book.areSomeUnknown]).toEqual([false, false]);
    expect(book.changedAskers()).toEqual([web.id]);
    expect(book.zones.state('network/shop/back')?.names.map(({ name }) => name)).toContain('shop-web');
  });

  test('keeps its names while the network is unknown again, and loses them with its record', () => {
    const known = new Map(Object.entries(NETWORKS));
    const records = new Records();
    records.put(web);
    const book = bookOf(records, (bridge) => known.get(bridge) ?? null);
    known.delete('br0');
    records.put({ ...web, resolver: { ndots: 2 } });
    expect([book.isUnknown(web.id), book.askers.get(web.id)?.ndots]).toEqual([true, null]);
    expect(book.zones.state('network/shop/back')?.names.map(({ name }) => name)).toContain('shop-web');
    known.set('br0', NETWORKS.br0 as (typeof NETWORKS)[string]);
    book.retake();
    expect(book.askers.get(web.id)?.ndots).toBe(2);
    known.delete('br0');
    records.remove(web);
    expect([book.areSomeUnknown, book.askers.size]).toEqual([false, 0]);
  });
});

describe('links', () => {
  const web = container('shop', 'web', 2, { spec: { links: [{ target: 'db', alias: 'store' }] } });

  test('are private names that come, move and go with their targets', () => {
    const records = new Records();
    records.put(web);
    const book = bookOf(records);
    const aliases = () => book.askers.get(web.id)?.aliases;
    expect(aliases()).toEqual([]);
    const db = container('shop', 'db', 3);
    book.changedAskers();
    records.put(db);
    expect(aliases()).toEqual([{ alias: 'store', network: 'network/shop/back', name: 'shop-db' }]);
    expect(book.changedAskers()).toContain(web.id);
    records.put({ ...db, network: null });
    expect(aliases()).toEqual([]);
    records.remove(web);
    expect(book.askers.has(web.id)).toBe(false);
  });
});

/** What a resolver makes of a change. */
function applied(state: NetworkState, change: NetworkChange): NetworkState {
  const of = ({ name, scope }: { name: string; scope: string | null }) => `${name} ${scope}`;
  const names = new Map(state.names.map((record) => [of(record), record]));
  const pointers = new Map(state.pointers.map((record) => [record.address, record]));
  for (const record of change.set) names.set(of(record), record);
  for (const record of change.unset) names.delete(of(record));
  for (const record of change.setPointers) pointers.set(record.address, record);
  for (const address of change.unsetPointers) pointers.delete(address);
  return { ...state, digest: change.digest, names: [...names.values()], pointers: [...pointers.values()] };
}

const sorted = (state: NetworkState | null) =>
  state && {
    ...state,
    names: [...state.names].sort((a, b) => (`${a.name} ${a.scope}` < `${b.name} ${b.scope}` ? -1 : 1)),
    pointers: [...state.pointers].sort((a, b) => (a.address < b.address ? -1 : 1)),
  };

describe('changes', () => {
  test('a network of a thousand containers is told of one by that one', () => {
    const index = new ZoneIndex();
    for (let n = 0; n < 1_000; n++) {
      const record = container('shop', `c${n}`, n % 250);
      index.put(record.id, endpointsFor(record));
    }
    index.change('network/shop/back');
    const late = container('shop', 'late', 251);
    index.put(late.id, endpointsFor(late));
    const change = index.change('network/shop/back');
    expect(change?.set.map(({ name }) => name).sort()).toEqual(['late', late.id.slice(0, 12), 'shop-late'].sort());
    expect(change?.unset).toEqual([]);
  });

  test('whatever comes and goes, changes lead to the state that a fresh look has, with its digest', () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const step = fc.record({
      name: fc.constantFrom(...names),
      last: fc.integer({ min: 2, max: 6 }),
      present: fc.boolean(),
      hostname: fc.constantFrom(null, 'a', 'shop-b', 'node'),
      take: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const key: ResourceKey = 'network/shop/back';
        const index = new ZoneIndex();
        const present = new Map<string, ContainerRecord>();
        let told: NetworkState | null = null;
        for (const { name, last, present: isThere, hostname, take } of [
          ...steps,
          { name: 'z', last: 2, present: false, hostname: null, take: true },
        ]) {
          const record = container('shop', name, last, { spec: { hostname } });
          if (isThere) present.set(record.id, record);
          else present.delete(record.id);
          index.put(record.id, isThere ? endpointsFor(record) : []);
          if (!take) continue;
          const change: NetworkChange | null = index.change(key);
          if (index.digest(key) === null) told = null;
          else if (change !== null && told !== null && change.from === told.digest) told = applied(told, change);
          else if (told?.digest !== index.digest(key)) told = index.state(key);
          expect(sorted(told)).toEqual(sorted(zone([...present.values()])));
        }
      }),
    );
  });
});
