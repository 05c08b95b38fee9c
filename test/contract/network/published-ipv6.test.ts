/** Ports of containers that have IPv6, and ports of SCTP. */
import { execFileSync } from 'node:child_process';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Networks } from '../../../src/drivers/contract/network.ts';
import { syscall } from '../../../src/ffi/call/native.ts';
import { inNetns } from '../../../src/ffi/process/namespaces.ts';
import { arriving } from '../../support/frames.ts';
import {
  blocked,
  endpoint,
  endpoint6,
  enterPrivateHost,
  HOST_ADDRESS,
  idOf,
  network,
  network6,
  newDriver,
  PUBLISHED,
  reaches,
  serve,
  serveUdp,
  shell,
  sourceSeen,
  sourceSeenUdp,
  start,
  takeDown,
  udpClient,
} from './private-host.ts';

const CLONE_NEWNS = 0x20000;
const [HOST6, OUTSIDE6] = ['fd00:198:51::1', 'fd00:198:51::2'];
const A6 = 'fd00:231:0:1::2';

let outside: number;
let driver: Networks;

beforeAll(() => {
  outside = enterPrivateHost();
  shell(`ip addr add ${HOST6}/64 dev uplink nodad`);
  inNetns(outside, () => shell(`ip addr add ${OUTSIDE6}/64 dev wire nodad; ip route add fd00:231::/32 via ${HOST6}`));
});

beforeEach(() => {
  driver = newDriver();
});

afterEach(() => takeDown(driver, ['a', 'b'], [1]));

test('a port on every address is served in both families by the kernel, also without a supervisor', async () => {
  driver.ensureNetwork(network6(1));
  const a = start(driver, endpoint6('a', 1, 2, { ports: [PUBLISHED] }));
  serve(a, 80, '::');
  serve(a, 81, '::');
  expect(await sourceSeen(outside, HOST6, 8080)).toBe(OUTSIDE6);
  expect(await sourceSeen(null, HOST6, 8080)).not.toBe('');
  expect(await sourceSeen(null, '::1', 8080)).toBe('fd00:231:0:1::1');
  expect(driver.observe().endpoints.get(idOf('a'))?.[0]?.ports).toEqual([PUBLISHED]);
  expect(blocked(outside, A6, 80)).toBe(true);
  expect(blocked(outside, A6, 81)).toBe(true);
  driver.close();
  expect(await sourceSeen(outside, HOST6, 8080)).toBe(OUTSIDE6);
  driver = newDriver();
});

test('a port on one IPv6 address is served there only', async () => {
  driver.ensureNetwork(network6(1));
  const a = start(driver, endpoint6('a', 1, 2, { ports: [{ ...PUBLISHED, hostIp: 'FD00:198:51:0::1' }] }));
  serve(a, 80, '::');
  serve(a, 80);
  expect(await sourceSeen(outside, HOST6, 8080)).toBe(OUTSIDE6);
  expect(blocked(outside, HOST_ADDRESS, 8080)).toBe(true);
  expect(blocked(null, '::1', 8080)).toBe(true);
});

test('a container reaches its own published port at an IPv6 address of the host', async () => {
  driver.ensureNetwork(network6(1));
  const a = start(driver, endpoint6('a', 1, 2, { ports: [PUBLISHED, { ...PUBLISHED, protocol: 'udp' }] }));
  serve(a, 80, '::');
  serveUdp(a, 80, undefined, '::');
  expect(await sourceSeen(a, HOST6, 8080)).toBe('fd00:231:0:1::1');
  expect(await sourceSeenUdp(a, HOST6, 8080)).toBe('fd00:231:0:1::1');
});

test('in a routed network published ports are open at the address of the container, and the host has none', () => {
  driver.ensureNetwork(network6(1, { gatewayMode6: 'routed' }));
  const a = start(driver, endpoint6('a', 1, 2, { ports: [PUBLISHED] }));
  for (const port of [80, 81]) serve(a, port, '::');
  serve(a, 80);
  expect(reaches(outside, A6, 80)).toBe(true);
  expect(blocked(outside, A6, 81)).toBe(true);
  expect(blocked(outside, HOST6, 8080)).toBe(true);
  expect(reaches(outside, HOST_ADDRESS, 8080)).toBe(true);
});

test('a UDP client over IPv6 that never stops is heard by the next holder of the port', async () => {
  const UDP = { ...PUBLISHED, protocol: 'udp' } as const;
  driver.ensureNetwork(network6(1));
  const a = start(driver, endpoint6('a', 1, 2, { ports: [UDP] }));
  const b = start(driver, endpoint6('b', 1, 3));
  serveUdp(a, 80, 'a', '::');
  serveUdp(b, 80, 'b', '::');
  const client = udpClient(outside, HOST6, 8080);
  try {
    expect(await client.answer('a')).toBe('a');
    driver.handOver(idOf('a'), endpoint6('b', 1, 3, { ports: [UDP] }));
    expect(await client.answer('b')).toBe('b');
  } finally {
    client.close();
  }
});

/** Sends an INIT of SCTP, which nothing answers here: this kernel has no sockets of it. */
const INIT = `
import socket, struct, sys
def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8): crc = (crc >> 1) ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff
chunk = struct.pack('!BBHIIHHI', 1, 0, 20, 7, 65536, 1, 1, 7)
text = b'<' + sys.argv[3].encode() + b'>'
chunk = chunk[:2] + struct.pack('!H', 20 + 4 + len(text)) + chunk[4:] + struct.pack('!HH', 0xc000, 4 + len(text)) + text
chunk += bytes(-len(chunk) % 4)
def packet(check): return struct.pack('!HHI', 4000, int(sys.argv[2]), 0) + check + chunk
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 132)
s.sendto(packet(struct.pack('<I', crc32c(packet(bytes(4))))), (sys.argv[1], 0))
`;
const SCTP = { ...PUBLISHED, protocol: 'sctp' } as const;

test('a port of SCTP leads to the container, in the kernel', async () => {
  driver.ensureNetwork(network(1));
  driver.checkPort(SCTP, null);
  const a = start(driver, endpoint('a', 1, 2, { ports: [SCTP] }));
  const send = (port: number, text: string) =>
    inNetns(outside, () => execFileSync('python3', ['-c', INIT, HOST_ADDRESS, String(port), text]));
  const attack = (): void => {
    send(8081, 'unpublished');
    send(8080, 'published');
  };
  expect(await arriving(a, 'eth0', attack, 'published')).toEqual(['published']);
  expect(driver.observe().endpoints.get(idOf('a'))?.[0]?.ports).toEqual([SCTP]);
});

test('a port of SCTP that only a listener could serve is refused', () => {
  driver.ensureNetwork(network(1));
  driver.createSandbox(idOf('a'));
  expect(() => driver.attach(endpoint('a', 1, 2, { ports: [{ ...SCTP, hostIp: '::1' }] }))).toThrow(
    /SCTP needs the kernel's NAT/,
  );
  expect(driver.observe().endpoints.has(idOf('a'))).toBe(false);
});

test('a port of SCTP is refused where the kernel does not track it, and doctor says so', () => {
  const settings = '/proc/sys/net/netfilter';
  driver.ensureNetwork(network(1));
  driver.createSandbox(idOf('a'));
  const attached = endpoint('a', 1, 2, { ports: [SCTP] });
  const said = () => driver.driver('bridge').fingerprint().attributes['SCTP ports'];
  expect(said()).toBeUndefined();
  // As without CONFIG_NF_CT_PROTO_SCTP, in a mount namespace of this process.
  syscall('unshare', 'unshare', CLONE_NEWNS);
  shell(`mount --make-rprivate / && mount -t tmpfs tmpfs ${settings} && touch ${settings}/nf_conntrack_max`);
  try {
    expect(() => driver.attach(attached)).toThrow(
      '0.0.0.0:8080/sctp cannot be published: this kernel does not translate SCTP',
    );
    expect(said()).toMatch(/cannot be published/);
    expect(driver.observe().endpoints.has(idOf('a'))).toBe(false);
  } finally {
    shell(`umount ${settings}`);
  }
  driver.attach(attached);
  expect(driver.observe().endpoints.get(idOf('a'))?.[0]?.ports).toEqual([SCTP]);
});
