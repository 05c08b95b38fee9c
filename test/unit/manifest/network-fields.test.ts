import { describe, expect, test } from 'vitest';
import { desiredState } from '../../../src/manifest/desired-state.ts';
import type { KnownNetworkDrivers } from '../../../src/manifest/resolve/network-fields.ts';
import { specHash } from '../../../src/manifest/spec-hash.ts';
import { networkSchema } from '../../../src/model/kinds/network.ts';

const networkDrivers: KnownNetworkDrivers = {
  drivers: {
    bridge: {
      fields: ['bridgeName', 'icc', 'masquerade', 'gatewayMode', 'metadata', 'directAccess', 'hostAccess', 'spoofing'],
      modes: [],
      modesWithoutGateway: [],
      modesForOne: [],
      ofHost: true,
      publishesPorts: true,
      ownMac: true,
    },
    wire: {
      fields: ['parent', 'vlan', 'mode'],
      modes: ['l2', 'l3', 'one'],
      modesWithoutGateway: ['l3'],
      modesForOne: ['one'],
      ofHost: false,
      publishesPorts: false,
      ownMac: false,
    },
    none: null,
  },
  standard: 'bridge',
};

/** What is wrong with a network that says this; one line an issue. */
const issuesOf = (network: string): string[] => issuesIn(`networks:\n  n: { ${network} }\n`);

function issuesIn(text: string, withLines = false): string[] {
  const { sources } = desiredState(
    [{ sourceId: 'a.yaml', file: 'a.yaml', baseDir: '/m', content: { ok: true, text }, lastGood: null }],
    {
      generation: 1,
      defaultHostIp: '0.0.0.0',
      networkDrivers,
      readFile: (path) => ({ ok: false, reason: 'missing', message: path }),
      hashSecret: () => '',
    },
  );
  return (sources.get('a.yaml')?.issues ?? []).map(({ message, hint, position: { line, column } }) => {
    const whole = hint ? `${message}. ${hint}` : message;
    return withLines ? `${line}:${column} ${whole}` : whole;
  });
}

describe('a network that contradicts itself', () => {
  test.each([
    ['ipv4: false, ipv6: false', 'a network has addresses of one family at least: ipv4 and ipv6 are both false'],
    ['ipv4: false, subnet: 10.80.0.0/24', 'subnet contradicts ipv4: false'],
    ['ipv6: false, subnet6: "fd00:1::/64"', 'subnet6 contradicts ipv6: false'],
    ['ipv6: true, mtu: 1000', 'IPv6 needs an mtu of 1280 at least; write ipv6: false to do without'],
    ['gateway: 10.80.0.1', 'a gateway needs a subnet'],
    ['gateway6: "fd00:1::1"', 'a gateway needs a subnet6'],
    ['subnet: 10.80.0.0/24, gateway: 10.81.0.1', '10.81.0.1 is not a host address of 10.80.0.0/24'],
    ['subnet6: "fd00:1::/64", gateway6: "fd00:1::"', 'fd00:1:: is not a host address of fd00:1::/64'],
    ['subnet: 10.80.0.0/24, gateway: "fd00:1::1"', 'expected an IPv4 address'],
    ['ipRange: 10.80.0.0/25', 'a range needs a subnet'],
    ['subnet: 10.80.0.0/24, ipRange: 10.81.0.0/25', '10.81.0.0/25 is not a part of 10.80.0.0/24'],
    ['subnet6: "fd00:1::/64", ipRange6: "fd00:1::/48"', 'fd00:1::/48 is not a part of fd00:1::/64'],
    [
      'subnet6: "fd00:1::/64", ipRange6: "fd00:1::7/120"',
      '"fd00:1::7/120" has host bits set; the network is fd00:1::/120',
    ],
    ['reserved: [10.80.0.5]', 'reserved addresses need a subnet or a subnet6'],
    ['subnet: 10.80.0.0/24, reserved: [10.80.0.5, 10.81.0.5]', '10.81.0.5 is not in 10.80.0.0/24'],
    ['subnet: 10.80.0.0/24, reserved: [router]', '"router" is neither an address nor a subnet'],
    ['gatewayMode: isolated', 'isolated needs internal: true'],
    ['gatewayMode: { ipv4: nat, ipv6: isolated }', 'isolated needs internal: true'],
    ['gatewayMode: bridged', 'expected nat or nat-unprotected or routed or isolated'],
    ['gatewayMode: { ipv4: bridged }', 'gatewayMode.ipv4: expected nat or nat-unprotected or routed or isolated'],
    ['driver: wire, vlan: 10', 'a vlan needs a parent'],
    [
      'driver: wire, parent: enp0s31f6np0, vlan: 100',
      'enp0s31f6np0.100 is longer than the 15 characters of an interface name',
    ],
    [
      'driver: wire, parent: eth0, internal: true',
      'an internal network cannot be on eth0, whose network its containers would reach; leave parent out',
    ],
  ])('%s', (network, issue) => {
    const issues = issuesOf(network);
    expect(issues.join('\n')).toContain(issue);
    expect(issues).toHaveLength(1);
  });
});

describe('the driver of a network', () => {
  test.each([
    ['driver: brigde', 'there is no network driver "brigde"; did you mean bridge?. There are bridge, wire.'],
    ['driver: constructor', 'there is no network driver "constructor". There are bridge, wire.'],
    [
      'driver: none',
      'none is no driver of networks: a container names it itself (network: none). There are bridge, wire.',
    ],
    ['parent: eth0', 'a network of driver bridge has no parent'],
    ['driver: wire, icc: false', 'a network of driver wire has no icc'],
    ['driver: wire, metadata: true', 'a network of driver wire has no metadata'],
    ['driver: wire, mode: l4', 'wire has no mode "l4"; it has l2, l3, one'],
    [
      'driver: wire, parent: eth0, mode: l3, subnet: 10.80.0.0/24, gateway: 10.80.0.1',
      'with mode l3 packets leave by the interface itself; there is no gateway',
    ],
  ])('%s', (network, issue) => expect(issuesOf(network)).toEqual([issue]));

  test.each([
    'driver: bridge, icc: false, gatewayMode: { ipv6: routed }',
    'driver: wire, parent: eth0, vlan: 10, mode: l3, subnet: 10.80.0.0/24',
    'ipv4: false',
    'subnet: 10.80.0.0/24, subnet6: "fd00:1::/64", ipRange: 10.80.0.128/25, reserved: [10.80.0.64/26, "fd00:1::5"]',
  ])('%s is valid', (network) => expect(issuesOf(network)).toEqual([]));
});

describe('a container on a network of a driver', () => {
  const on = (container: string) =>
    issuesIn(
      `networks:
  back: {}
  inner: { internal: true }
  wire: { driver: wire, parent: eth0, subnet: 10.80.0.0/24 }
  single: { driver: wire, parent: eth1, mode: one, subnet: 10.81.0.0/24 }
containers:
  web:
    image: x:1
    ${container}
`,
      true,
    );

  test.each([
    [
      'network: wire\n    ports: ["8080:80"]',
      '10:5 nothing publishes ports: containers on wire (driver wire) are reached at their own addresses; leave ports out or add a network of driver bridge',
    ],
    [
      'networks: [inner, wire]\n    ports: ["8080:80"]',
      '10:5 nothing publishes ports: containers on wire (driver wire) are reached at their own addresses; leave ports out or add a network of driver bridge',
    ],
    [
      'networks: [host, back]',
      '9:16 networks[0]: expected the name of a network, or bridge for the default one; host, none and container:NAME are for `network`',
    ],
    [
      'networks: { back: { interfaceName: lo } }',
      '9:40 networks.back.interfaceName: the kernel has lo, all and default for itself; choose another interface name',
    ],
    [
      'networks: { wire: { mac: "02:42:0a:50:00:05" } }',
      '9:25 containers on wire (driver wire) have the MAC of its parent; leave mac out',
    ],
    [
      'network: single\n    update: { order: start-first }',
      '9:5 order: start-first needs room for two containers; single has one at a time (mode one)',
    ],
    [
      'networks: { back: { mac: "02:42:0a:50:00:05" } }\n    update: { order: start-first }',
      '9:25 order: start-first cannot keep a fixed MAC for two',
    ],
  ])('%s is refused', (container, issue) => expect(on(container)).toEqual([issue]));

  test.each([
    'network: wire',
    'networks: [back, wire]\n    ports: ["8080:80"]',
    'networks: [bridge, wire]\n    ports: ["8080:80"]',
    'network: wire\n    update: { order: start-first }',
  ])('%s is valid', (container) => expect(on(container)).toEqual([]));
});

/** From the version before networks had more than one driver and family. */
const EARLIER_HASHES = {
  empty: '5cd7420620522ffc47bbb56a252ec5b6f75db9e0bbe15fc99747a482d8a3cf9b',
  full: '279438a1a81812dd3321aeddbfd9e7be5a38ab15b8e9338c812043b5320d434f',
};

test('a manifest of an earlier version has the hash that it had', () => {
  const hashOf = (written: unknown) => specHash('network', networkSchema.parse(written));
  expect(hashOf({})).toBe(EARLIER_HASHES.empty);
  const full = { subnet: '10.80.0.0/24', gateway: '10.80.0.9', icc: false, labels: { a: 'b' } };
  expect(hashOf(full)).toBe(EARLIER_HASHES.full);
  expect(hashOf({ ...full, ipv6: false })).not.toBe(EARLIER_HASHES.full);
});
