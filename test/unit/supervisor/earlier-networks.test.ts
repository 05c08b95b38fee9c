import { expect, test } from 'vitest';
import { networkSchema } from '../../../src/model/kinds/network.ts';
import { writtenSpec } from '../../../src/state/containers/written-spec.ts';
import { EARLIER_DEFAULTS, type NetworkRecord, PRESENT_DEFAULTS } from '../../../src/state/history/network-record.ts';
import { earlierNetworks, earlierNetworksCheck } from '../../../src/supervisor/doctor/earlier-networks.ts';

const record = (key: NetworkRecord['key'], written: unknown, parts: Partial<NetworkRecord> = {}): NetworkRecord => ({
  key,
  specHash: 'h',
  written: writtenSpec(networkSchema.parse(written)),
  schemaVersion: 1,
  driver: 'bridge',
  interfaceName: 'b1',
  ipv4: { subnet: '10.80.0.0/24', gateway: '10.80.0.1' },
  ipv6: null,
  defaults: EARLIER_DEFAULTS,
  ...parts,
});

test('doctor lists networks of earlier versions with the line to write', () => {
  const records = [
    record('network/blog/back', {}),
    record('network/blog/front', { ipv6: false }),
    record('network/shop/new', {}, { defaults: { ...PRESENT_DEFAULTS, ipv6: false } }),
    record('network/shop/said', { ipv6: false, metadata: true, directAccess: false }),
    { ...record('network//bridge', {}), written: {} },
  ];
  const found = earlierNetworks(records, true);
  expect(found.map(({ name, lines }) => [name, lines.join(', ')])).toEqual([
    ['blog/back', 'ipv6: true, metadata: false'],
    ['blog/front', 'metadata: false'],
    ['shop/new', 'ipv6: true'],
    [null, 'ipv6: true, metadata: false'],
  ]);
  expect(earlierNetworksCheck(found)).toEqual({
    name: 'earlier networks',
    status: 'warning',
    message: expect.stringContaining('blog/back (without IPv6; metadata services are reached)'),
    fix: 'Write into the manifests of networks: blog/back: { ipv6: true, metadata: false }; blog/front: { metadata: false }; shop/new: { ipv6: true }; of the default bridge --ipv6=true is for IPv6, and containers on a network of their own do without it. A change of ipv6 restarts the containers.',
  });
  expect(earlierNetworks(records, false)[0]?.lines).toEqual(['metadata: false']);
  expect(earlierNetworksCheck([]).status).toBe('ok');
});
