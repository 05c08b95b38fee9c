/** Networks on an interface of the host, as far as this kernel has them; the guest has all of them (test/e2e/l2.test.ts). */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EndpointConfig, NetworkConfig, Networks } from '../../../src/drivers/contract/network.ts';
import { openNetworks } from '../../../src/drivers/network/open.ts';
import { withRouteSocket } from '../../../src/drivers/network/route-socket.ts';
import { NETWORK_DRIVERS } from '../../../src/drivers/registry.ts';
import { knowsKind, type L2Kind } from '../../../src/ffi/network/l2-links.ts';
import { inNetns } from '../../../src/ffi/process/namespaces.ts';
import {
  blocked,
  endpoint,
  enterPrivateHost,
  HOST_ADDRESS,
  INSTANCE,
  idOf,
  inMemory,
  OUTSIDE_ADDRESS,
  reaches,
  serve,
  shell,
  start,
  stopServers,
} from './private-host.ts';

const outside = enterPrivateHost();
const has = Object.fromEntries(
  (['macvlan', 'ipvlan', 'vlan', 'dummy'] as const).map((kind) => [
    kind,
    withRouteSocket((socket) => knowsKind(socket, kind)),
  ]),
) as Record<L2Kind, boolean>;

let networks: Networks;

/** Network `n` on the wire of the uplink, in the subnet that the host and the machine outside are in too. */
function network(n: number, driver: string, options: NetworkConfig['options'] = {}): NetworkConfig {
  return {
    key: `network/test/n${n}`,
    driver,
    interfaceName: `tsdl${n}`,
    ipv4: { subnet: '198.51.100.0/24', gateway: OUTSIDE_ADDRESS },
    ipv6: null,
    mtu: 1500,
    internal: false,
    options: { parent: 'uplink', ...options },
  };
}

/** Container `name` at 198.51.100.<host>. */
const on = (name: string, n: number, host: number, changes: Partial<EndpointConfig> = {}): EndpointConfig => ({
  ...endpoint(name, n, host),
  ipv4: `198.51.100.${host}/24`,
  mac: `02:42:c6:33:64:${host.toString(16).padStart(2, '0')}`,
  ...changes,
});

const noMac = { mac: null };
const drift = (n: number) => networks.observe().networks.get(`network/test/n${n}`);
const linkNames = () =>
  shell('ip -o link')
    .match(/^\d+: [^:@]+/gm)
    ?.map((line) => line.split(' ')[1]) ?? [];

beforeEach(() => {
  const instance = { id: INSTANCE, root: '/nonexistent', runDir: '/nonexistent' };
  networks = openNetworks(NETWORK_DRIVERS, { instance, iptables: true, ipForward: true, originals: inMemory() });
  if (!linkNames().includes('uplink')) {
    shell(`ip link add uplink type veth peer name wire && ip link set wire netns /proc/${process.pid}/fd/${outside}`);
    inNetns(outside, () => shell(`ip addr add ${OUTSIDE_ADDRESS}/24 dev wire && ip link set wire up`));
  }
  shell(`ip link set uplink nomaster up; ip addr replace ${HOST_ADDRESS}/24 dev uplink`);
});
afterEach(() => {
  stopServers();
  networks.giveBack();
  networks.close();
});

describe.runIf(has.macvlan)('macvlan', () => {
  it('puts containers on the wire: they reach each other and machines outside, and not this host', () => {
    networks.ensureNetwork(network(1, 'macvlan'));
    const [a, b] = [start(networks, on('a', 1, 11)), start(networks, on('b', 1, 12))];
    serve(b, 80);
    serve(outside, 81);
    serve(null, 82);
    expect(reaches(a, '198.51.100.12', 80)).toBe(true);
    expect(reaches(a, OUTSIDE_ADDRESS, 81)).toBe(true);
    expect(reaches(outside, '198.51.100.12', 80)).toBe(true);
    expect(blocked(a, HOST_ADDRESS, 82)).toBe(true);
    expect(inNetns(a, () => shell('ip route show default'))).toContain(`default via ${OUTSIDE_ADDRESS} dev eth0`);
  });

  it('keeps containers apart in mode private, and one alone in mode passthru', () => {
    networks.ensureNetwork(network(1, 'macvlan', { mode: 'private' }));
    const [a, b] = [start(networks, on('a', 1, 11)), start(networks, on('b', 1, 12))];
    serve(b, 80);
    expect(blocked(a, '198.51.100.12', 80)).toBe(true);
    expect(() => networks.ensureNetwork(network(2, 'macvlan', { mode: 'passthru' }))).toThrow(/has uplink too/);
    for (const name of ['a', 'b']) networks.detach(idOf(name));
    networks.removeNetwork('network/test/n1');
    networks.ensureNetwork(network(2, 'macvlan', { mode: 'passthru' }));
    start(networks, on('a', 2, 11));
    networks.createSandbox(idOf('b'));
    expect(() => networks.attach(on('b', 2, 12))).toThrow(
      expect.objectContaining({ class: 'conflict', message: 'uplink has a container already' }),
    );
  });

  it('gives a MAC and an address to the next container as soon as the one before is gone', () => {
    networks.ensureNetwork(network(1, 'macvlan'));
    for (const name of ['a', 'b', 'c']) {
      serve(start(networks, on(name, 1, 11)), 80);
      networks.detach(idOf(name));
    }
    expect(networks.observe().endpoints.size).toBe(0);
  });

  it('has IPv6 from the first packet on, and none on a network without', () => {
    const range = { subnet: 'fd00:51::/64', gateway: null };
    networks.ensureNetwork({ ...network(1, 'macvlan'), ipv6: range });
    const a = start(networks, on('a', 1, 11, { ipv6: 'fd00:51::11/64' }));
    expect(inNetns(a, () => shell('ip -6 -o addr show dev eth0 scope global'))).toMatch(
      /fd00:51::11\/64(?!.*tentative)/,
    );
    networks.ensureNetwork(network(2, 'macvlan'));
    const b = start(networks, on('b', 2, 12));
    expect(inNetns(b, () => shell('ip -6 -o addr show dev eth0'))).toBe('');
  });

  it('reports a lost address, route and link, and a parent that goes down or away, and heals what can be', () => {
    networks.ensureNetwork(network(1, 'macvlan'));
    const a = start(networks, on('a', 1, 11));
    const seen = () => networks.observe().endpoints.get(idOf('a'))?.[0]?.drift;
    expect(seen()).toEqual([]);
    for (const [command, missing] of [
      ['ip route del default', ['default route missing']],
      ['ip addr flush dev eth0', ['address 198.51.100.11/24 missing', 'default route missing']],
      ['ip link set eth0 down', ['interface down']],
      ['ip link del eth0', ['interface missing']],
    ] as const) {
      inNetns(a, () => shell(command));
      expect(seen()).toEqual(missing);
      networks.attach(on('a', 1, 11));
      expect(seen()).toEqual([]);
    }
    shell('ip link set uplink down');
    expect(drift(1)).toEqual({ found: true, drift: ['parent uplink'] });
    expect(() => networks.ensureNetwork(network(1, 'macvlan'))).toThrow(
      expect.objectContaining({ class: 'precondition', message: 'uplink is down' }),
    );
    shell('ip link del uplink');
    expect(drift(1)).toEqual({ found: false, drift: ['parent uplink'] });
    expect(seen()).toEqual(['interface missing']);
    expect(() => networks.ensureNetwork(network(1, 'macvlan'))).toThrow(
      expect.objectContaining({ class: 'precondition', message: 'there is no interface uplink on this host' }),
    );
    shell('ip link add uplink type veth peer name wire2 && ip link set wire2 up && ip link set uplink up');
    networks.ensureNetwork(network(1, 'macvlan'));
    networks.attach(on('a', 1, 11));
    expect([seen(), drift(1)]).toEqual([[], { found: true, drift: [] }]);
    shell('ip link del uplink');
  });
});

describe.each(['macvlan', 'ipvlan'])('a network of %s', (driver) => {
  it.each([
    [{ parent: 'lo' }, 'invalid', 'lo leads nowhere'],
    [{ parent: 'a/b' }, 'invalid', 'is not an interface name'],
    [{ mode: 'l9' }, 'invalid', 'has no mode "l9"'],
    [{ parent: 'eth77' }, 'precondition', 'there is no interface eth77 on this host'],
    [{ parent: 'eth77.10' }, 'precondition', 'nor eth77 to make that VLAN of'],
  ])('%j is refused: %s', (options, errorClass, message) => {
    expect(() => networks.ensureNetwork(network(1, driver, options))).toThrow(
      expect.objectContaining({ class: errorClass, message: expect.stringContaining(message) }),
    );
  });

  it('cannot be on what is part of a bridge', () => {
    shell('ip link add tsdlbr type bridge && ip link set uplink master tsdlbr');
    try {
      expect(() => networks.ensureNetwork(network(1, driver))).toThrow(
        expect.objectContaining({ class: 'precondition', message: 'uplink is part of tsdlbr' }),
      );
    } finally {
      shell('ip link del tsdlbr');
    }
  });
});

describe.skipIf(has.ipvlan)('ipvlan without its module', () => {
  it('says so', () => {
    networks.ensureNetwork(network(1, 'ipvlan'));
    networks.createSandbox(idOf('a'));
    expect(() => networks.attach(on('a', 1, 11, noMac))).toThrow(
      expect.objectContaining({ code: 'TSD_UNSUPPORTED_HOST', message: 'this kernel has no ipvlan interfaces' }),
    );
    expect(networks.driver('ipvlan').fingerprint().problems[0]?.fix).toContain('modprobe ipvlan');
  });
});

describe.runIf(has.ipvlan)('ipvlan', () => {
  it.each(['l2', 'l3', 'l3s'])('connects containers in mode %s, with the MAC of the parent', (mode) => {
    networks.ensureNetwork(network(1, 'ipvlan', { mode }));
    const [a, b] = [start(networks, on('a', 1, 11, noMac)), start(networks, on('b', 1, 12, noMac))];
    serve(b, 80);
    expect(reaches(a, '198.51.100.12', 80)).toBe(true);
    const via = mode === 'l2' ? `default via ${OUTSIDE_ADDRESS} dev eth0` : 'default dev eth0';
    expect(inNetns(a, () => shell('ip route show default'))).toContain(via);
    expect(inNetns(a, () => shell('cat /sys/class/net/eth0/address || ip link show eth0'))).not.toContain('02:42');
    expect(() => networks.ensureNetwork(network(2, 'ipvlan', { mode: mode === 'l2' ? 'l3' : 'l2' }))).toThrow(
      /all of ipvlan on an interface have one mode/,
    );
  });
});

describe.runIf(has.vlan && has.macvlan)('a VLAN', () => {
  it('is made for the first network and removed after the last, and one of somebody else stays', () => {
    for (const n of [1, 2]) networks.ensureNetwork(network(n, 'macvlan', { parent: 'uplink.10' }));
    expect(shell('ip -d link show uplink.10')).toContain('vlan protocol 802.1Q id 10');
    networks.removeNetwork('network/test/n1');
    expect(linkNames()).toContain('uplink.10');
    networks.removeNetwork('network/test/n2');
    expect(linkNames()).not.toContain('uplink.10');
    shell('ip link add link uplink name uplink.11 type vlan id 11 && ip link set uplink.11 up');
    networks.ensureNetwork(network(1, 'macvlan', { parent: 'uplink.11' }));
    networks.removeNetwork('network/test/n1');
    expect(linkNames()).toContain('uplink.11');
    shell('ip link del uplink.11');
  });
});

describe.runIf(has.dummy && has.macvlan)('a network without a parent', () => {
  it('leads nowhere: its containers reach each other alone', () => {
    networks.ensureNetwork({ ...network(1, 'macvlan', { parent: null }), internal: true });
    const [a, b] = [start(networks, on('a', 1, 11)), start(networks, on('b', 1, 12))];
    serve(b, 80);
    serve(outside, 81);
    expect(reaches(a, '198.51.100.12', 80)).toBe(true);
    expect(blocked(a, OUTSIDE_ADDRESS, 81)).toBe(true);
    for (const name of ['a', 'b']) networks.detach(idOf(name));
    networks.removeNetwork('network/test/n1');
    expect(linkNames()).not.toContain('tsdl1');
  });
});
