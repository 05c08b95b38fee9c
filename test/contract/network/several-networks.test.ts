/** A container on several bridges, changed while it runs. */
import { openSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import type { EndpointConfig, Networks } from '../../../src/drivers/contract/network.ts';
import { inNetns, openOwnNetns } from '../../../src/ffi/process/namespaces.ts';
import { until } from '../../support/wait.ts';
import {
  blocked,
  endpoint6,
  enterPrivateHost,
  HOST_ADDRESS,
  idOf,
  network,
  network6,
  newDriver,
  OUTSIDE_ADDRESS,
  PUBLISHED,
  reaches,
  serve,
  shell,
  sourceSeen,
  start,
  stopServers,
  strayLinks,
} from './private-host.ts';

let outside: number;
let driver: Networks;

beforeAll(() => {
  outside = enterPrivateHost();
});

beforeEach(() => {
  driver = newDriver();
  for (const n of [1, 2]) driver.ensureNetwork(network6(n));
});

afterEach(async () => {
  stopServers();
  driver.giveBack();
  driver.close();
  await until('no interface is left', () => strayLinks().length === 0);
});

/** Second endpoint of container `name`: eth1 on network 2, without a default route. */
const second = (name: string, host: number, changes: Partial<EndpointConfig> = {}): EndpointConfig =>
  endpoint6(name, 2, host, { interfaceName: 'eth1', defaultRoute: { ipv4: false, ipv6: false }, ...changes });

const seen = (name: string) => driver.observe().endpoints.get(idOf(name));

const ip = (netns: number, command: string): string => inNetns(netns, () => shell(`ip ${command}`));

test('each endpoint has its interface, addresses and view; peers are reached by their network', () => {
  const a = start(driver, endpoint6('a', 1, 2));
  driver.attach(second('a', 2));
  serve(start(driver, endpoint6('b', 1, 3)), 80);
  serve(start(driver, endpoint6('c', 2, 3)), 80);
  expect([reaches(a, '10.231.1.3', 80), reaches(a, '10.231.2.3', 80)]).toEqual([true, true]);
  expect(seen('a')).toEqual(
    [1, 2].map((n) => ({ containerId: idOf('a'), network: network(n).key, connected: true, drift: [], ports: [] })),
  );
  expect(ip(a, '-o address show eth1')).toMatch(/10\.231\.2\.2\/24(.|\n)*fd00:231:0:2::2\/64/);
  expect(ip(a, 'route show default')).toBe('default via 10.231.1.1 dev eth0 proto static \n');
  const names = driver.driver('bridge').connections;
  expect(names?.interfaces(idOf('a'), network(2).key).container).toBe('eth1');
  expect(names?.interfaces(idOf('a'), network(1).key).host).not.toBe(names?.interfaces(idOf('a'), network(2).key).host);
});

test('one network is disconnected while connections of the other go on', async () => {
  const a = start(driver, endpoint6('a', 1, 2));
  driver.attach(second('a', 2));
  const b = start(driver, endpoint6('b', 1, 3));
  serve(b, 80, '0.0.0.0');
  const answer = sourceSeen(a, '10.231.1.3', 80);
  driver.disconnect(idOf('a'), network(2).key, 'eth1');
  expect(await answer).toBe('10.231.1.2');
  expect(seen('a')).toEqual([expect.objectContaining({ network: network(1).key, connected: true, drift: [] })]);
  expect(ip(a, '-o link')).not.toContain('eth1');
  expect(ip(a, 'rule')).not.toContain('10.231.2.2');
  expect(ip(a, '-6 rule')).not.toContain('fd00:231:0:2::2');
  expect(shell('nft list ruleset')).not.toContain(`${idOf('a')}:eth1`);
  driver.disconnect(idOf('a'), network(2).key, 'eth1');
  driver.attach(second('a', 2));
  expect(seen('a')?.map(({ drift }) => drift)).toEqual([[], []]);
});

test('the first network is disconnected, and the other becomes the way out', () => {
  const a = start(driver, endpoint6('a', 1, 2));
  driver.attach(second('a', 2));
  driver.attach(second('a', 2, { defaultRoute: { ipv4: true, ipv6: true } }));
  driver.disconnect(idOf('a'), network(1).key, 'eth0');
  expect(ip(a, 'route show default')).toBe('default via 10.231.2.1 dev eth1 proto static \n');
  expect(ip(a, '-6 route show default')).toContain('default via fd00:231:0:2::1 dev eth1');
  expect(ip(a, 'rule')).not.toContain('10.231.2.2');
  serve(outside, 80);
  expect(reaches(a, OUTSIDE_ADDRESS, 80)).toBe(true);
  expect(seen('a')).toEqual([expect.objectContaining({ network: network(2).key, drift: [] })]);
});

test('the default route moves from one network to the other and back', () => {
  const a = start(driver, endpoint6('a', 1, 2));
  driver.attach(second('a', 2));
  for (const [first, other] of [
    [false, true],
    [true, false],
  ] as const) {
    const both = (is: boolean) => ({ defaultRoute: { ipv4: is, ipv6: is } });
    const gain = first ? endpoint6('a', 1, 2, both(true)) : second('a', 2, both(true));
    const lose = first ? second('a', 2, both(other)) : endpoint6('a', 1, 2, both(first));
    driver.attach(gain);
    driver.attach(lose);
    expect(ip(a, 'route show default')).toContain(`dev ${first ? 'eth0' : 'eth1'}`);
    expect(ip(a, '-6 route show default')).toContain(`dev ${first ? 'eth0' : 'eth1'}`);
    expect(ip(a, '-6 route show default').trim().split('\n')).toHaveLength(1);
    expect(seen('a')?.map(({ drift }) => drift)).toEqual([[], []]);
  }
});

test('a port published on one network answers where the default route goes by another, with rp_filter 1', () => {
  const a = start(driver, endpoint6('a', 1, 2, { ports: [PUBLISHED], defaultRoute: { ipv4: false, ipv6: false } }));
  driver.attach(second('a', 2, { defaultRoute: { ipv4: true, ipv6: true } }));
  serve(a, 80);
  shell('for at in all tsdt1 tsdt2; do echo 1 >/proc/sys/net/ipv4/conf/$at/rp_filter; done');
  onTestFinished(() => void shell('echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter'));
  expect(reaches(outside, HOST_ADDRESS, 8080)).toBe(true);
  // Without the rule answers leave by the other network, where nothing has that address.
  ip(a, 'rule del from 10.231.1.2');
  expect(blocked(outside, HOST_ADDRESS, 8080)).toBe(true);
});

test.each(['-4', '-6'])('a removed rule by source, or route of its table, is seen and put back: %s', async (family) => {
  const a = start(driver, endpoint6('a', 1, 2));
  driver.attach(second('a', 2));
  const attach = (): void => driver.attach(second('a', 2));
  const drift = () => seen('a')?.flatMap((one) => one.drift) ?? [];
  const own = family === '-4' ? '10.231.2.2' : 'fd00:231:0:2::2';
  const table = /lookup (\d{6,})/.exec(ip(a, `${family} rule`))?.[1];
  await until('nothing missing', () => drift().length === 0);
  for (const [lost, text] of [
    [`rule del from ${own}`, `rule of what comes from ${own} missing`],
    [`route del default table ${table}`, `route to ${family === '-4' ? '0.0.0.0' : '::'}/0 of its own address missing`],
  ] as const) {
    ip(a, `${family} ${lost}`);
    expect(drift()).toEqual([text]);
    attach();
    await until(`${lost} healed`, () => drift().length === 0);
  }
  expect(ip(a, `${family} rule`)).toContain(`from ${own} lookup ${table}`);
  expect(ip(a, `${family} route show table ${table}`)).toContain('default via');
});

test('an internal network stays one whatever else a container is on', () => {
  driver.ensureNetwork({ ...network6(3), internal: true });
  const a = start(driver, endpoint6('a', 3, 2, { defaultRoute: { ipv4: false, ipv6: false } }));
  serve(outside, 80);
  expect(blocked(a, OUTSIDE_ADDRESS, 80)).toBe(true);
  driver.attach(second('a', 2, { defaultRoute: { ipv4: true, ipv6: true } }));
  expect(reaches(a, OUTSIDE_ADDRESS, 80)).toBe(true);
  const internal = start(driver, endpoint6('b', 3, 3, { defaultRoute: { ipv4: false, ipv6: false } }));
  expect(blocked(internal, OUTSIDE_ADDRESS, 80)).toBe(true);
  expect(ip(a, 'rule')).not.toContain('10.231.3.2');
});

test('a port moves to the endpoint of another network', () => {
  const a = start(driver, endpoint6('a', 1, 2, { ports: [PUBLISHED] }));
  driver.attach(second('a', 2));
  serve(a, 80);
  driver.withdraw(idOf('a'));
  driver.attach(second('a', 2, { ports: [PUBLISHED] }));
  expect(seen('a')?.map(({ ports }) => ports)).toEqual([[], [PUBLISHED]]);
  expect(reaches(null, HOST_ADDRESS, 8080)).toBe(true);
  driver.createSandbox(idOf('b'));
  const b = start(driver, endpoint6('b', 1, 3));
  serve(b, 80);
  driver.handOver(idOf('a'), endpoint6('b', 1, 3, { ports: [PUBLISHED] }));
  expect([seen('a'), seen('b')].flat().map((one) => one?.ports.length)).toEqual([0, 0, 1]);
});

test('an endpoint gets another interface name, and keeps the place in its network', () => {
  const a = start(driver, endpoint6('a', 1, 2));
  driver.attach(second('a', 2));
  driver.attach(second('a', 2, { interfaceName: 'lan0' }));
  expect(ip(a, '-o link')).toMatch(/lan0@/);
  expect(ip(a, '-o link')).not.toMatch(/eth1@/);
  expect(seen('a')?.map(({ drift }) => drift)).toEqual([[], []]);
});

test('what an earlier supervisor left of all endpoints is found, resumed and removed', async () => {
  const a = start(driver, endpoint6('a', 1, 2));
  driver.attach(second('a', 2, { ports: [PUBLISHED] }));
  serve(a, 80);
  const before = shell('ip -o link | grep vabc123');
  const netns = inNetns(a, openOwnNetns);
  driver.close();
  const next = newDriver();
  driver = next;
  expect(
    next
      .observe()
      .endpoints.get(idOf('a'))
      ?.map(({ connected }) => connected),
  ).toEqual([true, true]);
  for (const n of [1, 2]) next.ensureNetwork(network6(n));
  next.adoptSandbox(idOf('a'), netns);
  next.resume(endpoint6('a', 1, 2));
  next.resume(second('a', 2, { ports: [PUBLISHED] }));
  expect(shell('ip -o link | grep vabc123')).toBe(before);
  const now = next.observe().endpoints.get(idOf('a'));
  expect(now?.map(({ network: on, drift, ports }) => ({ on, drift, ports }))).toEqual([
    { on: network(1).key, drift: [], ports: [] },
    { on: network(2).key, drift: [], ports: [PUBLISHED] },
  ]);
  stopServers();
  next.detach(idOf('a'));
  await until('both interfaces are gone', () => !shell('ip -o link').includes('vabc123'));
  expect(shell('nft list ruleset')).not.toContain(idOf('a'));
});

test('an orphan of which nothing is known is removed with all its endpoints', async () => {
  start(driver, endpoint6('a', 1, 2));
  driver.attach(second('a', 2));
  const next = newDriver();
  onTestFinished(() => next.close());
  next.detach(idOf('a'));
  expect(shell('ip -o link')).not.toContain('vabc123');
  expect(next.observe().endpoints.has(idOf('a'))).toBe(false);
});

test('a failed attach leaves the other network as it is', () => {
  const a = start(driver, endpoint6('a', 1, 2));
  expect(() => driver.attach(second('a', 2, { network: 'network/test/n9' }))).toThrow(/does not exist/);
  expect(() => driver.attach(second('a', 2, { ipv4: '10.231.9.2/24' }))).toThrow(/is not an address of/);
  expect(() => driver.attach(second('a', 2, { interfaceName: 'a/b' }))).toThrow(/is not an interface name/);
  expect(ip(a, '-o link')).not.toContain('eth1');
  expect(seen('a')).toEqual([expect.objectContaining({ network: network(1).key, drift: [] })]);
});

test('a network that this supervisor did not take over is disconnected all the same', () => {
  const a = start(driver, endpoint6('a', 1, 2));
  driver.attach(second('a', 2));
  const held = openSync(`/proc/self/fd/${a}`, 'r');
  driver.close();
  driver = newDriver();
  const { netnsFd } = driver.adoptSandbox(idOf('a'), held);
  driver.ensureNetwork(network6(1));
  driver.resume(endpoint6('a', 1, 2));
  driver.disconnect(idOf('a'), network(2).key, 'eth1');
  expect(ip(netnsFd, '-o link')).not.toContain('eth1');
  expect(shell('nft list ruleset')).not.toContain(`${idOf('a')}:eth1`);
  expect(seen('a')?.map(({ drift }) => drift)).toEqual([[]]);
});

test('disconnecting one of many containers changes no other', () => {
  for (const name of ['a', 'b', 'c']) {
    start(driver, endpoint6(name, 1, name.charCodeAt(0)));
    driver.attach(second(name, name.charCodeAt(0)));
  }
  const before = [seen('a'), seen('c')];
  driver.disconnect(idOf('b'), network(2).key, 'eth1');
  expect([seen('a'), seen('c')]).toEqual(before);
});

test('all interfaces are given back, except one of another program in their group and the bridge that it is plugged into', () => {
  start(driver, endpoint6('a', 1, 2));
  start(driver, endpoint6('b', 2, 2));
  const links = () => JSON.parse(shell('ip -j -d link')) as { ifname: string; group: string; linkinfo?: object }[];
  const [first, second] = [network6(1), network6(2)].map(({ interfaceName }) => interfaceName);
  const group = links().find(({ ifname }) => ifname === first)?.group;
  shell(`ip link add other type veth peer name another && ip link set other group ${group} master ${first}`);
  const left = () => links().flatMap(({ ifname, group: of }) => (of === group ? [ifname] : []));
  try {
    expect(driver.giveBack().join()).toContain(`bridge ${first} stays: other is plugged into it`);
    expect(left().sort()).toEqual(['other', first].sort());
    shell('ip link set other nomaster group default');
    driver.ensureNetwork(network6(2));
    expect(left()).toEqual([first, second]);
    driver.giveBack();
    expect(left()).toEqual([]);
  } finally {
    shell('ip link del other');
  }
});
