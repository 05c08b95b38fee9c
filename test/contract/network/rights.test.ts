/** What a network lets its containers reach, and other machines of them, beyond published ports. */
import { closeSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Networks } from '../../../src/drivers/contract/network.ts';
import { inNetns } from '../../../src/ffi/process/namespaces.ts';
import {
  blocked,
  dial,
  endpoint,
  enterPrivateHost,
  HOST_ADDRESS,
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

const METADATA = '169.254.169.254';

let outside: number;
let driver: Networks;

beforeAll(() => {
  outside = enterPrivateHost();
  inNetns(outside, () => shell(`ip addr add ${METADATA}/32 dev wire; ip route add 10.231.0.0/16 via ${HOST_ADDRESS}`));
  shell(`ip route add ${METADATA}/32 dev uplink`);
});

afterAll(() => shell(`ip route del ${METADATA}/32 dev uplink`));

beforeEach(() => {
  driver = newDriver();
});

afterEach(() => takeDown(driver, ['a', 'b', 'c'], [1, 2]));

test('metadata of the machine is out of reach, and a name server at such an address is not', () => {
  driver.ensureNetwork(network(1, { metadata: false }));
  driver.ensureNetwork(network(2));
  const a = start(driver, endpoint('a', 1, 2));
  const b = start(driver, endpoint('b', 2, 2));
  for (const port of [53, 80]) serve(outside, port);
  expect(reaches(b, METADATA, 80)).toBe(true);
  expect(blocked(a, METADATA, 80)).toBe(true);
  expect(reaches(a, METADATA, 53)).toBe(true);
  expect(reaches(a, OUTSIDE_ADDRESS, 80)).toBe(true);
  driver.ensureNetwork(network(1, { metadata: true }));
  expect(reaches(a, METADATA, 80)).toBe(true);
});

test('metadata that this host serves itself is out of reach too', () => {
  shell(`ip addr add 169.254.170.2/32 dev lo`);
  serve(null, 81);
  driver.ensureNetwork(network(1, { metadata: false }));
  const a = start(driver, endpoint('a', 1, 2));
  expect(reaches(null, '169.254.170.2', 81)).toBe(true);
  expect(blocked(a, '169.254.170.2', 81)).toBe(true);
  expect(reaches(a, HOST_ADDRESS, 81)).toBe(true);
  shell(`ip addr del 169.254.170.2/32 dev lo`);
});

test('services of the host are out of reach, name servers and ports of containers are not', () => {
  driver.ensureNetwork(network(1, { hostAccess: false }));
  driver.ensureNetwork(network(2));
  const a = start(driver, endpoint('a', 1, 2));
  const c = start(driver, endpoint('c', 2, 2, { ports: [PUBLISHED] }));
  serve(c, 80);
  serve(outside, 84);
  for (const port of [53, 82]) serve(null, port);
  for (const address of ['10.231.1.1', '10.231.2.1', HOST_ADDRESS]) {
    expect(reaches(c, address, 82)).toBe(true);
    expect(blocked(a, address, 82)).toBe(true);
    expect(reaches(a, address, 53)).toBe(true);
  }
  expect(reaches(a, HOST_ADDRESS, 8080)).toBe(true);
  expect(reaches(a, OUTSIDE_ADDRESS, 84)).toBe(true);
  expect(reaches(null, '10.231.2.2', 80)).toBe(true);
});

test.each([
  ['nat', {}, false],
  ['nat with direct access', { directAccess: true }, true],
  ['nat-unprotected', { gatewayMode4: 'nat-unprotected' }, true],
] as const)('mode %s: a machine with a route reaches unpublished ports or not', (_, options, isOpen) => {
  driver.ensureNetwork(network(1, options));
  driver.ensureNetwork(network(2));
  const a = start(driver, endpoint('a', 1, 2));
  const b = start(driver, endpoint('b', 2, 2));
  serve(a, 85);
  serve(outside, 86);
  expect((isOpen ? reaches : blocked)(outside, '10.231.1.2', 85)).toBe(true);
  expect(blocked(b, '10.231.1.2', 85)).toBe(true);
  expect(reaches(a, OUTSIDE_ADDRESS, 86)).toBe(true);
});

test('an isolated network has nothing to do with this host', () => {
  driver.ensureNetwork(network(1, { gatewayMode4: 'isolated', internal: true }));
  const a = start(driver, endpoint('a', 1, 2));
  const b = start(driver, endpoint('b', 1, 3));
  serve(b, 80);
  serve(null, 87);
  inNetns(a, () => shell('ip route add default via 10.231.1.1'));
  expect(reaches(a, '10.231.1.3', 80)).toBe(true);
  for (const address of ['10.231.1.1', HOST_ADDRESS]) expect(blocked(a, address, 87)).toBe(true);
  expect(blocked(a, OUTSIDE_ADDRESS, 87)).toBe(true);
  expect(blocked(null, '10.231.1.3', 80)).toBe(true);
  expect(driver.observe().networks.get(network(1).key)?.drift).toEqual([]);
});

test('a routed network opens no port that is published on one address of the host', () => {
  driver.ensureNetwork(network(1, { gatewayMode4: 'routed' }));
  const hidden = { ...PUBLISHED, hostIp: '127.0.0.1', containerPort: 91, hostPort: 8091 };
  const a = start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED, hidden] }));
  serve(a, 80);
  serve(a, 91);
  expect(reaches(outside, '10.231.1.2', 80)).toBe(true);
  expect(blocked(outside, '10.231.1.2', 91)).toBe(true);
});

test('a network may leave it to containers which addresses they use, where they reach each other anyway', () => {
  const second = (netns: number): boolean => {
    inNetns(netns, () =>
      shell('ip addr add 10.231.1.77/32 dev eth0 && ip route replace default via 10.231.1.1 src 10.231.1.77'),
    );
    const fd = dial(netns, OUTSIDE_ADDRESS, 88);
    if (fd >= 0) closeSync(fd);
    return fd >= 0;
  };
  serve(outside, 88);
  driver.ensureNetwork(network(1, { spoofing: true }));
  expect(second(start(driver, endpoint('a', 1, 2)))).toBe(true);
  driver.ensureNetwork(network(1));
  expect(second(start(driver, endpoint('b', 1, 3)))).toBe(false);
});
