import { execFileSync } from 'node:child_process';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Networks } from '../../../src/drivers/contract/network.ts';
import { inNetns } from '../../../src/ffi/process/namespaces.ts';
import { until } from '../../support/wait.ts';
import {
  blocked,
  endpoint,
  enterPrivateHost,
  HOST_ADDRESS,
  INSTANCE,
  idOf,
  listenUdp,
  network,
  newDriver,
  OUTSIDE_ADDRESS,
  PUBLISHED,
  reaches,
  serve,
  shell,
  start,
  takeDown,
} from './private-host.ts';

let outside: number;
let driver: Networks;

const networkDrift = () => driver.observe().networks.get('network/test/n1')?.drift;

/** Sends a datagram as 10.231.1.2 to 10.231.1.3:53, or claims by ARP to be that. Kinds: socket, raw IP, whole frame. */
const SENDER = `
import socket, struct, sys
kind, text = sys.argv[1], sys.argv[2].encode()
src, dst = socket.inet_aton('10.231.1.2'), socket.inet_aton('10.231.1.3')
theirs, gateway = bytes.fromhex('02420ae70102'), bytes.fromhex('02420ae70101')
def checksum(data):
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff
udp = struct.pack('!HHHH', 9, 53, 8 + len(text), 0) + text
def header(check): return struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 0, 0, 64, 17, check, src, dst)
packet = header(checksum(header(0))) + udp
if kind == 'udp':
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(text, ('10.231.1.3', 53))
elif kind == 'raw':
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW).sendto(packet, ('10.231.1.3', 0))
else:
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind(('eth0', 0))
    own = s.getsockname()[4]
    if kind == 'frame':
        s.send(gateway + theirs + b'\\x08\\x00' + packet)
    else:
        for op in (1, 2):
            arp = struct.pack('!HHBBH', 1, 0x0800, 6, 4, op)
            s.send(gateway + own + b'\\x08\\x06' + arp + own + src + gateway + socket.inet_aton('10.231.1.1'))
`;

function send(netnsFd: number, kind: 'udp' | 'raw' | 'frame' | 'arp', text: string): void {
  inNetns(netnsFd, () => execFileSync('python3', ['-c', SENDER, kind, text]));
}

beforeAll(() => {
  outside = enterPrivateHost();
});

beforeEach(() => {
  driver = newDriver();
});

afterEach(() => takeDown(driver, ['a', 'b', 'c'], [1, 2]));

test('containers of one open network reach each other, those of different networks do not', () => {
  driver.ensureNetwork(network(1));
  driver.ensureNetwork(network(2));
  const a = start(driver, endpoint('a', 1, 2));
  const b = start(driver, endpoint('b', 1, 3));
  const c = start(driver, endpoint('c', 2, 2));
  serve(b, 80);
  serve(c, 80);
  expect(reaches(a, '10.231.1.3', 80)).toBe(true);
  expect(blocked(a, '10.231.2.2', 80)).toBe(true);
  expect(blocked(c, '10.231.1.3', 80)).toBe(true);
});

test('another machine reaches published ports only, even with a route to the network', () => {
  driver.ensureNetwork(network(1));
  const a = start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED] }));
  serve(a, 80);
  serve(a, 81);
  inNetns(outside, () => shell(`ip route add 10.231.1.0/24 via ${HOST_ADDRESS}`));
  try {
    expect(reaches(outside, HOST_ADDRESS, 8080)).toBe(true);
    expect(blocked(outside, '10.231.1.2', 81)).toBe(true);
    expect(blocked(outside, '10.231.1.2', 80)).toBe(true);
  } finally {
    inNetns(outside, () => shell('ip route del 10.231.1.0/24'));
  }
});

test('a port published on 127.0.0.1 is closed to a neighbour that sends 127.0.0.1 over the wire', () => {
  driver.ensureNetwork(network(1));
  const a = start(driver, endpoint('a', 1, 2, { ports: [{ ...PUBLISHED, hostIp: '127.0.0.1' }] }));
  serve(a, 80);
  inNetns(outside, () => {
    shell('ip addr del 127.0.0.1/8 dev lo; echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet');
    shell(`ip route add 127.0.0.1/32 via ${HOST_ADDRESS} src ${OUTSIDE_ADDRESS}`);
  });
  try {
    expect(reaches(null, '127.0.0.1', 8080)).toBe(true);
    expect(blocked(outside, '127.0.0.1', 8080)).toBe(true);
  } finally {
    inNetns(outside, () => shell('ip route del 127.0.0.1/32; ip addr add 127.0.0.1/8 dev lo'));
  }
});

test("a container does not reach the host's loopback through the gateway", () => {
  driver.ensureNetwork(network(1));
  const a = start(driver, endpoint('a', 1, 2));
  serve(null, 70, '127.0.0.1');
  inNetns(a, () => {
    shell('ip addr del 127.0.0.1/8 dev lo; echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet');
    shell('ip route add 127.0.0.1/32 via 10.231.1.1 src 10.231.1.2');
  });
  expect(reaches(null, '127.0.0.1', 70)).toBe(true);
  expect(blocked(a, '127.0.0.1', 70)).toBe(true);
});

describe('without inter-container communication', () => {
  beforeEach(() => driver.ensureNetwork(network(1, { icc: false })));

  test('only linked traffic passes, in its direction and to its port', () => {
    const a = start(driver, endpoint('a', 1, 2));
    const b = start(driver, endpoint('b', 1, 3));
    for (const port of [80, 81]) serve(b, port);
    serve(a, 80);
    expect(blocked(a, '10.231.1.3', 80)).toBe(true);
    driver.attach(endpoint('a', 1, 2, { reach: [{ address: '10.231.1.3', port: 80, protocol: 'tcp' }] }));
    expect(reaches(a, '10.231.1.3', 80)).toBe(true);
    expect(blocked(a, '10.231.1.3', 81)).toBe(true);
    expect(blocked(b, '10.231.1.2', 80)).toBe(true);
    driver.attach(endpoint('a', 1, 2));
    expect(blocked(a, '10.231.1.3', 80)).toBe(true);
  });

  test('a container that gives itself a route to its neighbours still does not reach them', () => {
    const a = start(driver, endpoint('a', 1, 2));
    const b = start(driver, endpoint('b', 1, 3));
    serve(b, 80);
    inNetns(a, () => shell('ip route add 10.231.1.0/24 dev eth0'));
    expect(blocked(a, '10.231.1.3', 80)).toBe(true);
  });

  describe('a container that spoofs a linked one', () => {
    const REACH = [{ address: '10.231.1.3', port: 53, protocol: 'udp' }] as const;
    let [a, b, c] = [0, 0, 0];
    const heard: string[] = [];

    beforeEach(() => {
      heard.length = 0;
      a = start(driver, endpoint('a', 1, 2, { reach: REACH }));
      b = start(driver, endpoint('b', 1, 3));
      listenUdp(b, 53, (text) => heard.push(text));
    });

    /** What b has heard once the linked container was heard, which speaks last. */
    async function heardAfter(attack: () => void): Promise<string[]> {
      attack();
      send(a, 'udp', 'honest');
      await until('b hears the linked container', () => heard.includes('honest'));
      return heard;
    }

    test('by its address is dropped', async () => {
      c = start(driver, endpoint('c', 1, 4));
      expect(await heardAfter(() => send(c, 'raw', 'forged'))).toEqual(['honest']);
    });

    test('by its address and MAC is dropped and receives none of its traffic', async () => {
      c = start(driver, endpoint('c', 1, 4));
      expect(await heardAfter(() => send(c, 'frame', 'forged'))).toEqual(['honest']);
      expect(shell('bridge fdb show br tsdt1').match(/02:42:0a:e7:01:02 dev (\S+)/)?.[1]).toBe(
        `v${INSTANCE}${idOf('a').slice(0, 8)}`,
      );
    });

    test('by ARP has no effect', async () => {
      serve(a, 80);
      expect(reaches(null, '10.231.1.2', 80)).toBe(true);
      c = start(driver, endpoint('c', 1, 4));
      send(c, 'arp', '');
      expect(shell('ip neigh show 10.231.1.2')).toContain('02:42:0a:e7:01:02');
    });

    test('from another network is dropped', async () => {
      driver.ensureNetwork(network(2));
      c = start(driver, endpoint('c', 2, 2));
      expect(await heardAfter(() => send(c, 'raw', 'forged'))).toEqual(['honest']);
    });
  });

  test('a removed isolation rule is detected and restored', () => {
    for (const command of ['flush chain bridge', 'delete table bridge']) {
      start(driver, endpoint('a', 1, 2));
      expect(networkDrift()).toEqual([]);
      shell(`nft '${command} tsd-${INSTANCE}${command.startsWith('flush') ? ' fence' : ''}'`);
      expect(networkDrift()).toEqual(['bridge or rules']);
      driver.ensureNetwork(network(1, { icc: false }));
      expect(networkDrift()).toEqual([]);
    }
    driver.detach(idOf('a'));
    driver.removeNetwork('network/test/n1');
    expect(shell('nft list ruleset')).toBe('');
  });

  test('outgoing traffic and published ports work', () => {
    const a = start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED] }));
    serve(a, 80);
    serve(outside, 82);
    expect(reaches(a, OUTSIDE_ADDRESS, 82)).toBe(true);
    expect(reaches(outside, HOST_ADDRESS, 8080)).toBe(true);
  });

  test('is switched on and off for running containers', () => {
    const a = start(driver, endpoint('a', 1, 2));
    const b = start(driver, endpoint('b', 1, 3));
    serve(b, 80);
    for (const icc of [true, false, true]) {
      driver.ensureNetwork(network(1, { icc }));
      driver.attach(endpoint('a', 1, 2));
      driver.attach(endpoint('b', 1, 3));
      expect((icc ? reaches : blocked)(a, '10.231.1.3', 80)).toBe(true);
    }
  });
});

describe('an internal network', () => {
  beforeEach(() => driver.ensureNetwork(network(1, { internal: true })));

  test('has no outgoing traffic, not even with a route added inside', () => {
    const a = start(driver, endpoint('a', 1, 2));
    const b = start(driver, endpoint('b', 1, 3));
    serve(b, 80);
    serve(outside, 83);
    expect(reaches(a, '10.231.1.3', 80)).toBe(true);
    expect(blocked(a, OUTSIDE_ADDRESS, 83)).toBe(true);
    inNetns(a, () => shell('ip route add default via 10.231.1.1'));
    expect(blocked(a, OUTSIDE_ADDRESS, 83)).toBe(true);
  });

  test('does not reach ports published by other networks', () => {
    driver.ensureNetwork(network(2));
    const c = start(driver, endpoint('c', 2, 2, { ports: [PUBLISHED] }));
    serve(c, 80);
    const a = start(driver, endpoint('a', 1, 2));
    inNetns(a, () => shell('ip route add default via 10.231.1.1'));
    expect(reaches(outside, HOST_ADDRESS, 8080)).toBe(true);
    expect(blocked(a, HOST_ADDRESS, 8080)).toBe(true);
  });

  test('publishes no port', () => {
    // Of a name of its own: the kernel removes what other tests had in its own time.
    driver.createSandbox(idOf('e'));
    expect(() => driver.attach(endpoint('e', 1, 2, { ports: [PUBLISHED] }))).toThrow(/internal/);
    expect(driver.observe().endpoints.has(idOf('e'))).toBe(false);
  });
});
