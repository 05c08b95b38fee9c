/** Another machine that sends to containers before they are there. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import type { Networks } from '../../src/drivers/contract/network.ts';
import { inNetns } from '../../src/ffi/process/namespaces.ts';
import {
  endpoint6,
  enterPrivateHost,
  HOST_ADDRESS,
  network6,
  newDriver,
  reaches,
  serve,
  shell,
  start,
  takeDown,
} from '../contract/network/private-host.ts';
import { until } from '../support/wait.ts';

let outside: number;
let driver: Networks;

beforeAll(() => {
  outside = enterPrivateHost();
  shell('ip -6 address add 2001:db8::1/64 dev uplink nodad');
  inNetns(outside, () => {
    shell('ip -6 address add 2001:db8::2/64 dev wire nodad');
    shell(`ip route add fd00:231::/32 via 2001:db8::1; ip route add 10.231.0.0/16 via ${HOST_ADDRESS}`);
  });
});

beforeEach(() => {
  driver = newDriver();
});

afterEach(() => takeDown(driver, ['a'], [1]));

const FLOOD = `
import socket
ends = [(socket.socket(family, socket.SOCK_DGRAM), to) for family, to in
        ((socket.AF_INET, '10.231.1.2'), (socket.AF_INET6, 'fd00:231:0:1::2'))]
while True:
    for s, to in ends:
        try: s.sendto(b'?', (to, 7777))
        except OSError: pass
`;

/** Datagrams that arrived where nothing listens, of both families. */
const unheard = (netns: number): number =>
  inNetns(netns, () => {
    const text = (file: string) => readFileSync(`/proc/thread-self/net/${file}`, 'utf8');
    const [, counts = ''] = text('snmp')
      .split('\n')
      .filter((line) => line.startsWith('Udp: '));
    return Number(counts.split(' ')[2]) + Number(/^Udp6NoPorts\s+(\d+)$/m.exec(text('snmp6'))?.[1]);
  });

test('what is sent from outside while a network is made does not wait for its first container', async () => {
  const sent = () =>
    inNetns(outside, () =>
      Number(/^Udp6OutDatagrams\s+(\d+)$/m.exec(readFileSync('/proc/thread-self/net/snmp6', 'utf8'))?.[1]),
    );
  const flood = inNetns(outside, () => spawn('python3', ['-c', FLOOD], { stdio: 'inherit' }));
  onTestFinished(async () => {
    flood.kill();
    await once(flood, 'exit');
  });
  const before = sent();
  await until('the flood', () => sent() > before + 1000);
  for (let times = 0; times < 5; times++) {
    driver.ensureNetwork(network6(1));
    const a = start(driver, endpoint6('a', 1, 2));
    serve(a, 80, '::');
    expect(reaches(null, 'fd00:231:0:1::2', 80)).toBe(true);
    const now = sent();
    await until('more of it', () => sent() > now + 1000);
    expect(unheard(a)).toBe(0);
    takeDown(driver, ['a'], [1]);
    driver = newDriver();
  }
});
