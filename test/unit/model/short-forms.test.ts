import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSubnet, parseSubnet6 } from '../../../src/model/kinds/network-forms.ts';
import { parseExpose, parseExtraHost, parsePort, parsePortRange } from '../../../src/model/kinds/port-forms.ts';
import {
  parseCapability,
  parseLink,
  parseRestart,
  parseSignal,
  parseUlimit,
} from '../../../src/model/kinds/runtime-forms.ts';
import { type Parsed, parseBytes, parseDuration } from '../../../src/model/kinds/short-forms.ts';
import { normalPath, parseDevice, parseMount, parseVolumesFrom } from '../../../src/model/kinds/storage-forms.ts';
import { type SignalName, signalNumber } from '../../../src/model/signals.ts';

/** The data, or the refusal as a text. */
const outcome = <T>(result: Parsed<T>): T | string => (result.ok ? result.value : result.message);

describe('sizes', () => {
  test.each<[string | number, number]>([
    [4096, 4096],
    ['0', 0],
    ['64k', 65_536],
    ['256MiB', 268_435_456],
    ['1.5g', 1_610_612_736],
    ['2 TB', 2_199_023_255_552],
  ])('%s', (text, bytes) => expect(outcome(parseBytes(text))).toBe(bytes));

  test.each(['', '-1', '1x', 'MiB', '1e3', '99999999999t'])('%s is refused', (text) =>
    expect(parseBytes(text).ok).toBe(false),
  );
});

describe('durations, in milliseconds', () => {
  test.each<[string | number, number]>([
    ['500ms', 500],
    ['30s', 30_000],
    ['1m30s', 90_000],
    [10, 10_000],
    ['1.5', 1_500],
    ['0', 0],
    ['1.5h', 5_400_000],
  ])('%s', (text, ms) => expect(outcome(parseDuration(text))).toBe(ms));

  test.each<string | number>(['', '-1s', -1, 's', '1s 2s', '1y', '900h', 'NaN'])('%s is refused', (text) =>
    expect(parseDuration(text).ok).toBe(false),
  );
});

describe('ports', () => {
  const port = (hostIp: string | null, hostPort: number | null, containerPort: number, protocol = 'tcp') => ({
    hostIp,
    hostPort,
    containerPort,
    protocol,
  });
  test.each<[string | number, unknown]>([
    [80, [port(null, null, 80)]],
    ['80/UDP', [port(null, null, 80, 'udp')]],
    ['8080:80', [port(null, 8080, 80)]],
    [':80', [port(null, null, 80)]],
    ['127.0.0.1:8080:80', [port('127.0.0.1', 8080, 80)]],
    ['127.0.0.1::80', [port('127.0.0.1', null, 80)]],
    ['[::1]:53:53/udp', [port('::1', 53, 53, 'udp')]],
    ['8000-8001:80-81', [port(null, 8000, 80), port(null, 8001, 81)]],
    ['80-81', [port(null, null, 80), port(null, null, 81)]],
  ])('%s', (text, ports) => expect(outcome(parsePort(text))).toEqual(ports));

  test.each([
    '',
    '0',
    '65536',
    '80:',
    'a:b',
    '1:2:3:4',
    '300.1.1.1:80:80',
    '80/dccp',
    '1-2:1',
    '2-1',
    '::80',
    '[::1]',
    '1.5',
  ])('%s is refused', (text) => expect(parsePort(text).ok).toBe(false));

  test('exposed ports have no host side', () => {
    expect(outcome(parseExpose('53/udp'))).toEqual([{ port: 53, protocol: 'udp' }]);
    expect(outcome(parseExpose('80-81'))).toHaveLength(2);
    expect(parseExpose('80:80').ok).toBe(false);
  });
});

describe('mounts', () => {
  const mount = (type: string, source: string | null, target: string, readOnly = false) => ({
    type,
    source,
    target,
    readOnly,
    sizeBytes: null,
  });
  test.each<[string, unknown]>([
    ['data:/var/lib', mount('volume', 'data', '/var/lib')],
    ['shop/data:/var/lib:ro', mount('volume', 'shop/data', '/var/lib', true)],
    ['/var/lib', mount('volume', null, '/var/lib')],
    ['./conf:/etc/app:ro', mount('bind', './conf', '/etc/app', true)],
    ['../up:/up:rw', mount('bind', '../up', '/up')],
    ['/srv:/srv', mount('bind', '/srv', '/srv')],
    ['data:/a//b/../c/', mount('volume', 'data', '/a/c')],
  ])('%s', (text, expected) => expect(outcome(parseMount(text))).toEqual(expected));

  test.each([
    '',
    'data',
    'data:',
    'data:/',
    'data:rel',
    'a:/b:/c',
    '~/x:/x',
    'Data:/x',
    'a:/x:z',
    '/x/..',
    'a\0:/x',
    '/x\0',
  ])('%j is refused', (text) => expect(parseMount(text).ok).toBe(false));

  test('a normal path is absolute and unchanged', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const path = normalPath(text);
        expect(path.startsWith('/')).toBe(true);
        expect(path.split('/')).not.toContain('..');
        expect(normalPath(path)).toBe(path);
      }),
    );
  });

  test('volumes of other containers, and devices', () => {
    expect(outcome(parseVolumesFrom('db:ro'))).toEqual({ container: 'db', readOnly: true });
    expect(parseVolumesFrom('db:xx').ok).toBe(false);
    expect(outcome(parseDevice('/dev/a'))).toEqual({ host: '/dev/a', container: '/dev/a', permissions: 'rwm' });
    expect(outcome(parseDevice('/dev/a:r'))).toEqual({ host: '/dev/a', container: '/dev/a', permissions: 'r' });
    expect(outcome(parseDevice('/dev/a:/dev/b:rw'))).toEqual({
      host: '/dev/a',
      container: '/dev/b',
      permissions: 'rw',
    });
    for (const text of ['dev', '/dev/a:b', '/dev/a:/dev/b:x', '/dev/a:/dev/b:rr', '/a:/b:r:w']) {
      expect(parseDevice(text).ok).toBe(false);
    }
  });
});

describe('how it runs', () => {
  test.each<[string, unknown]>([
    ['no', { policy: 'no', max: 0, backoff: null }],
    ['always', { policy: 'always', max: 0, backoff: null }],
    ['on-failure:5', { policy: 'on-failure', max: 5, backoff: null }],
    ['always:5', '"always:5": only on-failure takes a maximum'],
    ['unless-stoped', '"unless-stoped" is not a restart policy; did you mean unless-stopped?'],
    ['on-failure:x', '"on-failure:x": "x" is not a count'],
  ])('restart %s', (text, expected) => expect(outcome(parseRestart(text))).toEqual(expected));

  test.each<[string, unknown]>([
    ['db', { target: 'db', alias: 'db' }],
    ['shop/db', { target: 'shop/db', alias: 'db' }],
    ['db:Data_Base.1', { target: 'db', alias: 'Data_Base.1' }],
    ['db:', '"db:": "" cannot be a host name'],
    ['a/b/c', '"a/b/c" is not a link; write name or name:alias'],
  ])('link %s', (text, expected) => expect(outcome(parseLink(text))).toEqual(expected));

  test.each<[string | number, unknown]>([
    [1024, { soft: 1024, hard: 1024 }],
    ['1:2', { soft: 1, hard: 2 }],
    ['1:unlimited', { soft: 1, hard: -1 }],
    ['unlimited', { soft: -1, hard: -1 }],
    ['2:1', '"2:1": soft is above hard'],
    ['-1:5', '"-1:5": soft is above hard'],
  ])('ulimit %s', (text, expected) => expect(outcome(parseUlimit(text))).toEqual(expected));

  test.each<[string | number, string, number]>([
    ['SIGTERM', 'SIGTERM', 15],
    ['quit', 'SIGQUIT', 3],
    [9, 'SIGKILL', 9],
    ['SIGRTMIN+3', '37', 37],
    ['RTMAX', '64', 64],
  ])('signal %s', (text, name, number) => {
    expect(outcome(parseSignal(text))).toBe(name);
    expect(signalNumber(name as SignalName)).toBe(number);
  });

  test.each<string | number>([0, 65, 'SIGRTMAX+1', 'SIGRTMIN+40', '', 'TERMINATE'])('signal %s is refused', (text) =>
    expect(parseSignal(text).ok).toBe(false),
  );

  test('capabilities', () => {
    expect(outcome(parseCapability('cap_net_admin'))).toBe('NET_ADMIN');
    expect(outcome(parseCapability('all'))).toBe('ALL');
    expect(outcome(parseCapability('SYS_ADMN'))).toBe('"SYS_ADMN" is not a capability; did you mean SYS_ADMIN?');
  });
});

describe('addresses', () => {
  test.each<[string, string]>([
    ['10.80.0.0/24', '10.80.0.0/24'],
    ['10.80.0.1/24', '"10.80.0.1/24" has host bits set; the network is 10.80.0.0/24'],
    ['10.0.0.0/31', '"10.0.0.0/31": the prefix length must be between 8 and 30'],
    ['10.0.0.0', '"10.0.0.0" is not an IPv4 subnet; write for example 10.80.0.0/24'],
    ['256.0.0.0/8', '"256.0.0.0/8" is not an IPv4 subnet; write for example 10.80.0.0/24'],
    ['127.8.0.0/16', '"127.8.0.0/16": the addresses of 127.0.0.0/8 are of the loopback interface'],
    ['fd00::/64', '"fd00::/64" is not an IPv4 subnet; write for example 10.80.0.0/24'],
  ])('%s', (text, expected) => expect(outcome(parseSubnet(text))).toBe(expected));

  test.each<[string, string]>([
    ['FD12:3456:789A:1:0::/64', 'fd12:3456:789a:1::/64'],
    ['fd00::1/64', '"fd00::1/64" has host bits set; the network is fd00::/64'],
    ['fd00::/127', '"fd00::/127": the prefix length must be between 8 and 126'],
    ['fe80:1::/64', '"fe80:1::/64": the addresses of fe80::/10 are link-local'],
    ['ff05::/64', '"ff05::/64": the addresses of ff00::/8 are for multicast'],
    ['::ffff:10.0.0.0/104', '"::ffff:10.0.0.0/104": the addresses of ::/8 are reserved'],
    ['10.80.0.0/24', '"10.80.0.0/24" is not an IPv6 subnet; write for example fd12:3456:789a:1::/64'],
  ])('IPv6 %s', (text, expected) => expect(outcome(parseSubnet6(text))).toBe(expected));

  test('extra hosts', () => {
    expect(outcome(parseExtraHost('gate:192.0.2.1'))).toEqual({ name: 'gate', address: '192.0.2.1' });
    expect(outcome(parseExtraHost('six:2001:db8::1'))).toEqual({ name: 'six', address: '2001:db8::1' });
    for (const text of ['gate', 'gate:', 'a b:192.0.2.1', 'gate:name', 'gate\n1.1.1.1 evil:192.0.2.1']) {
      expect(parseExtraHost(text).ok).toBe(false);
    }
  });
});

test.each([
  ['80', { first: 80, last: 80, protocol: 'tcp' }],
  ['53/UDP', { first: 53, last: 53, protocol: 'udp' }],
  ['8000-8010/sctp', { first: 8000, last: 8010, protocol: 'sctp' }],
  ['0', null],
  ['65536', null],
  ['9-8', null],
  ['80 ', null],
  ['http/tcp', null],
])('%j as the port of an image, a Dockerfile and a manifest', (text, range) => {
  expect(parsePortRange(text)).toEqual(range);
});
