import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addressIn,
  allocatePort,
  allocateSubnet,
  bareAddress,
  broadcastOf,
  canonicalAddress,
  chooseBridgeAddress,
  containsAddress,
  containsNetwork,
  DYNAMIC_PORTS,
  familyOf,
  firstHostOf,
  formatAddress,
  isHostAddress,
  macOfAddress,
  networkOf,
  overlaps,
  parseAddress,
  parseCidr,
  prefixLengthOf,
} from '../../../src/model/addresses.ts';

const anyAddress = fc.integer({ min: 0, max: 0xffffffff });
const v4 = (value: number): string => formatAddress({ family: 'ipv4', value: BigInt(value) });
const anyCidr = fc
  .tuple(anyAddress, fc.integer({ min: 0, max: 32 }))
  .map(([address, length]) => `${v4(address)}/${length}`);

describe('text and numbers', () => {
  test('a bare address has no prefix length', () => {
    expect(['10.80.0.2/24', '10.80.0.2'].map(bareAddress)).toEqual(['10.80.0.2', '10.80.0.2']);
  });

  test('format and parse are inverse', () => {
    fc.assert(fc.property(anyAddress, (address) => parseAddress(v4(address))?.value === BigInt(address)));
  });

  test.each(['', '1.2.3', '1.2.3.4.5', '256.0.0.1', '01.2.3.4', '1.2.3.-4', '1.2.3.4 ', '1e1.2.3.4'])(
    '%j is not an address',
    (text) => {
      expect(parseAddress(text)).toBeNull();
    },
  );

  test.each(['10.0.0.0', '10.0.0.0/33', '10.0.0.0/08', '10.0.0.0/', '10.0.0.0/8/8', '/8'])(
    '%j is not a CIDR',
    (text) => {
      expect(parseCidr(text)).toBeNull();
    },
  );

  test('network and broadcast', () => {
    expect(networkOf('10.80.1.7/24')).toBe('10.80.1.0/24');
    expect(networkOf('10.80.1.7/0')).toBe('0.0.0.0/0');
    expect(broadcastOf('10.80.1.7/20')).toBe('10.80.15.255');
    expect(broadcastOf('255.255.255.255/32')).toBe('255.255.255.255');
  });

  test("a container's MAC is 02:42 and its address", () => {
    expect(macOfAddress('172.17.0.2')).toBe('02:42:ac:11:00:02');
    expect(macOfAddress('255.1.16.0')).toBe('02:42:ff:01:10:00');
  });

  test('overlap is symmetric and holds for contained networks', () => {
    fc.assert(
      fc.property(anyCidr, anyCidr, (a, b) => {
        expect(overlaps(a, b)).toBe(overlaps(b, a));
        expect(overlaps(a, b)).toBe(containsNetwork(a, b) || containsNetwork(b, a));
      }),
    );
  });
});

describe('IPv6', () => {
  const anyIpv6 = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n });
  const v6 = (value: bigint): string => formatAddress({ family: 'ipv6', value });

  test('format and parse are inverse, and the text is the canonical one', () => {
    fc.assert(
      fc.property(anyIpv6, (value) => {
        expect(parseAddress(v6(value))).toEqual({ family: 'ipv6', value });
        expect(canonicalAddress(v6(value).toUpperCase())).toBe(v6(value));
      }),
    );
  });

  test.each([
    ['FD00:0:0::1', 'fd00::1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1::2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['::1.2.3.4', '::102:304'],
    ['::', '::'],
    ['10.80.0.1', '10.80.0.1'],
  ])('%s is %s', (text, canonical) => expect(canonicalAddress(text)).toBe(canonical));

  test.each([':', ':::', '1:2:3', '1::2::3', 'fe80::1%eth0', 'fd00::1/64', '12345::', '[::1]', '::1 ', '::1\n', '::g'])(
    '%j is not an address',
    (text) => expect(parseAddress(text)).toBeNull(),
  );

  test.each(['::1/129', 'fd00::/064', '::1', '::/', '::1%eth0/64'])('%j is not a CIDR', (text) =>
    expect(parseCidr(text)).toBeNull(),
  );

  test('a wanted family refuses the other', () => {
    expect([parseAddress('::1', 'ipv4'), parseAddress('1.2.3.4', 'ipv6')]).toEqual([null, null]);
    expect([parseCidr('::/64', 'ipv4'), parseCidr('10.0.0.0/8', 'ipv6')]).toEqual([null, null]);
    expect([familyOf('fd00::/64'), familyOf('10.0.0.0/8')]).toEqual(['ipv6', 'ipv4']);
  });

  test('networks of different families share nothing', () => {
    expect(overlaps('::/0', '0.0.0.0/0')).toBe(false);
    expect(containsNetwork('::/0', '10.0.0.0/8')).toBe(false);
    expect(containsAddress('::/0', '10.0.0.1')).toBe(false);
    expect(isHostAddress('10.0.0.1', 'fd00::/64')).toBe(false);
  });

  test('networks and their hosts', () => {
    expect(networkOf('fd00:0:0:1:a::b/64')).toBe('fd00:0:0:1::/64');
    expect(firstHostOf('fd00::/64')).toBe('fd00::1');
    expect(firstHostOf('fd00::2/127')).toBe('fd00::2');
    expect(addressIn('fd00::7', 'fd00::/64')).toBe('fd00::7/64');
    expect(containsNetwork('fd00::/48', 'fd00:0:0:ffff::/64')).toBe(true);
    expect(containsAddress('fd00::/64', 'fd00::ffff')).toBe(true);
    const hosts = ['fd00::', 'fd00::1', 'fd00::ffff:ffff:ffff:ffff', 'fd00:0:0:1::'];
    expect(hosts.map((address) => isHostAddress(address, 'fd00::/64'))).toEqual([false, true, true, false]);
  });

  test('near addresses have different MACs, which are of one host and administered locally', () => {
    expect(macOfAddress('fd00::2')).toMatch(/^06(:[0-9a-f]{2}){5}$/);
    fc.assert(
      fc.property(anyIpv6, fc.bigInt({ min: 1n, max: 2n ** 40n - 2n ** 20n }), (value, distance) => {
        const other = value < distance ? value + distance : value - distance;
        expect(macOfAddress(v6(value))).not.toBe(macOfAddress(v6(other)));
      }),
    );
  });

  test('subnets are cut around occupied ones of the same family', () => {
    expect(allocateSubnet('fd12:3456:789a::/48', 64, [])).toBe('fd12:3456:789a::/64');
    const occupied = ['0.0.0.0/0', 'fd12:3456:789a::5/128', 'fd12:3456:789a:1::/64'];
    expect(allocateSubnet('fd12:3456:789a::/48', 64, occupied)).toBe('fd12:3456:789a:2::/64');
    expect(allocateSubnet('fd12:3456:789a::/48', 64, ['fc00::/7'])).toBeNull();
  });
});

describe('allocateSubnet', () => {
  test('allocates from the pool in order, around used ranges', () => {
    expect(allocateSubnet('10.200.0.0/16', 24, [])).toBe('10.200.0.0/24');
    expect(allocateSubnet('10.200.0.0/16', 24, ['10.200.1.0/24', '10.200.0.7/32'])).toBe('10.200.2.0/24');
    expect(allocateSubnet('10.200.0.0/16', 24, ['10.0.0.0/8'])).toBeNull();
  });

  test('the result is in the pool, overlaps nothing, and is the first that fits', () => {
    const near = fc
      .tuple(fc.nat(0xffff), fc.integer({ min: 18, max: 32 }))
      .map(([offset, length]) => `${v4(0x0ac80000 + offset)}/${length}`);
    fc.assert(
      fc.property(fc.array(near, { maxLength: 40 }), (occupied) => {
        const free = Array.from({ length: 256 }, (_, n) => `10.200.${n}.0/24`).find(
          (candidate) => !occupied.some((cidr) => overlaps(cidr, candidate)),
        );
        expect(allocateSubnet('10.200.0.0/16', 24, occupied)).toBe(free ?? null);
      }),
    );
  });
});

test('the default bridge takes the first candidate that overlaps nothing', () => {
  expect(chooseBridgeAddress([])).toBe('172.17.42.1/16');
  expect(chooseBridgeAddress(['172.17.0.0/16', '10.0.0.0/8'])).toBe('172.16.42.1/24');
  expect(chooseBridgeAddress(['0.0.0.0/0'])).toBeNull();
});

test('ports rotate in 49153–65535', () => {
  expect(allocatePort(DYNAMIC_PORTS, new Set(), null)).toBe(49153);
  expect(allocatePort({ first: 100, last: 103, reserved: new Set([102]) }, new Set([100]), 101)).toBe(103);
  expect(allocatePort(DYNAMIC_PORTS, new Set([49154]), 49153)).toBe(49155);
  expect(allocatePort(DYNAMIC_PORTS, new Set(), 65535)).toBe(49153);
  expect(allocatePort(DYNAMIC_PORTS, new Set(Array.from({ length: 16383 }, (_, n) => 49153 + n)), 50000)).toBeNull();
});

describe('hosts of a network', () => {
  test('include the first, and an address with the prefix of its network', () => {
    expect(firstHostOf('10.80.3.9/16')).toBe('10.80.0.1');
    expect(prefixLengthOf('10.80.0.0/16')).toBe(16);
    expect(addressIn('10.80.0.7', '10.80.0.0/16')).toBe('10.80.0.7/16');
    expect(() => addressIn('10.80.0.7', '10.80.0.0')).toThrow(RangeError);
  });

  test.each([
    ['10.80.0.1', true],
    ['10.80.0.254', true],
    ['10.80.0.0', false],
    ['10.80.0.255', false],
    ['10.80.1.1', false],
    ['10.79.255.255', false],
    ['db', false],
  ])('%s is a host of 10.80.0.0/24: %j', (address, is) => expect(isHostAddress(address, '10.80.0.0/24')).toBe(is));
});
