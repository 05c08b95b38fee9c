import { describe, expect, test } from 'vitest';
import type { Desired } from '../../../src/model/desired.ts';
import { networkSchema } from '../../../src/model/kinds/network.ts';
import { chooseSubnet, DEFAULT_IPV4_POOLS, uniqueLocalPool } from '../../../src/model/networks/address-pools.ts';
import { familiesOf } from '../../../src/reconcile/ops/networks/network-families.ts';
import { chooseRange, type Surroundings } from '../../../src/reconcile/ops/networks/network-ranges.ts';
import { EARLIER_DEFAULTS, readNetworkRecord } from '../../../src/state/history/network-record.ts';

const SOURCE = { file: 'blog.yaml', line: 3, column: 5 };

const network = (written: unknown): Desired<'network'> =>
  ({
    key: 'network/blog/back',
    kind: 'network',
    spec: networkSchema.parse(written),
    source: SOURCE,
    positions: {},
  }) as unknown as Desired<'network'>;

const HOST = {
  routes: [
    { destination: '0.0.0.0/0', gateway: '192.0.2.1', link: 'eth0' },
    { destination: '192.0.2.0/24', gateway: null, link: 'eth0' },
    { destination: '172.17.0.0/16', gateway: null, link: 'docker0' },
  ],
  nameServers: ['192.0.2.53'],
};

const around = (parts: Partial<Surroundings> = {}): Surroundings => ({
  pools: { ipv4: DEFAULT_IPV4_POOLS, ipv6: [uniqueLocalPool('0123456789')] },
  host: HOST,
  others: [],
  ...parts,
});

/** All networks that pools have room for. */
function cut(pools: typeof DEFAULT_IPV4_POOLS): string[] {
  const found: string[] = [];
  for (let next = chooseSubnet(pools, []); next !== null; next = chooseSubnet(pools, taken(found))) found.push(next);
  return found;
}

const taken = (subnets: readonly string[]) => subnets.map((subnet) => ({ subnet, by: 'us' }));

const NEW = { known: null, driver: { ofHost: true } };

describe('the subnet of a network', () => {
  test('that names none is a free one of the pools, and its first address is the gateway', () => {
    expect(chooseRange(network({}), around(), 'ipv4', NEW)).toEqual({ subnet: '172.18.0.0/16', gateway: '172.18.0.1' });
    const others = [{ subnet: 'fd01:2345:6789::/64', by: 'network/shop/back' }];
    expect(chooseRange(network({}), around({ others }), 'ipv6', NEW)).toEqual({
      subnet: 'fd01:2345:6789:1::/64',
      gateway: 'fd01:2345:6789:1::1',
    });
  });

  test('stays while it is free, also outside of the pools of today', () => {
    const known = { subnet: '10.200.7.0/24', gateway: '10.200.7.1' };
    expect(chooseRange(network({}), around(), 'ipv4', { ...NEW, known })).toEqual(known);
    const own = { ...HOST, routes: [...HOST.routes, { destination: known.subnet, gateway: null, link: 'b1' }] };
    expect(chooseRange(network({}), around({ host: own }), 'ipv4', { ...NEW, known })).toEqual(known);
    const taken = { others: [{ subnet: '10.200.0.0/16', by: 'network/shop/back' }] };
    expect(chooseRange(network({}), around(taken), 'ipv4', { ...NEW, known }).subnet).toBe('172.18.0.0/16');
  });

  test('that overlaps a link of the host or another network is an error at its line', () => {
    const wanted = network({ subnet: '192.0.2.0/25' });
    expect(() => chooseRange(wanted, around(), 'ipv4', NEW)).toThrow(
      expect.objectContaining({
        code: 'TSD_SUBNET_CONFLICT',
        message: 'subnet 192.0.2.0/25 overlaps 192.0.2.0/24 (route of eth0)',
        source: SOURCE,
      }),
    );
    const others = [{ subnet: '10.80.0.0/16', by: 'network/shop/back' }];
    expect(() => chooseRange(network({ subnet: '10.80.1.0/24' }), around({ others }), 'ipv4', NEW)).toThrow(
      'subnet 10.80.1.0/24 overlaps 10.80.0.0/16 (network/shop/back)',
    );
  });

  test('of an interface of the host is that of its link, without a gateway that is not written', () => {
    const lan = network({ subnet: '192.0.2.0/24' });
    expect(chooseRange(lan, around(), 'ipv4', { known: null, driver: { ofHost: false } })).toEqual({
      subnet: '192.0.2.0/24',
      gateway: null,
    });
  });

  test('the 32nd of the default pools is an error that says by whom', () => {
    const others = ['172.16.0.0/16', ...cut(DEFAULT_IPV4_POOLS)].map((subnet, n) => ({
      subnet,
      by: `network/a/n${n}`,
    }));
    const routes = others.map(({ subnet }, n) => ({ destination: subnet, gateway: null, link: `b${n}` }));
    const host = { ...HOST, routes: [...routes, { destination: '172.20.7.0/24', gateway: null, link: 'tun0' }] };
    expect(others).toHaveLength(32);
    expect(() => chooseRange(network({}), around({ host, others }), 'ipv4', NEW)).toThrow(
      expect.objectContaining({
        message:
          'no free subnet in the address pools (172.17.0.0/16 to 172.31.0.0/16, 192.168.0.0/16 in /20); in use: ' +
          '172.20.7.0/24 route of tun0, 172.17.0.0/16 network/a/n1, 172.18.0.0/16 network/a/n2, ' +
          '172.19.0.0/16 network/a/n3, 172.20.0.0/16 network/a/n4, 172.21.0.0/16 network/a/n5, ' +
          '172.22.0.0/16 network/a/n6, 172.23.0.0/16 network/a/n7, 24 more',
      }),
    );
  });

  test('where all pools are used is an error that says by whom', () => {
    const pools = { ipv4: [{ base: '172.16.0.0/15', size: 16 }], ipv6: [] };
    const others = [{ subnet: '172.16.0.0/16', by: 'network/shop/back' }];
    expect(() => chooseRange(network({}), around({ pools, others }), 'ipv4', NEW)).toThrow(
      expect.objectContaining({
        code: 'TSD_ADDRESS_POOL_FULL',
        message:
          'no free subnet in the address pools (172.16.0.0/15 in /16); in use: 172.17.0.0/16 route of docker0, 172.16.0.0/16 network/shop/back',
      }),
    );
  });
});

describe('the families of a network', () => {
  const able = { ipv6: true, ipv6Problem: null, lacking: null };
  const unable = { ipv6: false, ipv6Problem: 'this kernel has no IPv6', lacking: 'this kernel has no IPv6' };

  test.each([
    [{}, null, able, { ipv4: true, ipv6: true }],
    [{}, null, unable, { ipv4: true, ipv6: false }],
    [{}, false, able, { ipv4: true, ipv6: false }],
    [{}, true, able, { ipv4: true, ipv6: true }],
    [{ mtu: 1000 }, null, able, { ipv4: true, ipv6: false }],
    [{ ipv6: false }, null, able, { ipv4: true, ipv6: false }],
    [{ ipv4: false }, null, able, { ipv4: false, ipv6: true }],
    [{ subnet6: 'fd00:1::/64' }, false, able, { ipv4: true, ipv6: true }],
  ] as const)('%j, made with %s, on a host that has %j: %j', (written, standard, host, expected) => {
    expect(familiesOf(network(written), standard, host)).toEqual(expected);
  });

  test.each([[{ ipv6: true }], [{ ipv4: false }], [{ subnet6: 'fd00:1::/64' }]])(
    '%j needs a host with IPv6',
    (written) => {
      expect(() => familiesOf(network(written), null, unable)).toThrow(
        expect.objectContaining({
          code: 'TSD_UNSUPPORTED_HOST',
          message: 'the network has IPv6, and this host has none: this kernel has no IPv6',
        }),
      );
    },
  );
});

test('a record that an earlier version wrote into a file is a bridge that stays as it is', () => {
  const earlier = {
    key: 'network/blog/back',
    specHash: 'h',
    written: {},
    schemaVersion: 1,
    bridge: 'br-back',
    subnet: '10.80.0.0/24',
    gateway: '10.80.0.1',
  } as const;
  const { bridge, subnet, gateway, ...common } = earlier;
  const record = {
    ...common,
    driver: 'bridge',
    interfaceName: bridge,
    ipv4: { subnet, gateway },
    ipv6: null,
    defaults: EARLIER_DEFAULTS,
  };
  expect(readNetworkRecord(earlier)).toEqual(record);
  expect(readNetworkRecord(record)).toEqual(record);
});
