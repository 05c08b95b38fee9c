/** What a container reaches while another program has removed our rules: `nft flush ruleset`, a reload of nftables.service. */
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

test('a port on 127.0.0.1 goes on to be served', async () => {
  serve(victim, 80);
  expect(await sourceSeen(null, '127.0.0.1', 8080)).toBe('10.231.1.1');
});
