import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Networks } from '../../../src/drivers/contract/network.ts';
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
  sourceSeen,
  sourceSeenUdp,
  start,
  takeDown,
} from './private-host.ts';

const PUBLISHED_UDP = { ...PUBLISHED, hostPort: 5353, containerPort: 53, protocol: 'udp' } as const;

let outside: number;
let driver: Networks;
let web: number;
let peer: number;

beforeAll(() => {
  outside = enterPrivateHost();
});

beforeEach(() => {
  driver = newDriver();
  driver.ensureNetwork(network(1));
  web = start(driver, endpoint('web', 1, 2, { ports: [PUBLISHED, PUBLISHED_UDP] }));
  peer = start(driver, endpoint('peer', 1, 3));
  serve(web, 80);
  serveUdp(web, 53);
});

afterEach(() => takeDown(driver, ['web', 'peer'], [1]));

describe('a port published on every address is reached', () => {
  test('from another machine, whose address the container sees', async () => {
    expect(await sourceSeen(outside, HOST_ADDRESS, 8080)).toBe(OUTSIDE_ADDRESS);
    expect(await sourceSeenUdp(outside, HOST_ADDRESS, 5353)).toBe(OUTSIDE_ADDRESS);
  });

  test("from the host by its own address and the bridge's", async () => {
    expect(await sourceSeen(null, HOST_ADDRESS, 8080)).toBe(HOST_ADDRESS);
    expect(await sourceSeenUdp(null, HOST_ADDRESS, 5353)).toBe(HOST_ADDRESS);
    expect(await sourceSeen(null, '10.231.1.1', 8080)).toBe('10.231.1.1');
  });

  test('from 127.0.0.1, as the gateway', async () => {
    expect(await sourceSeen(null, '127.0.0.1', 8080)).toBe('10.231.1.1');
    expect(await sourceSeenUdp(null, '127.0.0.1', 5353)).toBe('10.231.1.1');
  });

  test('from [::1], through the forwarder', async () => {
    expect(await sourceSeen(null, '::1', 8080)).toBe('10.231.1.1');
    expect(await sourceSeenUdp(null, '::1', 5353)).toBe('10.231.1.1');
  });

  test('from another container of the network, as the gateway', async () => {
    expect(await sourceSeen(peer, HOST_ADDRESS, 8080)).toBe('10.231.1.1');
    expect(await sourceSeenUdp(peer, HOST_ADDRESS, 5353)).toBe('10.231.1.1');
  });

  test('from the container itself', async () => {
    expect(await sourceSeen(web, HOST_ADDRESS, 8080)).toBe('10.231.1.1');
    expect(await sourceSeenUdp(web, HOST_ADDRESS, 5353)).toBe('10.231.1.1');
  });

  test('from a container of another network', async () => {
    driver.ensureNetwork(network(2));
    const other = start(driver, endpoint('other', 2, 2));
    expect(await sourceSeen(other, HOST_ADDRESS, 8080)).toBe('10.231.1.1');
    driver.detach(idOf('other'));
    driver.removeNetwork('network/test/n2');
  });
});

describe('a port published on one address', () => {
  test('answers there and nowhere else', () => {
    driver.attach(endpoint('web', 1, 2, { ports: [{ ...PUBLISHED, hostIp: HOST_ADDRESS }] }));
    expect(reaches(outside, HOST_ADDRESS, 8080)).toBe(true);
    expect(blocked(null, '127.0.0.1', 8080)).toBe(true);
    expect(blocked(null, '10.231.1.1', 8080)).toBe(true);
  });

  test('127.0.0.1 answers to the host only, also when a neighbour routes 127.0.0.1 to us', async () => {
    driver.attach(endpoint('web', 1, 2, { ports: [{ ...PUBLISHED, hostIp: '127.0.0.1' }] }));
    expect(await sourceSeen(null, '127.0.0.1', 8080)).toBe('10.231.1.1');
    expect(blocked(outside, HOST_ADDRESS, 8080)).toBe(true);
    expect(blocked(peer, '10.231.1.1', 8080)).toBe(true);
  });

  test('::1 answers through the forwarder', async () => {
    driver.attach(endpoint('web', 1, 2, { ports: [{ ...PUBLISHED, hostIp: '::1' }] }));
    expect(await sourceSeen(null, '::1', 8080)).toBe('10.231.1.1');
    expect(blocked(null, '127.0.0.1', 8080)).toBe(true);
  });
});

describe('out of a network', () => {
  test('the source is rewritten to the host', async () => {
    serve(outside, 90);
    expect(await sourceSeen(web, OUTSIDE_ADDRESS, 90)).toBe(HOST_ADDRESS);
  });

  test('without masquerade nothing is rewritten', () => {
    driver.ensureNetwork(network(1, { masquerade: false }));
    serve(outside, 91);
    // The other machine has no route back to the container: no answer.
    expect(blocked(web, OUTSIDE_ADDRESS, 91)).toBe(true);
  });

  test('the host is reached by the gateway address', async () => {
    serve(null, 92);
    expect(await sourceSeen(web, '10.231.1.1', 92)).toBe('10.231.1.2');
  });
});
