/** What a container reaches while another program has removed our rules: `nft flush ruleset`, a reload of nftables.service. */
import { closeSync, openSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Networks } from '../../src/drivers/contract/network.ts';
import { inNetns } from '../../src/ffi/process/namespaces.ts';
import {
  blocked,
  endpoint,
  enterPrivateHost,
  network,
  newDriver,
  PUBLISHED,
  reaches,
  serve,
  shell,
  sourceSeen,
  start,
  takeDown,
} from '../contract/network/private-host.ts';
import { arriving, sendFrames, udpFrame } from '../support/frames.ts';

let driver: Networks;
let [victim, attacker] = [0, 0];

beforeAll(() => {
  enterPrivateHost();
});

beforeEach(() => {
  driver = newDriver();
  driver.ensureNetwork(network(1));
  victim = start(driver, endpoint('victim', 1, 2, { ports: [{ ...PUBLISHED, hostIp: '127.0.0.1' }] }));
  attacker = start(driver, endpoint('attacker', 1, 3));
});

afterEach(() => takeDown(driver, ['victim', 'attacker'], [1]));

const rulesAreGone = (): string => shell('nft delete table inet tsd-abc123; nft delete table bridge tsd-abc123');

test("does not reach the host's loopback through the gateway", () => {
  serve(null, 70, '127.0.0.1');
  inNetns(attacker, () => {
    shell('ip addr del 127.0.0.1/8 dev lo; echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet');
    shell('ip route add 127.0.0.1/32 via 10.231.1.1 src 10.231.1.3');
  });
  rulesAreGone();
  expect(reaches(null, '127.0.0.1', 70)).toBe(true);
  expect(blocked(attacker, '127.0.0.1', 70)).toBe(true);
  driver.ensureNetwork(network(1));
  expect(blocked(attacker, '127.0.0.1', 70)).toBe(true);
});

/** 802.1Q tags of network 0, which the kernel takes off, as if there were none. */
function tagged(frame: Buffer, tags: number): Buffer {
  const all = Array.from({ length: tags }, () => Buffer.from([0x81, 0x00, 0x00, 0x00]));
  return Buffer.concat([frame.subarray(0, 12), ...all, frame.subarray(12)]);
}

test('nor by frames with a tag, or with two', async () => {
  const mac = (JSON.parse(shell('ip -j link show tsdt1')) as [{ address: string }])[0].address;
  const frame = (to: string, text: string): Buffer =>
    udpFrame({ from: '02:42:0a:e7:01:03', to: mac }, { from: '10.231.1.3', to }, 70, text);
  rulesAreGone();
  const host = openSync('/proc/self/ns/net', 'r');
  const send = (): void =>
    sendFrames(
      attacker,
      'eth0',
      frame('127.0.0.1', 'plain'),
      tagged(frame('127.0.0.1', 'tagged'), 1),
      tagged(frame('127.0.0.1', 'tagged twice'), 2),
      tagged(frame('10.231.1.1', 'of the network'), 1),
      frame('10.231.1.1', 'end'),
    );
  try {
    expect(await arriving(host, 'tsdt1', send, 'end')).toEqual(['of the network', 'end']);
  } finally {
    closeSync(host);
  }
});

test('a port on 127.0.0.1 goes on to be served', async () => {
  serve(victim, 80);
  expect(await sourceSeen(null, '127.0.0.1', 8080)).toBe('10.231.1.1');
});
