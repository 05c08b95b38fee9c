import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { containsAddress, containsNetwork, isHostAddress, overlaps } from '../../../src/model/addresses.ts';
import {
  chooseSubnet,
  DEFAULT_IPV4_POOLS,
  describeFullPool,
  type HostUse,
  type LeasePool,
  nextAddress,
  parseSubnetPool,
  poolsOf,
  type UsedSubnet,
  uniqueLocalPool,
  usedByHost,
  usersOfPools,
} from '../../../src/model/networks/address-pools.ts';

const NOTHING: HostUse = { routes: [], nameServers: [] };

/** Cuts subnets until there is none left. */
function all(pools: Parameters<typeof chooseSubnet>[0], used: readonly UsedSubnet[] = []): string[] {
  const found: string[] = [];
  for (;;) {
    const subnet = chooseSubnet(pools, [...used, ...found.map((one) => ({ subnet: one, by: 'us' }))]);
    if (subnet === null) return found;
    found.push(subnet);
  }
}

describe('pools', () => {
  test("without a setting there are Docker's 31 networks", () => {
    const found = all(DEFAULT_IPV4_POOLS);
    expect(found).toHaveLength(31);
    expect(found.slice(0, 2)).toEqual(['172.17.0.0/16', '172.18.0.0/16']);
    expect(found.slice(14, 17)).toEqual(['172.31.0.0/16', '192.168.0.0/20', '192.168.16.0/20']);
    expect(found.at(-1)).toBe('192.168.240.0/20');
  });

  test('the unique local prefix is fd and 40 bits, and has a /64 for each network', () => {
    const pool = uniqueLocalPool('0123456789abcdef');
    expect(pool).toEqual({ base: 'fd01:2345:6789::/48', size: 64 });
    expect(chooseSubnet([pool], [{ subnet: 'fd01:2345:6789::/64', by: 'us' }])).toBe('fd01:2345:6789:1::/64');
    expect(uniqueLocalPool('00000000000000').base).toBe('fd00::/48');
  });

  test('a family without a pool of its own keeps the default ones', () => {
    const unique = uniqueLocalPool('0123456789');
    const own = { base: '10.96.0.0/12', size: 24 };
    expect(poolsOf([own], unique)).toEqual({ ipv4: [own], ipv6: [unique] });
    expect(poolsOf([{ base: 'fd00:1::/48', size: 64 }], unique).ipv4).toBe(DEFAULT_IPV4_POOLS);
  });

  test.each([
    ['base=10.96.0.0/12,size=24', { base: '10.96.0.0/12', size: 24 }],
    ['size=64, base=FD00:1:0::/48', { base: 'fd00:1::/48', size: 64 }],
    ['base=10.96.0.7/12,size=12', { base: '10.96.0.0/12', size: 12 }],
  ])('%s', (text, pool) => expect(parseSubnetPool(text)).toEqual({ ok: true, value: pool }));

  test.each([
    ['10.0.0.0/8', 'is no address pool; write base=10.96.0.0/12,size=24'],
    ['base=10.0.0.0/8', 'is no address pool'],
    ['base=10.0.0.0/8,size=24,size=25', 'is no address pool'],
    ['base=10.0.0.0/8,size=24,mode=x', 'is no address pool'],
    ['base=10.0.0.0/40,size=24', 'is no address pool'],
    ['base=10.0.0.0/16,size=8', 'the size is the prefix length of a network, 16 to 30 here'],
    ['base=10.0.0.0/16,size=31', '16 to 30 here'],
    ['base=fd00::/48,size=127', '48 to 126 here'],
  ])('%s is refused', (text, message) => {
    const result = parseSubnetPool(text);
    expect(result.ok ? '' : result.message).toContain(message);
  });

  const anyPool = fc
    .tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 9, max: 16 }), fc.integer({ min: 0, max: 6 }))
    .map(([second, length, extra]) => ({ base: `10.${second}.0.0/${length}`, size: length + extra }));
  const anyUsed = fc
    .tuple(
      fc.integer({ min: 0, max: 255 }),
      fc.integer({ min: 0, max: 255 }),
      fc.integer({ min: 8, max: 32 }),
      fc.boolean(),
    )
    .map(
      ([second, third, length, yields]): UsedSubnet => ({
        subnet: `10.${second}.${third}.0/${length}`,
        by: 'x',
        yields,
      }),
    );

  test('a chosen subnet lies in a pool and overlaps nothing that does not yield', () => {
    fc.assert(
      fc.property(
        fc.array(anyPool, { minLength: 1, maxLength: 3 }),
        fc.array(anyUsed, { maxLength: 8 }),
        (pools, used) => {
          const subnet = chooseSubnet(pools, used);
          const hard = used.filter(({ yields }) => yields !== true);
          if (subnet === null) return all(pools, hard).length === 0;
          return (
            pools.some(({ base, size }) => containsNetwork(base, subnet) && subnet.endsWith(`/${size}`)) &&
            !hard.some((one) => overlaps(one.subnet, subnet))
          );
        },
      ),
    );
  });

  test('no two networks of a pool overlap', () => {
    fc.assert(
      fc.property(
        fc.array(anyPool, { minLength: 1, maxLength: 2 }),
        fc.array(anyUsed, { maxLength: 4 }),
        (pools, used) => {
          const found = all(pools, used);
          return found.every((one, index) => !found.slice(index + 1).some((other) => overlaps(one, other)));
        },
      ),
      { numRuns: 30 },
    );
  });

  test('a full pool says who has what', () => {
    const used = [
      { subnet: '10.0.0.0/25', by: 'network/blog/back' },
      { subnet: '10.0.0.128/25', by: 'route of eth0' },
      { subnet: '172.17.0.0/16', by: 'network//bridge' },
    ];
    expect(chooseSubnet([{ base: '10.0.0.0/24', size: 25 }], used)).toBeNull();
    expect(usersOfPools([{ base: '10.0.0.0/24', size: 25 }], used)).toBe(
      '10.0.0.128/25 route of eth0, 10.0.0.0/25 network/blog/back',
    );
  });
});

describe('routes of the host', () => {
  const host: HostUse = {
    routes: [
      { destination: '0.0.0.0/0', gateway: '192.0.2.1', link: 'eth0' },
      { destination: '0.0.0.0/1', gateway: null, link: 'tun0' },
      { destination: '128.0.0.0/1', gateway: '10.8.0.1', link: 'tun0' },
      { destination: '10.0.0.0/8', gateway: '10.8.0.1', link: 'tun0' },
      { destination: '10.8.0.0/24', gateway: null, link: 'tun0' },
      { destination: '192.0.2.0/24', gateway: null, link: 'eth0' },
      { destination: '203.0.113.0/24', gateway: null, link: '' },
      { destination: '2000::/3', gateway: 'fe80::1', link: 'tun0' },
      { destination: 'fd00:8::/64', gateway: null, link: 'tun0' },
    ],
    nameServers: ['10.80.0.53', 'fd00:9::53'],
  };
  const clash = (subnet: string) => usedByHost(host, subnet).find((used) => overlaps(used.subnet, subnet))?.by ?? null;

  test.each([
    ['198.51.100.0/24', null, 'the halves of a VPN are no network'],
    ['2001:db8::/64', null, 'nor is the whole of the global addresses'],
    ['10.90.0.0/24', null, 'what lies behind a gateway is wider'],
    ['10.8.0.0/16', 'route of tun0', 'a link of the host is in it'],
    ['192.0.2.128/25', 'route of eth0', 'it is part of a link'],
    ['10.0.0.0/8', 'route via 10.8.0.1 of tun0', 'a route goes just there'],
    ['203.0.113.0/25', 'route', 'a blackhole claims it'],
    ['10.80.0.0/24', 'name server of this host', 'the name server is in it'],
    ['fd00:8::/48', 'route of tun0', 'IPv6: a link is in it'],
    ['fd00:9::/64', 'name server of this host', 'IPv6: the name server is in it'],
    ['fd00:a::/64', null, 'IPv6: nothing is in it'],
  ] as [string, string | null, string][])('%s that is asked for: %s (%s)', (subnet, by) =>
    expect(clash(subnet)).toBe(by),
  );

  test('a network that may be anywhere is put beside what a gateway leads to, and into it where nothing else is free', () => {
    const used = usedByHost(host, null);
    const pools = [{ base: '10.0.0.0/8', size: 24 }];
    expect(chooseSubnet([...pools, { base: '172.20.0.0/16', size: 24 }], used)).toBe('172.20.0.0/24');
    expect(chooseSubnet(pools, used)).toBe('10.0.0.0/24');
    expect(chooseSubnet(pools, usedByHost(NOTHING, null))).toBe('10.0.0.0/24');
    expect(chooseSubnet([{ base: '10.8.0.0/16', size: 24 }], used)).toBe('10.8.1.0/24');
  });
});

describe('addresses of a pool', () => {
  const pool = (parts: Partial<LeasePool> = {}): LeasePool => ({
    subnet: '10.80.0.0/29',
    gateway: '10.80.0.1',
    range: null,
    reserved: [],
    ...parts,
  });

  function everything(one: LeasePool): string[] {
    const taken = new Set<string>();
    for (let last: string | null = null; ; ) {
      last = nextAddress(one, taken, last);
      if (last === null) return [...taken];
      taken.add(last);
    }
  }

  test('gateway, the own address of the network and its broadcast are not given out', () => {
    expect(everything(pool())).toEqual(['10.80.0.2', '10.80.0.3', '10.80.0.4', '10.80.0.5', '10.80.0.6']);
    expect(everything(pool({ gateway: null }))).toHaveLength(6);
  });

  test('a range limits them, and reserved addresses and subnets are left out', () => {
    expect(everything(pool({ range: '10.80.0.4/30' }))).toEqual(['10.80.0.4', '10.80.0.5', '10.80.0.6']);
    expect(everything(pool({ reserved: ['10.80.0.2/31', '10.80.0.5', 'fd00::1'] }))).toEqual([
      '10.80.0.4',
      '10.80.0.6',
    ]);
  });

  test('IPv6 has no broadcast; the first address is any router', () => {
    expect(everything(pool({ subnet: 'fd00:1::/126', gateway: 'fd00:1::1' }))).toEqual(['fd00:1::2', 'fd00:1::3']);
  });

  test('half of a /64 that is reserved is stepped over at once', () => {
    const large = pool({ subnet: 'fd00:1::/64', gateway: 'fd00:1::1', reserved: ['fd00:1::/65'] });
    expect(nextAddress(large, new Set(), null)).toBe('fd00:1:0:0:8000::');
    expect(nextAddress(pool({ subnet: 'fd00:1::/64', reserved: ['fd00:1::/64'] }), new Set(), null)).toBeNull();
  });

  test('a freed address rests as long as possible', () => {
    expect(nextAddress(pool(), new Set(), '10.80.0.4')).toBe('10.80.0.5');
    expect(nextAddress(pool(), new Set(), '10.80.0.6')).toBe('10.80.0.2');
    expect(nextAddress(pool(), new Set(['10.80.0.5', '10.80.0.6']), '10.80.0.4')).toBe('10.80.0.2');
    expect(nextAddress(pool(), new Set(), 'fd00::1')).toBe('10.80.0.2');
  });

  test('each address is given out once, is one that a host can have, and is not reserved', () => {
    const anyPoolOf4 = fc
      .record({
        length: fc.integer({ min: 24, max: 30 }),
        gateway: fc.option(fc.integer({ min: 1, max: 254 })),
        range: fc.option(fc.integer({ min: 24, max: 31 })),
        reserved: fc.array(fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 26, max: 32 })), {
          maxLength: 4,
        }),
      })
      .map(
        ({ length, gateway, range, reserved }): LeasePool => ({
          subnet: `10.80.0.0/${length}`,
          gateway: gateway === null ? null : `10.80.0.${gateway}`,
          range: range === null ? null : `10.80.0.0/${Math.max(range, length)}`,
          reserved: reserved.map(([last, prefix]) => `10.80.0.${last}/${prefix}`),
        }),
      );
    fc.assert(
      fc.property(anyPoolOf4, (one) => {
        const given = everything(one);
        const closed = (address: string) => one.reserved.some((part) => containsAddress(part, address));
        const possible = Array.from({ length: 256 }, (_, n) => `10.80.0.${n}`).filter(
          (address) =>
            isHostAddress(address, one.subnet) &&
            address !== one.gateway &&
            !closed(address) &&
            (one.range === null || containsAddress(one.range, address)),
        );
        expect([...given].sort()).toEqual([...possible].sort());
      }),
      { numRuns: 60 },
    );
  });

  test('a full pool says how many there are and who has them', () => {
    const full = pool({ range: '10.80.0.4/30', reserved: ['10.80.0.6'] });
    const held = [
      { address: '10.80.0.4', by: 'container/blog/web' },
      { address: '10.80.0.5', by: 'container/blog/db' },
    ];
    expect(nextAddress(full, new Set(held.map(({ address }) => address)), null)).toBeNull();
    expect(describeFullPool(full, held)).toBe(
      '10.80.0.4/30 of 10.80.0.0/29 has 3 addresses for containers (gateway 10.80.0.1; reserved 10.80.0.6); in use: 10.80.0.4 container/blog/web, 10.80.0.5 container/blog/db',
    );
  });
});
