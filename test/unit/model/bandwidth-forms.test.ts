import { describe, expect, test } from 'vitest';
import { requireRoom } from '../../../src/drivers/network/bridge/endpoints/room.ts';
import { shapeOf } from '../../../src/drivers/network/bridge/endpoints/shapes.ts';
import { bridgeNetwork } from '../../../src/drivers/network/bridge/network-options.ts';
import { normalise } from '../../../src/manifest/parse.ts';
import { specHash } from '../../../src/manifest/spec-hash.ts';
import { parseRate, writtenRate } from '../../../src/model/kinds/bandwidth-forms.ts';
import { sysctlPath } from '../../../src/model/kinds/sysctl-forms.ts';

function container(fields: Record<string, unknown>) {
  const result = normalise('container', { image: 'x', ...fields });
  if (result.success) return result.data;
  return result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n');
}

const field = (name: 'bandwidth' | 'sysctls', value: unknown) => {
  const made = container({ [name]: value });
  return typeof made === 'string' ? made : made[name];
};

describe('bandwidth', () => {
  test.each([
    ['10Mbit', { ingressBits: 10e6, egressBits: 10e6 }],
    ['1.5 Gbit/s', { ingressBits: 1.5e9, egressBits: 1.5e9 }],
    [{ egress: '64kbit' }, { ingressBits: null, egressBits: 64e3 }],
    [{}, null],
    [null, null],
    [undefined, null],
  ])('%j', (written, meaning) => {
    expect(field('bandwidth', written ?? undefined)).toEqual(meaning);
  });

  test.each([
    ['10MB', '"10MB" is not a rate; write for example 10Mbit'],
    ['10mbps', 'is not a rate'],
    ['10', 'is not a rate'],
    ['1bit', 'is too slow; the minimum is 8kbit'],
    ['999999Gbit', 'is too fast'],
  ])('%s is refused', (written, message) => {
    expect(parseRate(written)).toMatchObject({ ok: false, message: expect.stringContaining(message) });
    expect(field('bandwidth', { ingress: written })).toContain('bandwidth');
  });

  test('is shown as it is written', () => {
    expect([10e6, 1.5e9, 8e3, 1234].map(writtenRate)).toEqual(['10Mbit', '1500Mbit', '8kbit', '1234bit']);
  });

  test('lets a packet of any MTU through, and bounds what passes at once', () => {
    for (const bits of [8e3, 1e6, 1e9, 400e9]) {
      for (const mtu of [68, 1500, 65535]) {
        const { rate, burst, queue } = shapeOf(bits, mtu);
        expect(rate).toBe(bits / 8);
        expect(burst).toBeGreaterThan(mtu);
        expect(burst).toBeLessThanOrEqual(4 * 1024 ** 2);
        expect(queue).toBeGreaterThan(burst);
        expect(queue).toBeLessThan(2 ** 32);
      }
    }
  });
});

describe('sysctls', () => {
  test('of the namespaces of a container are taken', () => {
    const written = { 'net.core.somaxconn': 1024, 'kernel.shmmax': '65536', 'fs.mqueue.msg_max': 20 };
    expect(field('sysctls', written)).toEqual({
      'net.core.somaxconn': '1024',
      'kernel.shmmax': '65536',
      'fs.mqueue.msg_max': '20',
    });
  });

  test.each([
    ['vm.swappiness', 'is a setting of the whole host'],
    ['kernel.core_pattern', 'is a setting of the whole host'],
    ['net..x', 'is not the name of a setting'],
    ['net.ipv4.//.x', 'is not the name of a setting'],
    ['net.ipv4.../../kernel.core_pattern', 'is not the name of a setting'],
    ['net', 'is not the name of a setting'],
  ])('%s is refused', (name, message) => {
    expect(field('sysctls', { [name]: '1' })).toContain(message);
  });

  test('a path never leaves the directory', () => {
    expect(sysctlPath('net.ipv4.conf.eth0/10.rp_filter')).toBe('net/ipv4/conf/eth0.10/rp_filter');
  });

  test('of an interface stand with its network', () => {
    const on = (sysctls: object) => container({ networks: { back: { sysctls } } });
    expect(on({ 'net.ipv4.conf.IFNAME.rp_filter': 2 })).toMatchObject({
      networks: [{ network: 'back', sysctls: { 'net.ipv4.conf.IFNAME.rp_filter': '2' } }],
    });
    for (const name of ['net.ipv4.conf.eth0.rp_filter', 'net.core.somaxconn', 'net.ipv4.conf.IFNAME.a.b'])
      expect(on({ [name]: '1' })).toContain('is no setting of an interface');
  });
});

test('a container without limits and settings has the hash that it had before there were any', () => {
  const made = container({ networks: { back: {}, front: { aliases: ['x'] } } });
  if (typeof made === 'string') throw new Error(made);
  const { bandwidth: _, sysctls: __, ...before } = made;
  expect(specHash('container', made)).toBe(specHash('container', before as typeof made));
  expect(made.networks?.map((one) => Object.keys(one))).not.toContain('sysctls');
});

test('a full network is named, with what to do', () => {
  const range = { subnet: '10.1.0.0/16', gateway: '10.1.0.1' };
  const config = { key: 'network/app/back', driver: 'bridge', interfaceName: 'br0', mtu: 1500, internal: false };
  const network = bridgeNetwork({ ...config, ipv4: range, ipv6: null, options: {} });
  expect(() => requireRoom(network, 1022)).not.toThrow();
  expect(() => requireRoom(network, 1023)).toThrow(
    expect.objectContaining({
      message: 'network app/back is full: its bridge br0 takes 1,023 interfaces',
      hint: expect.stringContaining('another network'),
    }),
  );
});
