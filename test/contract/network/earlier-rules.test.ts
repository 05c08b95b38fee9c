/** Containers that run by the rules of an earlier version, which a new supervisor takes over. */
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Networks } from '../../../src/drivers/contract/network.ts';
import { bindSocket } from '../../../src/drivers/network/bound-socket.ts';
import { inNetns } from '../../../src/ffi/process/namespaces.ts';
import { arriving, sendFrames, udpFrame } from '../../support/frames.ts';
import {
  blocked,
  endpoint,
  enterPrivateHost,
  HOST_ADDRESS,
  INSTANCE,
  idOf,
  network,
  newDriver,
  OUTSIDE_ADDRESS,
  PUBLISHED,
  reaches,
  serve,
  shell,
  start,
  stopServers,
  takeDown,
} from './private-host.ts';

const TABLE = `tsd-${INSTANCE}`;

/** Version 2 of the rules, of two networks, the second without inter-container communication. */
const EARLIER = `
table ip ${TABLE} {
  comment "tsd:${INSTANCE}:firewall:2"
  set bridges { type ifname; elements = { "tsdt1" comment "tsd:${INSTANCE}:network:tsdt1", "tsdt2" comment "tsd:${INSTANCE}:network:tsdt2" }; }
  set open { type ifname . ifname; elements = { "tsdt1" . "tsdt1" comment "tsd:${INSTANCE}:network:tsdt1" }; }
  set internal { type ifname; }
  set subnets { type ipv4_addr; flags interval; elements = { 10.231.1.0/24 comment "tsd:${INSTANCE}:network:tsdt1", 10.231.2.0/24 comment "tsd:${INSTANCE}:network:tsdt2" }; }
  set outbound { type ipv4_addr; flags interval; elements = { 10.231.1.0/24 comment "tsd:${INSTANCE}:network:tsdt1", 10.231.2.0/24 comment "tsd:${INSTANCE}:network:tsdt2" }; }
  set userland { type inet_proto . inet_service; }
  set reach { type ifname . ipv4_addr . ipv4_addr . inet_proto . inet_service; }
  map ports { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
  map ports_any { type inet_proto . inet_service : ipv4_addr . inet_service; elements = { tcp . 8080 comment "tsd:${INSTANCE}:endpoint:${idOf('a')}" : 10.231.1.2 . 80 }; }
  chain guard {
    type filter hook prerouting priority raw; policy accept;
    iifname @bridges ip daddr 127.0.0.0/8 drop
    iifname @bridges ip saddr 127.0.0.0/8 drop
  }
  chain publish {
    dnat to ip daddr . meta l4proto . th dport map @ports
    dnat to meta l4proto . th dport map @ports_any
  }
  chain prerouting { type nat hook prerouting priority dstnat; policy accept; ip daddr != 127.0.0.0/8 fib daddr type local jump publish; }
  chain output {
    type nat hook output priority dstnat; policy accept;
    ip daddr 127.0.0.0/8 meta l4proto . th dport @userland return
    fib daddr type local jump publish
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname @bridges ip saddr 127.0.0.0/8 ct status dnat masquerade
    oifname @bridges ip saddr @subnets ct status dnat masquerade
    oifname != @bridges ip saddr @outbound masquerade
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname != @bridges oifname != @bridges accept
    ct state established,related accept
    iifname . oifname @open accept
    iifname . ip saddr . ip daddr . meta l4proto . th dport @reach accept
    iifname @internal drop
    oifname @internal drop
    ct status dnat accept
    oifname @bridges drop
  }
}
table bridge ${TABLE} {
  comment "tsd:${INSTANCE}:firewall:2"
  set fenced { type ifname; elements = { "v${INSTANCE}${idOf('c').slice(0, 8)}" comment "tsd:${INSTANCE}:endpoint:${idOf('c')}" }; }
  set leased { type ifname . ether_addr . ipv4_addr; elements = { "v${INSTANCE}${idOf('c').slice(0, 8)}" . 02:42:0a:e7:02:02 . 10.231.2.2 comment "tsd:${INSTANCE}:endpoint:${idOf('c')}" }; }
  chain fence {
    type filter hook prerouting priority -300; policy accept;
    iifname != @fenced accept
    ether type ip iifname . ether saddr . ip saddr @leased accept
    ether type arp iifname . ether saddr . arp saddr ip @leased iifname . arp saddr ether . arp saddr ip @leased accept
    drop
  }
}`;

const [A, B, C] = [endpoint('a', 1, 2, { ports: [PUBLISHED] }), endpoint('b', 1, 3), endpoint('c', 2, 2)];
const closed = network(2, { icc: false });

let outside: number;
let driver: Networks;
let [a, b, c] = [0, 0, 0];

beforeAll(() => {
  outside = enterPrivateHost();
});

beforeEach(() => {
  driver = newDriver();
  driver.ensureNetwork(network(1));
  driver.ensureNetwork(closed);
  [a, b, c] = [A, B, C].map((config) => start(driver, config)) as [number, number, number];
  shell(`nft delete table inet ${TABLE}; nft delete table bridge ${TABLE}`);
  shell(`nft -f - <<'END'\n${EARLIER}\nEND`);
});

afterEach(() => takeDown(driver, ['a', 'b', 'c'], [1, 2]));

/** Another supervisor in the place of the one before. */
function takeOver(): void {
  const held = [a, b, c].map((fd) => openSync(`/proc/self/fd/${fd}`, 'r'));
  driver.close();
  driver = newDriver();
  [a, b, c] = [A, B, C].map(
    ({ containerId }, index) => driver.adoptSandbox(containerId, held[index] as number).netnsFd,
  ) as [number, number, number];
  driver.ensureNetwork(network(1));
  driver.ensureNetwork(closed);
  for (const config of [A, B, C]) driver.resume(config);
}

const marked = (set: string): string => shell(`nft list set bridge ${TABLE} ${set}`);
const forged = (ip: string, text: string): Buffer =>
  udpFrame({ from: '02:42:0a:e7:01:03', to: '02:42:0a:e7:01:02' }, { from: ip, to: '10.231.1.2' }, 53, text);

test('the rules are replaced, and connections of both ways go on', async () => {
  const fd = inNetns(a, () => bindSocket({ address: '0.0.0.0', port: 80, protocol: 'tcp' }));
  const server = createServer((socket) => socket.pipe(socket)).listen({ fd });
  serve(outside, 81);
  const client = connect({ host: HOST_ADDRESS, port: 8080 });
  const says = async (text: string): Promise<string> => {
    client.write(text);
    const [data] = (await once(client, 'data')) as [Buffer];
    return data.toString();
  };
  try {
    expect(await says('before')).toBe('before');
    takeOver();
    expect(await says('after')).toBe('after');
  } finally {
    client.destroy();
    server.close();
  }
  expect(shell('nft list tables').trim().split('\n').sort()).toEqual([`table bridge ${TABLE}`, `table inet ${TABLE}`]);
  for (const netns of [a, b, c]) expect(reaches(netns, OUTSIDE_ADDRESS, 81)).toBe(true);
  expect(driver.observe().networks.get(network(1).key)?.drift).toEqual([]);
  expect(driver.observe().networks.get(closed.key)?.drift).toEqual([]);
  expect(driver.observe().endpoints.get(idOf('a'))?.[0]?.ports).toEqual([PUBLISHED]);
});

test('a container without a fence has one from its next start on, whoever restarts the supervisor meanwhile', async () => {
  takeOver();
  takeOver();
  expect(marked('unfenced')).toContain(`v${INSTANCE}${idOf('b').slice(0, 8)}`);
  expect(marked('fenced')).not.toContain(`v${INSTANCE}${idOf('b').slice(0, 8)}`);
  expect(marked('fenced')).toContain(`v${INSTANCE}${idOf('c').slice(0, 8)}`);
  const send = (): void =>
    sendFrames(b, 'eth0', forged('10.231.1.9', 'own second address'), forged('10.231.1.3', 'end'));
  expect(await arriving(a, 'eth0', send, 'end')).toEqual(['own second address', 'end']);
  driver.detach(B.containerId);
  b = start(driver, B);
  expect(marked('unfenced')).not.toContain(`v${INSTANCE}${idOf('b').slice(0, 8)}`);
  expect(await arriving(a, 'eth0', send, 'end')).toEqual(['end']);
});

test('a container that is attached for its next run has a fence, also with the interface of the run before', () => {
  takeOver();
  driver.attach(B);
  expect(marked('unfenced')).not.toContain(`v${INSTANCE}${idOf('b').slice(0, 8)}`);
  expect(marked('fenced')).toContain(`v${INSTANCE}${idOf('b').slice(0, 8)}`);
});

test('what a network keeps apart stays apart', () => {
  takeOver();
  serve(a, 80);
  expect(blocked(c, '10.231.1.2', 80)).toBe(true);
  stopServers();
});
