/** A container that takes itself for a neighbour, for the gateway, for a router or for another machine, in an open network. */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Networks } from '../../src/drivers/contract/network.ts';
import { inNetns } from '../../src/ffi/process/namespaces.ts';
import {
  endpoint,
  endpoint6,
  enterPrivateHost,
  HOST_ADDRESS,
  network,
  network6,
  newDriver,
  OUTSIDE_ADDRESS,
  PUBLISHED,
  serve,
  shell,
  sourceSeen,
  start,
  takeDown,
} from '../contract/network/private-host.ts';
import { arpFrame, arriving, ICMPV6, icmpv6Frame, sendFrames, udpFrame } from '../support/frames.ts';

const GATEWAY = { ip: '10.231.1.1', mac: '02:42:0a:e7:01:01' };
const VICTIM = { ip: '10.231.1.2', mac: '02:42:0a:e7:01:02' };
const OTHER = { ip: '10.231.1.3', mac: '02:42:0a:e7:01:03' };
const ATTACKER = { ip: '10.231.1.4', mac: '02:42:0a:e7:01:04' };
const BROADCAST = 'ff:ff:ff:ff:ff:ff';
const ALL_NODES = { ip: 'ff02::1', mac: '33:33:00:00:00:01' };

let outside: number;
let driver: Networks;
let [victim, other, attacker] = [0, 0, 0];

beforeAll(() => {
  outside = enterPrivateHost();
});

beforeEach(() => {
  driver = newDriver();
  driver.ensureNetwork(network(1));
  victim = start(driver, endpoint('victim', 1, 2, { ports: [PUBLISHED] }));
  other = start(driver, endpoint('other', 1, 3));
  attacker = start(driver, endpoint('attacker', 1, 4));
});

afterEach(() => takeDown(driver, ['victim', 'other', 'attacker'], [1]));

test('does not take over the published port of a neighbour by ARP', async () => {
  serve(victim, 80, '0.0.0.0', Buffer.from('victim'));
  serve(attacker, 80, '0.0.0.0', Buffer.from('attacker'));
  expect(await sourceSeen(outside, HOST_ADDRESS, 8080)).toBe('victim');
  inNetns(attacker, () => shell(`ip addr add ${VICTIM.ip}/32 dev eth0`));
  for (const operation of [1, 2] as const) {
    const claim = { mac: ATTACKER.mac, ip: VICTIM.ip };
    sendFrames(attacker, 'eth0', arpFrame({ from: ATTACKER.mac, to: GATEWAY.mac }, operation, claim, GATEWAY.ip));
    sendFrames(attacker, 'eth0', arpFrame({ from: ATTACKER.mac, to: BROADCAST }, operation, claim, VICTIM.ip));
  }
  expect(shell(`ip neigh show ${VICTIM.ip}`)).toContain(VICTIM.mac);
  expect(await sourceSeen(outside, HOST_ADDRESS, 8080)).toBe('victim');
});

test('does not take over the address of a neighbour by its MAC', async () => {
  serve(victim, 80, '0.0.0.0', Buffer.from('victim'));
  expect(await sourceSeen(outside, HOST_ADDRESS, 8080)).toBe('victim');
  const ends = { from: VICTIM.mac, to: GATEWAY.mac };
  sendFrames(attacker, 'eth0', udpFrame(ends, { from: ATTACKER.ip, to: GATEWAY.ip }, 9, 'forged'));
  expect(await sourceSeen(outside, HOST_ADDRESS, 8080)).toBe('victim');
});

test('is not heard by a neighbour under a foreign address', async () => {
  const ends = { from: ATTACKER.mac, to: OTHER.mac };
  const send = (from: string, text: string): void =>
    sendFrames(attacker, 'eth0', udpFrame(ends, { from, to: OTHER.ip }, 53, text));
  const attack = (): void => {
    for (const { ip } of [VICTIM, GATEWAY]) send(ip, `forged as ${ip}`);
    send('8.8.8.8', 'forged as 8.8.8.8');
    const claim = { mac: ATTACKER.mac, ip: GATEWAY.ip };
    sendFrames(attacker, 'eth0', arpFrame(ends, 2, claim, OTHER.ip, 'ARP'));
    send(ATTACKER.ip, 'honest');
  };
  expect(await arriving(other, 'eth0', attack, 'honest')).toEqual(['honest']);
});

test('sends nothing to the outside from an address that is not of its network', async () => {
  const ends = { from: ATTACKER.mac, to: GATEWAY.mac };
  const send = (from: string, text: string): void =>
    sendFrames(attacker, 'eth0', udpFrame(ends, { from, to: OUTSIDE_ADDRESS }, 53, text));
  const attack = (): void => {
    for (const ip of ['8.8.8.8', VICTIM.ip, HOST_ADDRESS, OUTSIDE_ADDRESS, '10.232.0.1']) send(ip, `forged as ${ip}`);
    send(ATTACKER.ip, 'honest');
  };
  expect(await arriving(outside, 'wire', attack, 'honest')).toEqual(['honest']);
});

test('is nobody for IPv6 in a network of IPv4: neither router, nor redirecting, nor another', async () => {
  const ends = { from: ATTACKER.mac, to: ALL_NODES.mac };
  const ips = { from: 'fe80::42:aff:fee7:104', to: ALL_NODES.ip };
  const attack = (): void => {
    for (const [text, type] of Object.entries(ICMPV6)) {
      sendFrames(attacker, 'eth0', icmpv6Frame(ends, ips, type, 'fd00:231:1::2', text));
    }
    const honest = { from: ATTACKER.mac, to: OTHER.mac };
    sendFrames(attacker, 'eth0', udpFrame(honest, { from: ATTACKER.ip, to: OTHER.ip }, 53, 'honest'));
  };
  expect(await arriving(other, 'eth0', attack, 'honest')).toEqual(['honest']);
});

describe('in a network of both families', () => {
  const [HOST6, OUTSIDE6] = ['fd00:198:51::1', 'fd00:198:51::2'];
  const six = (host: number): string => `fd00:231:0:1::${host}`;
  const LINK_LOCAL = 'fe80::42:aff:fee7:104';
  const ECHO_REQUEST = 128;
  const { routerAdvertisement, neighbourSolicitation, neighbourAdvertisement, redirect } = ICMPV6;

  beforeAll(() => {
    shell(`ip addr add ${HOST6}/64 dev uplink nodad`);
    inNetns(outside, () => shell(`ip addr add ${OUTSIDE6}/64 dev wire nodad`));
  });

  beforeEach(() => {
    takeDown(driver, ['victim', 'other', 'attacker'], [1]);
    driver = newDriver();
    driver.ensureNetwork(network6(1));
    victim = start(driver, endpoint6('victim', 1, 2, { ports: [PUBLISHED] }));
    other = start(driver, endpoint6('other', 1, 3));
    attacker = start(driver, endpoint6('attacker', 1, 4));
  });

  const send = (
    to: { readonly ip: string; readonly mac: string },
    from: string,
    type: number,
    target: string,
    text: string,
  ) =>
    sendFrames(
      attacker,
      'eth0',
      icmpv6Frame({ from: ATTACKER.mac, to: to.mac }, { from, to: to.ip }, type, target, text),
    );

  test('is heard by a neighbour under its own addresses only, and is no router', async () => {
    const to = { ip: six(3), mac: OTHER.mac };
    const attack = (): void => {
      for (const from of [six(2), six(1), '2001:db8::8', 'fe80::42:aff:fee7:102']) {
        send(to, from, ECHO_REQUEST, '::', `forged as ${from}`);
      }
      for (const from of [LINK_LOCAL, six(4)]) {
        send(ALL_NODES, from, routerAdvertisement, '::', `router ${from}`);
        send(to, from, redirect, six(2), `redirect ${from}`);
        for (const claimed of [six(2), six(1)]) send(to, from, neighbourAdvertisement, claimed, `claims ${claimed}`);
      }
      // As a machine that is about to use an address asks whether another one has it.
      send(ALL_NODES, '::', neighbourSolicitation, six(2), 'about to be the victim');
      send(to, six(4), ECHO_REQUEST, '::', 'honest');
    };
    expect(await arriving(other, 'eth0', attack, 'honest')).toEqual(['honest']);
  });

  test('does not take over the published port of a neighbour by neighbour discovery', async () => {
    serve(victim, 80, '::', Buffer.from('victim'));
    serve(attacker, 80, '::', Buffer.from('attacker'));
    expect(await sourceSeen(outside, HOST6, 8080)).toBe('victim');
    // Its kernel asks for the gateway in the name of the victim, and says where the answer should go.
    inNetns(attacker, () => {
      shell(`ip addr add ${six(2)}/128 dev eth0 nodad; ip -6 neigh flush dev eth0`);
      shell(`busybox ping -6 -c 1 -W 1 -I ${six(2)} ${six(1)} >/dev/null 2>&1 || true`);
    });
    expect(shell(`ip -6 neigh show ${six(2)}`)).toContain(VICTIM.mac);
    expect(await sourceSeen(outside, HOST6, 8080)).toBe('victim');
  });

  test('sends nothing to the outside from an address that is not its own', async () => {
    const gateway = { ip: OUTSIDE6, mac: GATEWAY.mac };
    const attack = (): void => {
      for (const from of ['2001:db8::8', six(2), HOST6, OUTSIDE6, 'fd00:232::1']) {
        send(gateway, from, ECHO_REQUEST, '::', `forged as ${from}`);
      }
      send(gateway, six(4), ECHO_REQUEST, '::', 'honest');
    };
    expect(await arriving(outside, 'wire', attack, 'honest')).toEqual(['honest']);
  });
});
