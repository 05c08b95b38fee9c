import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Networks } from '../../../src/drivers/contract/network.ts';
import { syscall } from '../../../src/ffi/call/native.ts';
import { inNetns, namespaceIdentity } from '../../../src/ffi/process/namespaces.ts';
import { until } from '../../support/wait.ts';
import {
  blocked,
  endpoint,
  enterPrivateHost,
  HOST_ADDRESS,
  INSTANCE,
  idOf,
  network,
  newDriver,
  PUBLISHED,
  reaches,
  serve,
  shell,
  start,
  stopServers,
  strayLinks,
} from './private-host.ts';

const VETH = `v${INSTANCE}${idOf('a').slice(0, 8)}`;
const TABLE = `tsd-${INSTANCE}`;

let driver: Networks;
let children: ChildProcess[] = [];

beforeAll(() => {
  enterPrivateHost();
});

beforeEach(() => {
  driver = newDriver();
});

afterEach(async () => {
  stopServers();
  for (const child of children) child.kill('SIGKILL');
  children = [];
  for (const name of ['a', 'b']) driver.detach(idOf(name));
  for (const key of driver.observe().networks.keys()) driver.removeNetwork(key);
  driver.removeNetwork('network/test/n1');
  driver.close();
  await until('no interface is left', () => strayLinks().length === 0);
  expect(shell('nft list ruleset')).toBe('');
});

/** A process in a namespace of ours, like a payload. */
function payload(netnsFd: number): number {
  const child = inNetns(netnsFd, () => spawn('sleep', ['1000'], { stdio: 'ignore' }));
  children.push(child);
  return child.pid as number;
}

/** A new descriptor of the namespace that a process is in. */
const netnsOf = (pid: number): number => openSync(`/proc/${pid}/ns/net`, 'r');

/** include/uapi/asm-generic/resource.h */
const RLIMIT_NOFILE = 7;

/** While this process may open nothing more. */
function withoutFreeDescriptors(work: () => void): void {
  const free = openSync('/dev/null', 'r');
  closeSync(free);
  // struct rlimit64: the limit that counts, and how far it may be raised.
  const before = Buffer.alloc(64);
  syscall('read the limit', 'prlimit64', 0, RLIMIT_NOFILE, 0, before);
  const none = Buffer.from(before);
  none.writeBigUInt64LE(BigInt(free));
  syscall('set the limit', 'prlimit64', 0, RLIMIT_NOFILE, none, 0);
  try {
    work();
  } finally {
    syscall('set the limit back', 'prlimit64', 0, RLIMIT_NOFILE, before, 0);
  }
}

describe('observe', () => {
  test('an untouched host shows no objects and no problems', () => {
    expect(driver.observe()).toEqual({ networks: new Map(), endpoints: new Map() });
  });

  test('bridges, endpoints and ports match what was attached', () => {
    driver.ensureNetwork(network(1));
    start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED] }));
    const seen = driver.observe();
    expect(seen.networks).toEqual(new Map([['network/test/n1', { found: true, drift: [] }]]));
    expect([...seen.endpoints.values()]).toEqual([
      [{ containerId: idOf('a'), network: 'network/test/n1', connected: true, drift: [], ports: [PUBLISHED] }],
    ]);
  });

  test('a detached endpoint disappears at once', () => {
    driver.ensureNetwork(network(1));
    start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED] }));
    driver.detach(idOf('a'));
    expect(driver.observe().endpoints.size).toBe(0);
  });

  test('a detached endpoint whose namespace is still open shows as an orphan and can be detached again', () => {
    driver.ensureNetwork(network(1));
    payload(start(driver, endpoint('a', 1, 2)));
    driver.detach(idOf('a'));
    driver.observe();
    expect([...driver.observe().endpoints.keys()]).toEqual([idOf('a')]);
    driver.detach(idOf('a'));
    expect(strayLinks()).toEqual(['tsdt1']);
  });
});

test('neither end of a veth pair has an IPv6 address, so containers cannot bypass isolation', () => {
  driver.ensureNetwork(network(1));
  const netnsFd = start(driver, endpoint('a', 1, 2));
  const addresses = (link: string) => shell(`ip -6 -oneline address show dev ${link}`);
  expect(addresses(VETH)).toBe('');
  expect(inNetns(netnsFd, () => addresses('eth0'))).toBe('');
});

test.each([576, 1279, 1280])('a network with an MTU of %d works, also where that leaves no IPv6', (mtu) => {
  driver.ensureNetwork(network(1, { mtu }));
  start(driver, endpoint('a', 1, 2));
  driver.ensureNetwork(network(1));
  driver.attach(endpoint('a', 1, 2));
  expect(driver.observe().endpoints.get(idOf('a'))?.[0]).toMatchObject({ connected: true, drift: [] });
});

describe('an observe after others without a change', () => {
  const seen = () => driver.observe().endpoints;

  beforeEach(() => {
    driver.ensureNetwork(network(1));
    start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED] }));
    start(driver, endpoint('b', 1, 3));
    for (let looks = 0; looks < 3; looks++) driver.observe();
  });

  test('sees the same', () => {
    const before = seen();
    expect(seen()).toBe(before);
    expect(before.size).toBe(2);
  });

  test('sees a change inside one namespace and keeps the others', () => {
    const other = seen().get(idOf('b'));
    inNetns(driver.sandbox(idOf('a'))?.netnsFd as number, () => shell('ip route delete default'));
    expect(seen().get(idOf('a'))?.[0]?.drift).toEqual(['default route missing']);
    expect(seen().get(idOf('b'))).toBe(other);
  });

  test('sees the findings of a failed observe', () => {
    inNetns(driver.sandbox(idOf('a'))?.netnsFd as number, () => shell('ip address delete 10.231.1.2/24 dev eth0'));
    // Addresses are asked for through a socket that is there, routes through new ones.
    withoutFreeDescriptors(() => expect(seen).toThrow(/EMFILE/));
    expect(seen().get(idOf('a'))?.[0]?.drift).toContain('address 10.231.1.2/24 missing');
  });

  test('sees ports that moved to another container, and a detached container', () => {
    driver.handOver(idOf('a'), endpoint('b', 1, 3, { ports: [PUBLISHED] }));
    expect(seen().get(idOf('a'))?.[0]?.ports).toEqual([]);
    expect(seen().get(idOf('b'))?.[0]?.ports).toEqual([PUBLISHED]);
    driver.detach(idOf('b'));
    expect([...seen().keys()]).toEqual([idOf('a')]);
  });
});

describe('repeating an operation', () => {
  test('changes nothing when the state is right', () => {
    driver.ensureNetwork(network(1));
    const netns = start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED] }));
    const inside = (): string => inNetns(netns, () => shell('ip -o -d link; ip -o addr; ip route'));
    const state = (): string =>
      `${shell('ip -o -d link; ip -o addr; nft list ruleset')}${inside()}`.replace(
        /_timer +[\d.]+|fdb_n_learned \d+| tentative/g,
        '',
      );
    const before = state();
    driver.ensureNetwork(network(1));
    driver.createSandbox(idOf('a'));
    driver.attach(endpoint('a', 1, 2, { ports: [PUBLISHED] }));
    expect(state()).toBe(before);
  });

  test('reports a bridge without a free port as full and leaves nothing behind', () => {
    driver.ensureNetwork(network(1));
    const { interfaceName } = network(1);
    const plug = `link add fill$i master ${interfaceName} group 77 type veth peer name peer$i`;
    shell(`i=0; while [ $i -lt 1023 ]; do echo "${plug}"; i=$((i+1)); done | ip -batch -`);
    driver.createSandbox(idOf('a'));
    expect(() => driver.attach(endpoint('a', 1, 2))).toThrow(
      /network test\/n1 is full: its bridge .* takes 1,023 interfaces/,
    );
    expect(driver.observe().endpoints.size).toBe(0);
    // All at once: one by one takes the kernel a minute.
    shell('ip link del group 77');
    driver.attach(endpoint('a', 1, 2));
    expect(driver.observe().endpoints.size).toBe(1);
  });

  test('changes address, ports and MTU in place', () => {
    driver.ensureNetwork(network(1));
    const netns = start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED] }));
    serve(netns, 80);
    driver.ensureNetwork(network(1, { mtu: 1400 }));
    driver.attach(endpoint('a', 1, 9, { ports: [{ ...PUBLISHED, hostPort: 8081 }] }));
    expect(blocked(null, HOST_ADDRESS, 8080)).toBe(true);
    expect(reaches(null, HOST_ADDRESS, 8081)).toBe(true);
    expect(inNetns(netns, () => shell('ip -o -4 addr show eth0'))).toMatch(/inet 10\.231\.1\.9\/24[^\n]*\n$/);
    expect(inNetns(netns, () => shell('ip link show eth0'))).toContain('mtu 1400');
  });

  test('succeeds in removing the absent', () => {
    driver.removeNetwork('network/test/n1');
    driver.detach(idOf('a'));
  });
});

const networkDrift = () => driver.observe().networks.get('network/test/n1')?.drift;

describe('drift is repaired', () => {
  let netns: number;
  const config = endpoint('a', 1, 2, { ports: [PUBLISHED] });

  beforeEach(() => {
    driver.ensureNetwork(network(1));
    netns = start(driver, config);
    serve(netns, 80);
  });

  function repair(): void {
    driver.ensureNetwork(network(1));
    driver.attach(config);
    expect(driver.observe().networks.get('network/test/n1')).toEqual({ found: true, drift: [] });
    expect(driver.observe().endpoints.get(idOf('a'))?.[0]).toMatchObject({
      connected: true,
      drift: [],
      ports: [PUBLISHED],
    });
    expect(reaches(null, HOST_ADDRESS, 8080)).toBe(true);
  }

  test('a deleted veth pair', () => {
    shell(`ip link del ${VETH}`);
    expect(driver.observe().endpoints.get(idOf('a'))?.[0]).toMatchObject({ connected: false, drift: ['veth missing'] });
    repair();
  });

  test('a veth pair that is down and out of its bridge', () => {
    shell(`ip link set ${VETH} nomaster down`);
    expect(driver.observe().endpoints.get(idOf('a'))?.[0]).toMatchObject({
      connected: true,
      drift: ['veth not on tsdt1', 'interface down'],
    });
    repair();
  });

  test('an interface that lost address and routes', () => {
    inNetns(netns, () => shell('ip addr flush dev eth0; ip link set eth0 down'));
    repair();
  });

  test("a container's interface that is down and lost its routes", () => {
    inNetns(netns, () => shell('ip link set eth0 down'));
    expect(driver.observe().endpoints.get(idOf('a'))?.[0]?.drift).toContain('interface down');
    repair();
    expect(inNetns(netns, () => shell('ip route show default'))).toContain('10.231.1.1');
  });

  test('forwarding that was switched off', () => {
    shell('echo 0 > /proc/sys/net/ipv4/ip_forward');
    expect(networkDrift()).toEqual(['bridge or rules']);
    repair();
    expect(shell('cat /proc/sys/net/ipv4/ip_forward')).toBe('1\n');
  });

  test('a flushed chain', () => {
    shell(`nft flush chain inet ${TABLE} forward`);
    expect(networkDrift()).toEqual(['bridge or rules']);
    repair();
  });

  test('a removed table', () => {
    shell(`nft delete table inet ${TABLE}`);
    expect(networkDrift()).toEqual(['bridge or rules']);
    expect(driver.observe().endpoints.get(idOf('a'))?.[0]?.ports).toEqual([]);
    repair();
  });

  test('an element that is gone, by the removal of its network', () => {
    shell(`nft delete element inet ${TABLE} subnets '{ 10.231.1.0/24 }'`);
    driver.removeNetwork('network/test/n1');
    expect(shell('nft list ruleset')).not.toContain('tsdt1');
  });

  test('a removed port, by attach alone', () => {
    shell(`nft delete element inet ${TABLE} ports_any '{ tcp . 8080 }'`);
    expect(driver.observe().endpoints.get(idOf('a'))?.[0]?.ports).toEqual([]);
    driver.attach(config);
    expect(reaches(null, HOST_ADDRESS, 8080)).toBe(true);
  });

  test('a removed bridge', () => {
    shell('ip link del tsdt1');
    expect(driver.observe().networks.get('network/test/n1')).toEqual({ found: false, drift: ['bridge or rules'] });
    repair();
  });

  test('a bridge that is down and has a foreign address instead of its own', () => {
    shell('ip addr flush dev tsdt1; ip addr add 10.231.77.1/24 dev tsdt1; ip link set tsdt1 down');
    expect(networkDrift()).toEqual(['bridge or rules']);
    repair();
    expect(shell('ip -o -4 addr show tsdt1')).toMatch(/inet 10\.231\.1\.1\/24[^\n]*\n$/);
  });
});

describe('a new supervisor', () => {
  test('holds the namespace of a container that goes on, and mends what ended with the first supervisor', () => {
    driver.ensureNetwork(network(1));
    const first = start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED] }));
    const identity = namespaceIdentity(first);
    const pid = payload(first);
    serve(first, 80);
    driver.close();
    driver = newDriver();
    expect(reaches(null, HOST_ADDRESS, 8080)).toBe(true);
    const adopted = driver.adoptSandbox(idOf('a'), netnsOf(pid));
    expect(namespaceIdentity(adopted.netnsFd)).toBe(identity);
    // The listener on [::1] ended with the first supervisor, so the port counts as drift until it is attached again.
    expect(driver.observe().endpoints.get(idOf('a'))?.[0]).toMatchObject({ connected: true, drift: [], ports: [] });
    driver.ensureNetwork(network(1));
    driver.resume(endpoint('a', 1, 2, { ports: [PUBLISHED] }));
    expect(driver.observe().endpoints.get(idOf('a'))?.[0]?.ports).toEqual([PUBLISHED]);
    expect(reaches(null, HOST_ADDRESS, 8080)).toBe(true);
  });

  test('keeps the sandbox that it has, and closes the descriptor that it has no use for', () => {
    const { netnsFd } = driver.createSandbox(idOf('a'));
    const second = netnsOf(payload(netnsFd));
    expect(driver.adoptSandbox(idOf('a'), second).netnsFd).toBe(netnsFd);
    expect(() => fstatSync(second)).toThrow(/EBADF/);
    const third = netnsOf(payload(netnsFd));
    expect(() => driver.adoptSandbox('../a', third)).toThrow();
    expect(() => fstatSync(third)).toThrow(/EBADF/);
  });

  test('keeps an existing veth pair, reports what is missing, and creates a lost pair', () => {
    driver.ensureNetwork(network(1));
    const first = start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED] }));
    const pid = payload(first);
    const index = () => shell(`ip -o link show ${VETH}`).split(':')[0];
    const before = index();
    shell(`ip link set ${VETH} down`);
    driver.close();
    driver = newDriver();
    driver.adoptSandbox(idOf('a'), netnsOf(pid));
    driver.ensureNetwork(network(1));
    driver.resume(endpoint('a', 1, 2, { ports: [PUBLISHED] }));
    expect(index()).toBe(before);
    expect(driver.observe().endpoints.get(idOf('a'))?.[0]).toMatchObject({
      connected: true,
      drift: ['interface down'],
      ports: [PUBLISHED],
    });
    shell(`ip link del ${VETH}`);
    driver.resume(endpoint('a', 1, 2, { ports: [PUBLISHED] }));
    expect(index()).not.toBe(before);
    expect(driver.observe().endpoints.get(idOf('a'))?.[0]).toMatchObject({
      connected: true,
      drift: [],
      ports: [PUBLISHED],
    });
  });

  test('observes unknown endpoints of its instance, attached to a bridge or not', () => {
    driver.ensureNetwork(network(1));
    const pid = payload(start(driver, endpoint('a', 1, 2)));
    driver.close();
    driver = newDriver();
    driver.adoptSandbox(idOf('a'), netnsOf(pid));
    expect(driver.observe().endpoints.get(idOf('a'))?.[0]).toMatchObject({ connected: true });
    shell(`ip link set ${VETH} nomaster`);
    expect(driver.observe().endpoints.get(idOf('a'))?.[0]).toMatchObject({ connected: true });
  });

  test('refuses the ports of unknown containers to others, not to themselves', () => {
    driver.ensureNetwork(network(1));
    const port = { ...PUBLISHED, hostIp: '127.0.0.1' };
    start(driver, endpoint('a', 1, 2, { ports: [port] }));
    const second = newDriver();
    try {
      expect(() => second.checkPort(port, null)).toThrow(/published by container/);
      expect(() => second.checkPort(port, idOf('b'))).toThrow(/published by container/);
      second.checkPort(port, idOf('a'));
    } finally {
      second.close();
    }
  });

  test('removes the objects of the first one by their observed keys', () => {
    driver.ensureNetwork(network(1));
    start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED] }));
    driver.close();
    driver = newDriver();
    for (const containerId of driver.observe().endpoints.keys()) driver.detach(containerId);
    for (const key of driver.observe().networks.keys()) driver.removeNetwork(key);
  });
});

describe('a foreign process', () => {
  test("'s interface of the same name is a conflict and stays", () => {
    shell('ip link add tsdt1 type bridge');
    try {
      expect(() => driver.ensureNetwork(network(1))).toThrow(/belongs not to this supervisor/);
    } finally {
      shell('ip link del tsdt1');
    }
  });

  test("'s subnet is a conflict", () => {
    const uplink = { destination: '198.51.100.0/24', gateway: null, link: 'uplink' };
    expect(driver.hostUse().routes).toContainEqual(uplink);
    const overlapping = { subnet: '198.51.100.128/25', gateway: '198.51.100.129' };
    expect(() => driver.ensureNetwork(network(1, overlapping))).toThrow(
      expect.objectContaining({ code: 'TSD_SUBNET_CONFLICT' }),
    );
    expect(strayLinks()).toEqual([]);
  });

  test("'s tables are left as they are", () => {
    shell('nft "add table ip mine; add chain ip mine x; add rule ip mine x counter accept; add table inet firewalld"');
    const before = shell('nft list ruleset');
    try {
      driver.ensureNetwork(network(1));
      start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED] }));
      driver.detach(idOf('a'));
      driver.removeNetwork('network/test/n1');
      expect(shell('nft list ruleset')).toBe(before);
    } finally {
      shell('nft "delete table ip mine; delete table inet firewalld"');
    }
  });
});

test('names and numbers that could inject commands are refused', () => {
  for (const changes of [
    { bridge: 'a" accept; #' },
    { bridge: 'sixteen-bytes-xx' },
    { subnet: '10.231.1.0/24; flush ruleset' },
    { gateway: '10.231.2.1' },
    { mtu: Number.NaN },
  ]) {
    expect(() => driver.ensureNetwork(network(1, changes))).toThrow();
  }
  driver.ensureNetwork(network(1));
  driver.createSandbox(idOf('a'));
  for (const changes of [
    { ipv4: '10.231.1.2 } ; flush ruleset' },
    { mac: 'no' },
    { ports: [{ ...PUBLISHED, hostIp: '0.0.0.0 . tcp' }] },
    { ports: [{ ...PUBLISHED, hostPort: 70000 }] },
    { reach: [{ address: 'x', port: 80, protocol: 'tcp' as const }] },
  ]) {
    expect(() => driver.attach(endpoint('a', 1, 2, changes))).toThrow();
  }
  expect(() => driver.createSandbox('../a')).toThrow();
  expect(driver.observe().endpoints.size).toBe(0);
});
