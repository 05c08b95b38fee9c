import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addressIn,
  allocateAddress,
  allocatePort,
  allocateSubnet,
  bareAddress,
  broadcastOf,
  chooseBridgeAddress,
  containsNetwork,
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
const anyCidr = fc
  .tuple(anyAddress, fc.integer({ min: 0, max: 32 }))
  .map(([address, length]) => `${formatAddress(address)}/${length}`);

describe('text and numbers', () => {
  test('a bare address has no prefix length', () => {
    expect(['10.80.0.2/24', '10.80.0.2'].map(bareAddress)).toEqual(['10.80.0.2', '10.80.0.2']);
  });

  test('format and parse are inverse', () => {
    fc.assert(fc.property(anyAddress, (address) => parseAddress(formatAddress(address)) === address));
  });

  test.each(['', '1.2.3', '1.2.3.4.5', '256.0.0.1', '01.2.3.4', '1.2.3.-4', '1.2.3.4 ', '::1', '1e1.2.3.4'])(
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

describe('allocateAddress', () => {
  const pool = { subnet: '10.80.0.0/24', gateway: '10.80.0.1', fixedCidr: null };

  test('gives addresses in order, wraps, and passes over the gateway', () => {
    expect(allocateAddress(pool, new Set(), null)).toBe('10.80.0.2');
    expect(allocateAddress(pool, new Set(), '10.80.0.9')).toBe('10.80.0.10');
    expect(allocateAddress(pool, new Set(), '10.80.0.254')).toBe('10.80.0.2');
    expect(allocateAddress(pool, new Set(), '192.168.7.7')).toBe('10.80.0.2');
  });

  test('a fixed part of the subnet', () => {
    const part = { ...pool, fixedCidr: '10.80.0.128/30' };
    expect(allocateAddress(part, new Set(), null)).toBe('10.80.0.128');
    expect(allocateAddress(part, new Set(['10.80.0.128']), '10.80.0.131')).toBe('10.80.0.129');
  });

  test.each(['10.80.0.0/31', '10.80.0.0/32'])('%s has no free address', (subnet) => {
    expect(allocateAddress({ subnet, gateway: '10.80.0.1', fixedCidr: null }, new Set(), null)).toBeNull();
  });

  test('fills any pool exactly, each address once, none of them reserved', () => {
    const lengths = fc.integer({ min: 22, max: 30 });
    fc.assert(
      fc.property(anyAddress, lengths, fc.nat(), (base, length, gatewayAt) => {
        const subnet = networkOf(`${formatAddress(base)}/${length}`);
        const first = parseAddress(subnet.split('/')[0] as string) as number;
        const size = 2 ** (32 - length);
        const gateway = formatAddress(first + 1 + (gatewayAt % (size - 2)));
        const taken = new Set<string>();
        let last: string | null = null;
        for (;;) {
          last = allocateAddress({ subnet, gateway, fixedCidr: null }, taken, last);
          if (last === null) break;
          expect(taken.has(last)).toBe(false);
          taken.add(last);
        }
        expect(taken.size).toBe(size - 3);
        for (const reserved of [gateway, formatAddress(first), broadcastOf(subnet)]) {
          expect(taken.has(reserved)).toBe(false);
        }
      }),
      { numRuns: 30 },
    );
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
      .map(([offset, length]) => `${formatAddress(0x0ac80000 + offset)}/${length}`);
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
  expect(allocatePort(new Set(), null)).toBe(49153);
  expect(allocatePort(new Set([49154]), 49153)).toBe(49155);
  expect(allocatePort(new Set(), 65535)).toBe(49153);
  expect(allocatePort(new Set(Array.from({ length: 16383 }, (_, n) => 49153 + n)), 50000)).toBeNull();
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
