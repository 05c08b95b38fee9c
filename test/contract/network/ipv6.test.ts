/** Networks with IPv6, beside IPv4 and alone, and those without. */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { closeSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { EndpointConfig, NetworkConfig, Networks } from '../../../src/drivers/contract/network.ts';
import { bindSocket } from '../../../src/drivers/network/bound-socket.ts';
import { inNetns } from '../../../src/ffi/process/namespaces.ts';
import { macOfAddress } from '../../../src/model/addresses.ts';
import { until } from '../../support/wait.ts';
import {
  blocked,
  endpoint,
  endpoint6,
  enterPrivateHost,
  HOST_ADDRESS,
  idOf,
  inMemory,
  network,
  network6,
  newDriver,
  OUTSIDE_ADDRESS,
  reaches,
  serve,
  shell,
  sourceSeen,
  start,
  stopServers,
  strayLinks,
  udpClient,
} from './private-host.ts';

let outside: number;
let driver: Networks;

beforeAll(() => {
  outside = enterPrivateHost();
  shell('ip -6 address add 2001:db8::1/64 dev uplink nodad');
  inNetns(outside, () => shell('ip -6 address add 2001:db8::2/64 dev wire nodad'));
});

beforeEach(() => {
  driver = newDriver();
});

afterEach(async () => {
  stopServers();
  driver.giveBack();
  driver.close();
  await until('no interface is left', () => strayLinks().length === 0);
});

const only6 = (n: number): NetworkConfig => ({ ...network6(n), ipv4: null });
const end6 = (name: string, net: number, host: number, changes: Partial<EndpointConfig> = {}): EndpointConfig =>
  endpoint6(name, net, host, { ipv4: null, mac: null, defaultRoute: { ipv4: false, ipv6: true }, ...changes });

const ip = (netns: number, command: string): string => inNetns(netns, () => shell(`ip ${command}`));
const setting = (path: string): string => readFileSync(`/proc/sys/net/${path}`, 'utf8').trim();
const drift = (name: string) => driver.observe().endpoints.get(idOf(name))?.[0]?.drift;

/** Where containers and the host listen. */
const PORT = 7777;

function listening(config: EndpointConfig): number {
  const netns = start(driver, config);
  serve(netns, PORT, '::');
  return netns;
}

/** Whether a connection is accepted, or refused by the host itself, soon: neither end waits for the other's address. */
const answers = (netns: number | null, address: string): boolean => reaches(netns, address, PORT);

test('a network of both families: peers, gateway and host answer at once', () => {
  driver.ensureNetwork(network6(1));
  const a = start(driver, endpoint6('a', 1, 2));
  const b = listening(endpoint6('b', 1, 3));
  expect(answers(a, 'fd00:231:0:1::3')).toBe(true);
  serve(null, PORT, '::');
  expect(answers(a, 'fd00:231:0:1::1')).toBe(true);
  expect(answers(null, 'fd00:231:0:1::3')).toBe(true);
  expect(ip(b, '-6 route show default')).toBe(
    'default via fd00:231:0:1::1 dev eth0 proto static metric 1024 pref medium\n',
  );
  expect([drift('a'), drift('b')]).toEqual([[], []]);
});

test('a program binds the address as its first act', () => {
  driver.ensureNetwork(network6(1));
  const a = start(driver, endpoint6('a', 1, 2));
  const fd = inNetns(a, () => bindSocket({ address: 'fd00:231:0:1::2', port: 80, protocol: 'tcp' }));
  expect(fd).toBeGreaterThan(0);
  closeSync(fd);
  expect(ip(a, '-6 -o address show tentative')).toBe('');
  expect(shell('ip -6 -o address show dev tsdt1 tentative')).toBe('');
});

test('a network of IPv6 alone', () => {
  driver.ensureNetwork(only6(1));
  const a = start(driver, end6('a', 1, 2));
  listening(end6('b', 1, 3));
  expect(answers(a, 'fd00:231:0:1::3')).toBe(true);
  expect(ip(a, '-o -4 address show eth0')).toBe('');
  expect(ip(a, 'link show eth0')).toContain(macOfAddress('fd00:231:0:1::2'));
  expect(driver.observe().networks).toEqual(new Map([[network(1).key, { found: true, drift: [] }]]));
  expect(drift('a')).toEqual([]);
});

test('a network without IPv6 has none, and a neighbour cannot give it some', () => {
  driver.ensureNetwork(network(1));
  const a = start(driver, endpoint('a', 1, 2));
  const b = listening(endpoint('b', 1, 3));
  expect(ip(a, '-6 address show dev eth0')).toBe('');
  expect(shell('ip -6 address show dev tsdt1')).toBe('');
  const attack = `
import socket, struct
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(('eth0', 0))
src = socket.inet_pton(socket.AF_INET6, 'fe80::42:aff:fee7:103')
dst = socket.inet_pton(socket.AF_INET6, 'ff02::1')
prefix = struct.pack('!BBBBIII', 3, 4, 64, 0xc0, 86400, 14400, 0) + socket.inet_pton(socket.AF_INET6, '2001:db8:bad::')
body = struct.pack('!BBHBBHII', 134, 0, 0, 64, 0, 1800, 0, 0) + prefix
total = src + dst + struct.pack('!II', len(body), 58) + body
sums = sum(struct.unpack('!%dH' % (len(total) // 2), total))
while sums >> 16: sums = (sums & 0xffff) + (sums >> 16)
body = body[:2] + struct.pack('!H', ~sums & 0xffff) + body[4:]
packet = struct.pack('!IHBB', 0x60000000, len(body), 58, 255) + src + dst + body
mac = bytes.fromhex('02420ae70103')
s.send(bytes.fromhex('333300000001') + mac + b'\\x86\\xdd' + packet)
`;
  const advertise = () => inNetns(b, () => execFileSync('python3', ['-c', attack]));
  advertise();
  expect(ip(a, '-6 address show dev eth0')).toBe('');
  expect(ip(a, '-6 route show')).not.toContain('2001:db8:bad');
});

test('without inter-container communication a link leads to its port, for as many packets as there are', async () => {
  driver.ensureNetwork(network6(1, { icc: false }));
  const a = start(driver, endpoint6('a', 1, 2));
  const b = start(driver, endpoint6('b', 1, 3));
  serve(b, 80, '::', Buffer.alloc(4_000_000, 'x'));
  serve(b, 81, '::');
  serve(a, 80, '::');
  const to = 'fd00:231:0:1::3';
  expect(blocked(a, to, 80)).toBe(true);
  const reach = [to, '10.231.1.3'].map((address) => ({ address, port: 80, protocol: 'tcp' }) as const);
  driver.attach(endpoint6('a', 1, 2, { reach }));
  expect((await sourceSeen(a, to, 80)).length).toBe(4_000_000);
  expect(blocked(a, to, 81)).toBe(true);
  expect(blocked(b, 'fd00:231:0:1::2', 80)).toBe(true);
  driver.attach(endpoint6('a', 1, 2));
  expect(blocked(a, to, 80)).toBe(true);
});

test('without inter-container communication the only neighbour is the gateway', () => {
  driver.ensureNetwork(network6(1, { icc: false }));
  const a = start(driver, endpoint6('a', 1, 2));
  listening(endpoint6('b', 1, 3));
  expect(ip(a, '-6 route get fd00:231:0:1::3')).toContain('via fd00:231:0:1::1');
  serve(null, PORT, '::');
  expect(answers(a, 'fd00:231:0:1::1')).toBe(true);
  expect(drift('a')).toEqual([]);
});

test('what leaves has the address of the host, or the own one in the families that are routed', async () => {
  inNetns(outside, () =>
    shell('ip route add fd00:231::/32 via 2001:db8::1; ip route add 10.231.0.0/16 via 198.51.100.1'),
  );
  onTestFinished(() => inNetns(outside, () => void shell('ip route del fd00:231::/32; ip route del 10.231.0.0/16')));
  for (const [port, address] of [
    [82, '0.0.0.0'],
    [83, '::'],
  ] as const) {
    serve(outside, port, address);
  }
  const seen = async (netns: number) => [
    await sourceSeen(netns, OUTSIDE_ADDRESS, 82),
    await sourceSeen(netns, '2001:db8::2', 83),
  ];
  driver.ensureNetwork(network6(1));
  const a = start(driver, endpoint6('a', 1, 2));
  expect(await seen(a)).toEqual([HOST_ADDRESS, '2001:db8::1']);
  driver.ensureNetwork(network6(1, { gatewayMode6: 'routed' }));
  expect(await seen(a)).toEqual([HOST_ADDRESS, 'fd00:231:0:1::2']);
  driver.ensureNetwork(network6(1, { gatewayMode4: 'routed' }));
  expect(await seen(a)).toEqual(['10.231.1.2', '2001:db8::1']);
  driver.ensureNetwork(network6(1, { masquerade: false }));
  expect(await seen(a)).toEqual(['10.231.1.2', 'fd00:231:0:1::2']);
});

test('containers of different networks do not reach each other, and an internal network leads nowhere', () => {
  driver.ensureNetwork(network6(1));
  driver.ensureNetwork(network6(2));
  driver.ensureNetwork(network6(3, { internal: true }));
  const a = listening(endpoint6('a', 1, 2));
  const b = listening(endpoint6('b', 2, 2));
  const inner = start(driver, endpoint6('c', 3, 2, { defaultRoute: { ipv4: false, ipv6: false } }));
  listening(endpoint6('d', 3, 3, { defaultRoute: { ipv4: false, ipv6: false } }));
  serve(outside, PORT, '::');
  expect(answers(a, '2001:db8::2')).toBe(true);
  expect(blocked(a, 'fd00:231:0:2::2', PORT)).toBe(true);
  expect(blocked(b, 'fd00:231:0:1::2', PORT)).toBe(true);
  expect(answers(inner, 'fd00:231:0:3::3')).toBe(true);
  ip(inner, '-6 route add default via fd00:231:0:3::1');
  for (const address of ['2001:db8::2', 'fd00:231:0:1::2']) expect(blocked(inner, address, PORT)).toBe(true);
  expect(blocked(a, 'fd00:231:0:3::3', PORT)).toBe(true);
});

test('an address that another container gets is reached at once by who knew the last one', () => {
  driver.ensureNetwork(network6(1));
  const a = start(driver, endpoint6('a', 1, 2));
  listening(endpoint6('b', 1, 3));
  expect([answers(a, 'fd00:231:0:1::3'), answers(null, 'fd00:231:0:1::3')]).toEqual([true, true]);
  const known = ip(a, '-6 neighbour show fd00:231:0:1::3');
  driver.detach(idOf('b'));
  listening(endpoint6('c', 1, 3));
  expect([answers(a, 'fd00:231:0:1::3'), answers(null, 'fd00:231:0:1::3')]).toEqual([true, true]);
  expect(ip(a, '-6 neighbour show fd00:231:0:1::3').split(' ')[4]).toBe(known.split(' ')[4]);
});

test('deleted neighbour entries come back by themselves, also for packets of others that pass through', async () => {
  driver.ensureNetwork(network6(1, { icc: false }));
  const a = listening(endpoint6('a', 1, 2));
  const server = createSocket('udp6');
  onTestFinished(() => void server.close());
  server.on('message', (_, { port, address }) => server.send('!', port, address));
  server.bind({ fd: inNetns(outside, () => bindSocket({ address: '::', port: PORT, protocol: 'udp' })) });
  const client = udpClient(a, '2001:db8::2', PORT);
  onTestFinished(() => client.close());
  for (let times = 0; times < 2; times++) {
    shell('ip neighbour flush dev tsdt1');
    ip(a, 'neighbour flush dev eth0');
    expect(answers(null, 'fd00:231:0:1::2')).toBe(true);
    shell('ip neighbour flush dev tsdt1');
    expect(await client.answer()).toBe('!');
  }
});

describe('drift', () => {
  let a: number;

  beforeEach(() => {
    driver.ensureNetwork(network6(1));
    a = start(driver, endpoint6('a', 1, 2));
    listening(endpoint6('b', 1, 3));
    driver.observe();
  });

  test.each([
    ['an address', 'address del fd00:231:0:1::2/64 dev eth0', 'address fd00:231:0:1::2/64 missing'],
    [
      'the address of the link',
      'address del fe80::42:aff:fee7:102/64 dev eth0',
      'address fe80::42:aff:fee7:102/64 missing',
    ],
    ['a default route', '-6 route del default', 'IPv6 default route missing'],
    ['the default route of IPv4', 'route del default', 'default route missing'],
    ['the interface being up', 'link set eth0 down', 'interface down'],
  ])('%s is seen at the next look and healed', (_, command, expected) => {
    ip(a, command);
    expect(drift('a')).toContain(expected);
    driver.attach(endpoint6('a', 1, 2));

    expect(drift('a')).toEqual([]);
    expect(answers(a, 'fd00:231:0:1::3')).toBe(true);
  });

  test.each([
    ['a foreign default route', '-6 route add default via fd00:231:0:1::3 dev eth0 metric 5', 'another default route'],
    ['a foreign default route of IPv4', 'route add default via 10.231.1.3 dev eth0 metric 5', 'another default route'],
    ['another MAC', 'link set eth0 address 02:00:00:00:00:09', 'name or MAC of the interface changed'],
  ])('%s is seen in turn and healed', (_, command, expected) => {
    ip(a, command);
    for (let looks = 0; !drift('a')?.includes(expected); looks++) expect(looks).toBeLessThan(10);
    driver.attach(endpoint6('a', 1, 2));

    expect(drift('a')).toEqual([]);
    expect(answers(a, 'fd00:231:0:1::3')).toBe(true);
  });

  test('IPv6 that a container switches off itself is seen and switched on again', () => {
    inNetns(a, () => writeFileSync('/proc/sys/net/ipv6/conf/eth0/disable_ipv6', '1'));
    expect(ip(a, '-6 address show dev eth0')).toBe('');
    expect(drift('a')).toContain('address fd00:231:0:1::2/64 missing');
    driver.attach(endpoint6('a', 1, 2));
    expect(drift('a')).toEqual([]);
    expect(answers(a, 'fd00:231:0:1::3')).toBe(true);
  });

  test('addresses of the bridge', () => {
    const states = () => driver.observe().networks.get(network(1).key)?.drift;
    for (const address of ['fd00:231:0:1::1/64', 'fe80::42:aff:fee7:101/64', '10.231.1.1/24']) {
      shell(`ip address del ${address} dev tsdt1`);
      expect(states()).toEqual(['bridge or rules']);
      driver.ensureNetwork(network6(1));
      expect(states()).toEqual([]);
    }
  });

  test('forwarding that is off', () => {
    writeFileSync('/proc/sys/net/ipv6/conf/all/forwarding', '0');
    expect(driver.observe().networks.get(network(1).key)?.drift).toEqual(['bridge or rules']);
    driver.ensureNetwork(network6(1));
    expect(setting('ipv6/conf/all/forwarding')).toBe('1');
  });
});

describe('forwarding', () => {
  /** A machine beside the host that advertises itself as a router, by hand. */
  function advertised(): string {
    return shell('ip -6 route show default');
  }

  test("does not take the host's advertised default route, and is given back", () => {
    shell('ip -6 route add default via fe80::1 dev uplink proto ra metric 1024');
    onTestFinished(() => void shell('ip -6 route del default via fe80::1 dev uplink || true'));
    expect([setting('ipv6/conf/all/forwarding'), setting('ipv6/conf/uplink/accept_ra')]).toEqual(['0', '1']);
    const originals = new Map<string, string>();
    driver.close();
    driver = newDriver({ originals: inMemory(originals) });
    driver.ensureNetwork(network6(1));
    expect([setting('ipv6/conf/all/forwarding'), setting('ipv6/conf/uplink/accept_ra')]).toEqual(['1', '2']);
    expect(setting('ipv6/conf/tsdt1/accept_ra')).toBe('0');
    expect(advertised()).toContain('proto ra');
    // A supervisor that starts again knows what it was.
    driver.close();
    driver = newDriver({ originals: inMemory(originals) });
    driver.ensureNetwork(network6(1));
    expect(driver.giveBack()).toEqual([]);
    expect([setting('ipv6/conf/all/forwarding'), setting('ipv6/conf/uplink/accept_ra')]).toEqual(['0', '1']);
    expect(advertised()).toContain('proto ra');
    expect(originals.size).toBe(0);
  });

  test('is left alone for networks without IPv6, internal ones, and where the host forwards already', () => {
    driver.ensureNetwork(network(1));
    driver.ensureNetwork({ ...network6(2), internal: true });
    expect([setting('ipv6/conf/all/forwarding'), setting('ipv6/conf/uplink/accept_ra')]).toEqual(['0', '1']);
    writeFileSync('/proc/sys/net/ipv6/conf/all/forwarding', '1');
    onTestFinished(() => writeFileSync('/proc/sys/net/ipv6/conf/all/forwarding', '0'));
    driver.ensureNetwork(network6(3));
    expect(setting('ipv6/conf/uplink/accept_ra')).toBe('1');
    driver.giveBack();
    expect(setting('ipv6/conf/all/forwarding')).toBe('1');
  });
});

test('what cannot be is refused with a reason', () => {
  expect(() => driver.ensureNetwork(network6(1, { mtu: 1000 }))).toThrow(/IPv6 needs an mtu of 1280 or more/);
  const wrong = { ipv6: { subnet: 'fd00:231:0:1::/64', gateway: 'fd00:231:0:2::1' } };
  expect(() => driver.ensureNetwork(network6(1, wrong))).toThrow(/is not an address of/);
  driver.ensureNetwork(network(1));
  driver.createSandbox(idOf('a'));
  expect(() => driver.attach(endpoint6('a', 1, 2))).toThrow(/has no addresses like fd00/);
  expect(() => driver.attach(endpoint6('a', 1, 2, { ipv4: null, ipv6: null }))).toThrow(/needs an address/);
});

test('a container of an earlier version, with IPv4 alone, is resumed as it is when its network has no IPv6', () => {
  driver.ensureNetwork(network(1));
  const a = start(driver, endpoint('a', 1, 2));
  // As interfaces were before: IPv6 without any address.
  inNetns(a, () => writeFileSync('/proc/sys/net/ipv6/conf/eth0/disable_ipv6', '0'));
  driver.attach(endpoint('a', 1, 2));
  expect(inNetns(a, () => setting('ipv6/conf/eth0/disable_ipv6'))).toBe('0');
  expect(drift('a')).toEqual([]);
});
