import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Networks, PublishedPort } from '../../../src/drivers/contract/network.ts';
import { readPortRange } from '../../../src/ffi/host/port-range.ts';
import { readSysinfo } from '../../../src/ffi/host/sysinfo.ts';
import { Conntrack } from '../../../src/ffi/network/conntrack.ts';
import { runDoctor } from '../../../src/supervisor/doctor/doctor.ts';
import { until } from '../../support/wait.ts';
import {
  blocked,
  endpoint,
  enterPrivateHost,
  HOST_ADDRESS,
  idOf,
  network,
  newDriver,
  OUTSIDE_ADDRESS,
  PUBLISHED,
  reaches,
  serve,
  serveUdp,
  shell,
  sourceSeen,
  sourceSeenUdp,
  start,
  stopServers,
  takeDown,
  udpClient,
} from './private-host.ts';

const inUse = expect.objectContaining({ code: 'TSD_PORT_IN_USE' });

let outside: number;
let driver: Networks;

beforeAll(() => {
  outside = enterPrivateHost();
});

beforeEach(() => {
  driver = newDriver();
  driver.ensureNetwork(network(1));
});

afterEach(() => takeDown(driver, ['a', 'b'], [1]));

describe('checkPort', () => {
  test('a free port passes, again and again', () => {
    for (const hostIp of ['0.0.0.0', '127.0.0.1', HOST_ADDRESS, '::', '::1']) {
      for (const protocol of ['tcp', 'udp'] as const) driver.checkPort({ ...PUBLISHED, hostIp, protocol }, null);
    }
  });

  test('names the program that listens', () => {
    serve(null, 8080, '127.0.0.1');
    const self = `${shell(`cat /proc/${process.pid}/comm`).trim()} (pid ${process.pid})`;
    expect(() => driver.checkPort(PUBLISHED, null)).toThrow(inUse);
    expect(() => driver.checkPort(PUBLISHED, null)).toThrow(`host port 0.0.0.0:8080/tcp is in use by ${self}`);
    driver.checkPort({ ...PUBLISHED, protocol: 'udp' }, null);
    driver.checkPort({ ...PUBLISHED, hostIp: HOST_ADDRESS }, null);
  });

  test('a listener on IPv6 only conflicts with a port on every address', () => {
    serve(null, 8080, '::1');
    expect(() => driver.checkPort(PUBLISHED, null)).toThrow(/\[::\]:8080\/tcp is in use/);
    driver.checkPort({ ...PUBLISHED, hostIp: '127.0.0.1' }, null);
  });

  test('closing connections are no conflict', async () => {
    serve(null, 8080);
    await sourceSeen(null, '127.0.0.1', 8080);
    stopServers();
    expect(shell('cat /proc/net/tcp')).toMatch(/0100007F:1F90/);
    driver.checkPort(PUBLISHED, null);
  });

  test('an address that the host does not have is reported as such', () => {
    expect(() => driver.checkPort({ ...PUBLISHED, hostIp: '203.0.113.7' }, null)).toThrow(
      'no interface of this host has the address 203.0.113.7',
    );
  });

  test('a port on all addresses and one on one address exclude each other, in both families', () => {
    const one = ['127.0.0.1', HOST_ADDRESS, '::', '::1'];
    start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED] }));
    for (const hostIp of one) expect(() => driver.checkPort({ ...PUBLISHED, hostIp }, null), hostIp).toThrow(inUse);
    driver.detach(idOf('a'));
    for (const [index, hostIp] of one.entries()) {
      const name = `p${index} one`;
      start(driver, endpoint(name, 1, 10 + index, { ports: [{ ...PUBLISHED, hostIp }] }));
      expect(() => driver.checkPort(PUBLISHED, null), hostIp).toThrow(inUse);
      driver.detach(idOf(name));
    }
    driver.checkPort(PUBLISHED, null);
  });

  test('a port of another container is in use', () => {
    start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED] }));
    expect(() => driver.checkPort(PUBLISHED, null)).toThrow(/published by container 61000000000/);
    expect(() => driver.checkPort({ ...PUBLISHED, hostIp: '127.0.0.1' }, null)).toThrow(inUse);
    driver.detach(idOf('a'));
    driver.checkPort(PUBLISHED, null);
  });
});

test('automatic ports are those that the kernel gives to programs, without the reserved ones', () => {
  const settings = '/proc/sys/net/ipv4';
  const names = ['ip_local_port_range', 'ip_local_reserved_ports'];
  const before = names.map((name) => readFileSync(`${settings}/${name}`, 'utf8'));
  try {
    shell(`echo '41000 41999' >${settings}/${names[0]}; echo '41001,41500-41502' >${settings}/${names[1]}`);
    expect(readPortRange()).toEqual({ first: 41000, last: 41999, reserved: new Set([41001, 41500, 41501, 41502]) });
  } finally {
    for (const [index, name] of names.entries()) writeFileSync(`${settings}/${name}`, before[index] ?? '');
  }
});

describe('attach', () => {
  test('refuses the port of another container and leaves nothing behind', () => {
    const a = start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED] }));
    serve(a, 80);
    driver.createSandbox(idOf('b'));
    const clash = endpoint('b', 1, 3, { ports: [{ ...PUBLISHED, hostPort: 9090 }, PUBLISHED] });
    expect(() => driver.attach(clash)).toThrow(inUse);
    expect([...driver.observe().endpoints.keys()]).toEqual([idOf('a')]);
    expect(reaches(null, HOST_ADDRESS, 8080)).toBe(true);
    driver.checkPort({ ...PUBLISHED, hostPort: 9090 }, null);
  });

  test('a port in use on [::] undoes the whole attach', () => {
    serve(null, 8080, '::');
    driver.createSandbox(idOf('a'));
    const config = endpoint('a', 1, 2, { ports: [{ ...PUBLISHED, hostPort: 9090 }, PUBLISHED] });
    expect(() => driver.attach(config)).toThrow(inUse);
    expect(driver.observe().endpoints.size).toBe(0);
    driver.checkPort({ ...PUBLISHED, hostPort: 9090 }, null);
  });

  test('a port moves from one running container to another', async () => {
    const a = start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED] }));
    const b = start(driver, endpoint('b', 1, 3));
    serve(a, 80);
    driver.attach(endpoint('a', 1, 2));
    driver.attach(endpoint('b', 1, 3, { ports: [PUBLISHED] }));
    expect(blocked(outside, HOST_ADDRESS, 8080)).toBe(true);
    serve(b, 80);
    expect(await sourceSeen(outside, HOST_ADDRESS, 8080)).toBe('198.51.100.2');
    expect(await sourceSeen(null, '::1', 8080)).toBe('10.231.1.1');
  });

  test('one port of a running container is given up, and the others stay', async () => {
    const kept = [
      { ...PUBLISHED, hostPort: 9090 },
      { ...PUBLISHED, protocol: 'udp' },
    ] as const;
    const a = start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED, ...kept] }));
    serve(a, 80);
    serveUdp(a, 80);
    driver.withdraw(idOf('a'), [{ hostPort: 8080, protocol: 'tcp' }]);
    expect(blocked(outside, HOST_ADDRESS, 8080)).toBe(true);
    expect(blocked(null, '::1', 8080)).toBe(true);
    expect(await sourceSeen(outside, HOST_ADDRESS, 9090)).toBe('198.51.100.2');
    expect(await sourceSeen(null, '::1', 9090)).toBe('10.231.1.1');
    expect(await sourceSeenUdp(outside, HOST_ADDRESS, 8080)).toBe('198.51.100.2');
    const [seen] = driver.observe().endpoints.get(idOf('a')) ?? [];
    expect(seen?.ports).toEqual(kept);
    const b = start(driver, endpoint('b', 1, 3, { ports: [PUBLISHED] }));
    serve(b, 80);
    expect(await sourceSeen(outside, HOST_ADDRESS, 8080)).toBe('198.51.100.2');
  });

  test('the relay follows a changed container port', async () => {
    const a = start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED] }));
    driver.attach(endpoint('a', 1, 2, { ports: [{ ...PUBLISHED, containerPort: 81 }] }));
    serve(a, 81);
    expect(await sourceSeen(null, '::1', 8080)).toBe('10.231.1.1');
    expect(await sourceSeen(null, '127.0.0.1', 8080)).toBe('10.231.1.1');
  });

  test('one port on all addresses, said once for each family, is published once', async () => {
    const ports = [PUBLISHED, { ...PUBLISHED, hostIp: '::' }];
    const a = start(driver, endpoint('a', 1, 2, { ports }));
    serve(a, 80);
    expect(driver.observe().endpoints.get(idOf('a'))?.[0]?.ports).toEqual(ports);
    expect(await sourceSeen(null, '::1', 8080)).toBe('10.231.1.1');
    expect(reaches(outside, HOST_ADDRESS, 8080)).toBe(true);
    driver.attach(endpoint('a', 1, 2));
    driver.checkPort(PUBLISHED, null);
  });

  test('the same port for tcp and udp and on two addresses', async () => {
    const ports: PublishedPort[] = [
      { ...PUBLISHED, hostIp: '127.0.0.1' },
      { ...PUBLISHED, hostIp: HOST_ADDRESS, containerPort: 81 },
      { ...PUBLISHED, protocol: 'udp' },
    ];
    const a = start(driver, endpoint('a', 1, 2, { ports }));
    serve(a, 80);
    serve(a, 81);
    serveUdp(a, 80);
    expect(driver.observe().endpoints.get(idOf('a'))?.[0]?.ports).toEqual(ports);
    expect(await sourceSeen(null, '127.0.0.1', 8080)).toBe('10.231.1.1');
    expect(await sourceSeen(null, HOST_ADDRESS, 8080)).toBe(HOST_ADDRESS);
    expect(await sourceSeenUdp(null, HOST_ADDRESS, 8080)).toBe(HOST_ADDRESS);
  });
});

test('a large answer passes the relay completely', async () => {
  const size = 8 * 1024 * 1024;
  const a = start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED] }));
  expect(a).toBeGreaterThan(0);
  serve(a, 80, '0.0.0.0', Buffer.alloc(size, 'x'));
  expect((await sourceSeen(null, '::1', 8080)).length).toBe(size);
});

describe('without rules', () => {
  beforeEach(() => {
    driver.removeNetwork('network/test/n1');
    driver.close();
    driver = newDriver({ iptables: false });
    driver.ensureNetwork(network(1));
  });

  test('listeners publish the ports and no table is created', async () => {
    const a = start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED] }));
    serve(a, 80);
    expect(await sourceSeen(outside, HOST_ADDRESS, 8080)).toBe('10.231.1.1');
    expect(await sourceSeen(null, '127.0.0.1', 8080)).toBe('10.231.1.1');
    expect(await sourceSeen(null, '::1', 8080)).toBe('10.231.1.1');
    expect(shell('nft list ruleset')).toBe('');
    expect(driver.observe().endpoints.get(idOf('a'))?.[0]?.ports).toEqual([PUBLISHED]);
    driver.detach(idOf('a'));
    expect(blocked(outside, HOST_ADDRESS, 8080)).toBe(true);
  });
});

test('forwarding is switched on only where that is allowed', () => {
  const forwarding = '/proc/sys/net/ipv4/ip_forward';
  const strict = newDriver({ ipForward: false });
  try {
    expect(strict.driver('bridge').fingerprint().problems).toEqual([]);
    expect(strict.driver('bridge').fingerprint().attributes['published ports']).toMatch(/::1 by a relay/);
    shell(`echo 0 > ${forwarding}`);
    expect(runDoctor('/', readSysinfo(), [driver.drivers]).find(({ name }) => name === 'forwarding')).toMatchObject({
      status: 'warning',
      message: expect.stringContaining('the host then routes between its other interfaces too'),
    });
    expect(strict.driver('bridge').fingerprint()).toMatchObject({
      works: true,
      attributes: { forwarding: 'off and left so (--ip-forward=false)' },
    });
    strict.ensureNetwork(network(1));
    expect(strict.observe().networks.get('network/test/n1')?.drift).toEqual([]);
    expect(shell(`cat ${forwarding}`)).toBe('0\n');
    driver.ensureNetwork(network(1));
    expect(shell(`cat ${forwarding}`)).toBe('1\n');
  } finally {
    strict.close();
  }
});

describe('a UDP client that keeps sending', () => {
  const UDP: PublishedPort = { hostIp: '0.0.0.0', hostPort: 5353, containerPort: 53, protocol: 'udp' };
  let table: Conntrack;
  let client: ReturnType<typeof udpClient>;

  beforeEach(() => {
    table = new Conntrack();
    client = udpClient(outside, HOST_ADDRESS, UDP.hostPort);
  });

  afterEach(() => {
    client.close();
    table.close();
  });

  const flows = (): string[] =>
    table.udpFlowsTo(new Set([UDP.hostPort]), 'ipv4').map(({ answeredBy }) => answeredBy.address);

  test('before the port is published is answered once it is', async () => {
    await until('the kernel remembers the client', () => flows().includes(HOST_ADDRESS));
    const a = start(driver, endpoint('a', 1, 2, { ports: [UDP] }));
    serveUdp(a, UDP.containerPort);
    expect(await client.answer()).toBe(OUTSIDE_ADDRESS);
  });

  test('does not reach a new container with the address of a removed one', async () => {
    const a = start(driver, endpoint('a', 1, 2, { ports: [UDP] }));
    serveUdp(a, UDP.containerPort);
    await client.answer();
    expect(flows()).toEqual(['10.231.1.2']);
    driver.detach(idOf('a'));
    serveUdp(start(driver, endpoint('b', 1, 2)), UDP.containerPort);
    await until('conntrack has a new entry for the client', () => flows().length > 0);
    expect(flows()).toEqual([HOST_ADDRESS]);
  });

  test('reaches the successor that the port is handed over to, and the container port that it is changed to', async () => {
    serveUdp(start(driver, endpoint('a', 1, 2, { ports: [UDP] })), UDP.containerPort, 'a');
    const { netnsFd } = driver.createSandbox(idOf('b'));
    serveUdp(netnsFd, UDP.containerPort, 'b');
    serveUdp(netnsFd, 54, 'b, 54');
    await client.answer('a');
    driver.handOver(idOf('a'), endpoint('b', 1, 3, { ports: [UDP] }));
    await client.answer('b');
    driver.attach(endpoint('b', 1, 3, { ports: [{ ...UDP, containerPort: 54 }] }));
    await client.answer('b, 54');
  });

  test('keeps its flow while other ports come and go', async () => {
    serveUdp(start(driver, endpoint('a', 1, 2, { ports: [UDP] })), UDP.containerPort);
    await client.answer();
    const ids = (): string[] => table.udpFlowsTo(new Set([UDP.hostPort]), 'ipv4').map(({ key }) => key.toString('hex'));
    const before = ids();
    driver.attach(endpoint('a', 1, 2, { ports: [UDP, { ...UDP, hostPort: 5354 }] }));
    driver.attach(endpoint('a', 1, 2, { ports: [UDP] }));
    expect(ids()).toEqual(before);
  });
});

test('a client that disconnects does not end the relay', async () => {
  const a = start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED] }));
  // Nothing listens in the container: the connection is accepted here and then ended.
  await expect(sourceSeen(null, '::1', 8080)).resolves.toBe('');
  serve(a, 80);
  expect(await sourceSeen(null, '::1', 8080)).toBe('10.231.1.1');
});
