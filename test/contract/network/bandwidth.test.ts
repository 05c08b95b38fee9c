/** Limits of what a container sends and receives: real traffic, and what becomes of limits that somebody takes away. */

import { openSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { EndpointConfig, Networks } from '../../../src/drivers/contract/network.ts';
import { inNetns } from '../../../src/ffi/process/namespaces.ts';
import {
  endpoint,
  enterPrivateHost,
  idOf,
  network,
  newDriver,
  shell,
  start,
  stopServers,
  takeDown,
} from './private-host.ts';

const NETWORK = 'network/test/n1';

let driver: Networks;

beforeAll(() => {
  enterPrivateHost();
});
beforeEach(() => {
  driver = newDriver();
  driver.ensureNetwork(network(1));
});
afterEach(() => takeDown(driver, ['a', 'b'], [1]));
afterAll(stopServers);

const limited = (bandwidth: EndpointConfig['bandwidth']) => endpoint('a', 1, 2, bandwidth ? { bandwidth } : {});
const drift = () => driver.observe().endpoints.get(idOf('a'))?.[0]?.drift;
/** A limit that is another one without going is found in turn. */
function foundDrift() {
  for (let looks = 0; looks < 40; looks++) if (drift()?.length !== 0) break;
  return drift();
}
const host = () => driver.driver('bridge').connections?.interfaces(idOf('a'), NETWORK).host ?? '';
const discipline = (link: string) => shell(`tc qdisc show dev ${link} root`);

/** Packets that had to wait. */
const delayed = (link: string) => Number(/overlimits (\d+)/.exec(shell(`tc -s qdisc show dev ${link} root`))?.[1]);

/** 500 kB as fast as a shell can. */
const flood = (from: number, to: string) =>
  inNetns(from, () => shell(`bash -c 'for i in {1..400}; do printf %01200d 0 > /dev/udp/${to}/9; done'`));

let a = -1;

it('holds both directions to their rates, changes them in place and takes them away', () => {
  a = start(driver, limited({ ingressBits: 1e6, egressBits: 1e6 }));
  const b = start(driver, endpoint('b', 1, 3));
  expect(drift()).toEqual([]);
  flood(b, '10.231.1.2');
  flood(a, '10.231.1.3');
  expect(delayed(host())).toBeGreaterThan(0);
  expect(inNetns(a, () => delayed('eth0'))).toBeGreaterThan(0);
  driver.attach(limited({ ingressBits: 80e6, egressBits: null }));
  expect(drift()).toEqual([]);
  expect(discipline(host())).toMatch(/tbf 7464: .*rate 80Mbit/);
  expect(inNetns(a, () => discipline('eth0'))).not.toContain('tbf');
  driver.attach(limited(undefined));
  expect(discipline(host())).not.toContain('tbf');
  expect(drift()).toEqual([]);
});

it.each([
  ['the limit of what it receives', () => shell(`tc qdisc del dev ${host()} root`), /receives missing/],
  ['the limit of what it sends', () => inNetns(a, () => shell('tc qdisc del dev eth0 root')), /sends missing/],
  [
    'the limit of what it receives, for another one',
    () => shell(`tc qdisc replace dev ${host()} root tbf rate 1gbit burst 1m limit 10m`),
    /receives missing/,
  ],
  ['the filter of 127.0.0.0/8', () => shell(`tc filter del dev ${host()} ingress`), /filter of 127/],
  ['the place of filters', () => shell(`tc qdisc del dev ${host()} clsact`), /filter of 127/],
])('sees that somebody removed %s, and puts it back', (_what, remove, phrase) => {
  const config = limited({ ingressBits: 8e6, egressBits: 4e6 });
  a = start(driver, config);
  expect(drift()).toEqual([]);
  remove();
  expect(foundDrift()).toEqual([expect.stringMatching(phrase)]);
  driver.attach(config);
  expect(drift()).toEqual([]);
  expect(discipline(host())).toMatch(/tbf 7464: .*rate 8Mbit/);
  expect(shell(`tc filter show dev ${host()} ingress`)).toContain('tsd:');
});

it('a supervisor that comes later goes on with the limits', () => {
  const config = limited({ ingressBits: 8e6, egressBits: 4e6 });
  a = start(driver, config);
  const next = newDriver();
  next.ensureNetwork(network(1));
  next.adoptSandbox(idOf('a'), openSync(`/proc/self/fd/${a}`, 'r'));
  next.resume(config);
  expect(next.observe().endpoints.get(idOf('a'))?.[0]?.drift).toEqual([]);
  next.close();
});
