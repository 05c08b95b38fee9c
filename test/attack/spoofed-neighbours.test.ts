/** A container that takes itself for a neighbour, for the gateway, for a router or for another machine, in an open network. */
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Networks } from '../../src/drivers/contract/network.ts';
import { inNetns } from '../../src/ffi/process/namespaces.ts';
import {
  endpoint,
  enterPrivateHost,
  HOST_ADDRESS,
  network,
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
