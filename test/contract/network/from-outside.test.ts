/** What other machines reach and what they do not, and that drops are counted: in both families, by TCP, UDP and ICMP. */
import { execFileSync } from 'node:child_process';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Networks } from '../../../src/drivers/contract/network.ts';
import { inNetns } from '../../../src/ffi/process/namespaces.ts';
import { arriving } from '../../support/frames.ts';
import {
  blocked,
  endpoint6,
  enterPrivateHost,
  HOST_ADDRESS,
  INSTANCE,
  network6,
  newDriver,
  OUTSIDE_ADDRESS,
  PUBLISHED,
  reaches,
  serve,
  shell,
  start,
  takeDown,
} from './private-host.ts';

const [HOST6, OUTSIDE6] = ['fd00:198:51::1', 'fd00:198:51::2'];
const A = { ipv4: '10.231.1.2', ipv6: 'fd00:231:0:1::2' } as const;
const FAMILIES = ['ipv4', 'ipv6'] as const;
const NEAR = { ipv4: OUTSIDE_ADDRESS, ipv6: OUTSIDE6 } as const;
const HOST = { ipv4: HOST_ADDRESS, ipv6: HOST6 } as const;

let outside: number;
let driver: Networks;

beforeAll(() => {
  outside = enterPrivateHost();
  shell(`ip addr add ${HOST6}/64 dev uplink nodad`);
  inNetns(outside, () => {
    shell(`ip addr add ${OUTSIDE6}/64 dev wire nodad; ip route add fd00:231::/32 via ${HOST6}`);
    shell(`ip route add 10.231.0.0/16 via ${HOST_ADDRESS}`);
  });
});

beforeEach(() => {
  driver = newDriver();
});

afterEach(() => takeDown(driver, ['a', 'b'], [1, 2]));

/** Packets that the rules of a chain have dropped. */
function dropped(chain: string): number {
  const rules = shell(`nft list chain inet tsd-${INSTANCE} ${chain}`);
  return [...rules.matchAll(/counter packets (\d+) bytes \d+ drop/g)].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  );
}

const answersPing = (netnsFd: number, address: string): boolean =>
  inNetns(netnsFd, () => shell(`busybox ping -c 1 -W 1 ${address} >/dev/null 2>&1 && echo yes || true`)) === 'yes\n';

test.each(FAMILIES)('a neighbour with a route reaches no unpublished port, and the drop is counted: %s', (family) => {
  driver.ensureNetwork(network6(1));
  const a = start(driver, endpoint6('a', 1, 2, { ports: [PUBLISHED] }));
  for (const port of [80, 81]) for (const any of ['0.0.0.0', '::']) serve(a, port, any);
  expect(reaches(outside, HOST[family], 8080)).toBe(true);
  for (const port of [80, 81]) {
    const before = dropped('forward');
    expect(blocked(outside, A[family], port)).toBe(true);
    expect(dropped('forward')).toBeGreaterThan(before);
  }
  expect(answersPing(outside, A[family])).toBe(false);
});

test.each(FAMILIES)('networks are apart, and internal ones have no way out: %s', (family) => {
  driver.ensureNetwork(network6(1, { internal: true }));
  driver.ensureNetwork(network6(2));
  const internal = { defaultRoute: { ipv4: false, ipv6: false } };
  const a = start(driver, endpoint6('a', 1, 2, internal));
  const b = start(driver, endpoint6('b', 2, 2));
  for (const any of ['0.0.0.0', '::']) for (const netns of [a, b, outside]) serve(netns, 83, any);
  inNetns(a, () => shell('ip route add default via 10.231.1.1; ip -6 route add default via fd00:231:0:1::1'));
  expect(reaches(null, A[family], 83)).toBe(true);
  expect(reaches(b, NEAR[family], 83)).toBe(true);
  const before = dropped('forward');
  expect(blocked(b, A[family], 83)).toBe(true);
  expect(blocked(a, A[family].replace('1.2', '2.2').replace(':1::2', ':2::2'), 83)).toBe(true);
  expect(blocked(a, NEAR[family], 83)).toBe(true);
  expect(dropped('forward')).toBeGreaterThanOrEqual(before + 3);
});

test.each(FAMILIES)('mode routed: published ports and pings at the container, nothing at the host: %s', (family) => {
  driver.ensureNetwork(network6(1, { gatewayMode4: 'routed', gatewayMode6: 'routed' }));
  const a = start(driver, endpoint6('a', 1, 2, { ports: [PUBLISHED] }));
  for (const port of [80, 81]) for (const any of ['0.0.0.0', '::']) serve(a, port, any);
  expect(reaches(outside, A[family], 80)).toBe(true);
  expect(answersPing(outside, A[family])).toBe(true);
  expect(blocked(outside, A[family], 81)).toBe(true);
  expect(blocked(outside, HOST[family], 8080)).toBe(true);
});

/** Sends a datagram to a port of 127.0.0.1 as a machine does that routes that address to us. */
const DATAGRAM = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 0))
s.sendto(b'<' + sys.argv[4].encode() + b'>', (sys.argv[2], int(sys.argv[3])))
`;

test('a UDP port on 127.0.0.1 hears nothing of a neighbour that routes the address to us', async () => {
  driver.ensureNetwork(network6(1));
  const a = start(driver, endpoint6('a', 1, 2, { ports: [{ ...PUBLISHED, hostIp: '127.0.0.1', protocol: 'udp' }] }));
  const send = (from: string, text: string) =>
    execFileSync('python3', ['-c', DATAGRAM, from, '127.0.0.1', '8080', text]);
  // What the kernel of a careless host does.
  shell('echo 1 >/proc/sys/net/ipv4/conf/uplink/route_localnet');
  inNetns(outside, () => {
    shell('ip addr del 127.0.0.1/8 dev lo; echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet');
    shell(`ip route add 127.0.0.1/32 via ${HOST_ADDRESS} src ${OUTSIDE_ADDRESS}`);
  });
  try {
    const attack = (): void => {
      inNetns(outside, () => send(OUTSIDE_ADDRESS, 'over the wire'));
      send('127.0.0.1', 'from the host');
    };
    expect(await arriving(a, 'eth0', attack, 'from the host')).toEqual(['from the host']);
  } finally {
    inNetns(outside, () => shell('ip route del 127.0.0.1/32; ip addr add 127.0.0.1/8 dev lo'));
    shell('echo 0 >/proc/sys/net/ipv4/conf/uplink/route_localnet');
  }
});
