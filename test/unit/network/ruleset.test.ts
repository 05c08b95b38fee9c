import { expect, test } from 'vitest';
import { bridgeOptions } from '../../../src/drivers/network/bridge/bridge-options.ts';
import {
  fenceElements,
  networkElements,
  reachElements,
} from '../../../src/drivers/network/bridge/firewall/elements.ts';
import { isComplete, parseTable } from '../../../src/drivers/network/bridge/firewall/read-table.ts';
import { addElements, deleteElements } from '../../../src/drivers/network/bridge/firewall/ruleset.ts';
import { Names } from '../../../src/drivers/network/bridge/names.ts';
import { publish } from '../../../src/drivers/network/bridge/publication.ts';
import { PublishedPorts } from '../../../src/drivers/network/bridge/published-ports.ts';

const NOT_ROUTED = { ipv4: false, ipv6: false };
const names = new Names('abc123');
const id = 'a'.repeat(64);
const network = {
  key: 'network/app/n',
  bridge: 'br0',
  ipv4: { subnet: '10.80.0.0/24', gateway: '10.80.0.1' },
  ipv6: null,
  mtu: 1500,
  internal: false,
  ...bridgeOptions({}),
};
const web = {
  id,
  host: 'v0',
  containerId: id,
  network: network.key,
  interfaceName: 'eth0',
  ipv4: '10.80.0.2/24',
  ipv6: null,
  mac: '02:42:0a:50:00:02',
  defaultRoute: { ipv4: true, ipv6: false },
  ports: [
    { hostIp: '0.0.0.0', hostPort: 8080, containerPort: 80, protocol: 'tcp' },
    { hostIp: '127.0.0.1', hostPort: 53, containerPort: 5353, protocol: 'udp' },
    { hostIp: '::1', hostPort: 9000, containerPort: 90, protocol: 'tcp' },
  ],
  reach: [{ address: '10.80.0.3', port: 5432, protocol: 'tcp' }],
} as const;

test('the elements of a network encode its rights', () => {
  const sets = (changes: Partial<typeof network>): string[] =>
    networkElements({ ...network, ...changes })
      .map(({ set, key }) => `${set} ${key.join(' ')}`)
      .sort();
  const common = ['bridges br0', 'ranges br0 10.80.0.0/24', 'subnets 10.80.0.0/24'];
  const having = (...more: readonly string[]): string[] => [...common, ...more].sort();
  expect(sets({})).toEqual(having('open br0 br0', 'outbound 10.80.0.0/24'));
  expect(sets({ icc: false, masquerade: false })).toEqual(having());
  expect(sets({ internal: true })).toEqual(having('open br0 br0', 'internal br0'));
  const closed = { icc: false, masquerade: false } as const;
  expect(sets({ ...closed, metadata: false, hostAccess: false })).toEqual(
    having('metadata_closed br0', 'hostless br0'),
  );
  expect(sets({ ...closed, directAccess: true })).toEqual(having('exposed br0 ipv4'));
  expect(sets({ icc: false, gatewayMode4: 'nat-unprotected' })).toEqual(
    having('exposed br0 ipv4', 'outbound 10.80.0.0/24'),
  );
  expect(sets({ icc: false, gatewayMode4: 'routed' })).toEqual(having('routed br0 ipv4'));
  expect(sets({ icc: false, gatewayMode4: 'isolated', internal: true })).toEqual(
    having('isolated br0 ipv4', 'internal br0'),
  );
  expect(sets({ foreign: true })).toContain('ranges br0 0.0.0.0/0');
});

test('all elements of a container are one command a set', () => {
  const { elements } = publish(web, { rules: true, foreign: false, ipv6: true, routed: NOT_ROUTED });
  expect(
    addElements(names, `endpoint:${id}`, [...elements, ...reachElements(web, network), ...fenceElements(web, 'v0')])
      .join('\n')
      .replaceAll(id, 'ID'),
  ).toMatchInlineSnapshot(`
    "add element inet tsd-abc123 ports_any { tcp . 8080 comment "tsd:abc123:endpoint:ID" : 10.80.0.2 . 80 }
    add element inet tsd-abc123 ports { 127.0.0.1 . udp . 53 comment "tsd:abc123:endpoint:ID" : 10.80.0.2 . 5353 }
    add element inet tsd-abc123 reach { "br0" . 10.80.0.2 . 10.80.0.3 . tcp . 5432 comment "tsd:abc123:endpoint:ID" }
    add element bridge tsd-abc123 fenced { "v0" comment "tsd:abc123:endpoint:ID" }
    add element bridge tsd-abc123 leased { "v0" . 02:42:0a:50:00:02 . 10.80.0.2 comment "tsd:abc123:endpoint:ID" }"
  `);
  expect(deleteElements(names, elements)[0]).toBe('delete element inet tsd-abc123 ports_any { tcp . 8080 }');
});

test('listeners cover what the kernel cannot do', () => {
  const listeners = (rules: boolean, foreign: boolean, ipv6: boolean): string[] =>
    publish(web, { rules, foreign, ipv6, routed: NOT_ROUTED }).listeners.map(
      ({ address, port }) => `${address} ${port}`,
    );
  expect(listeners(true, false, true)).toEqual([':: 8080', '::1 9000']);
  expect(listeners(true, false, false)).toEqual(['::1 9000']);
  expect(listeners(true, true, true)).toEqual(['127.0.0.1 8080', ':: 8080', '127.0.0.1 53', '::1 9000']);
  expect(listeners(false, false, true)).toEqual(['0.0.0.0 8080', ':: 8080', '127.0.0.1 53', '::1 9000']);
});

test('a listing is parsed by owner without foreign elements', () => {
  const elem = (val: unknown, comment: string): unknown => ({ elem: { val, comment } });
  const mark = `tsd:abc123:endpoint:${id}`;
  const text = JSON.stringify({
    nftables: [
      { metainfo: { version: '1.1.3' } },
      { map: { name: 'ports_any', elem: [[elem({ concat: ['tcp', 8080] }, mark), { concat: ['10.80.0.2', 80] }]] } },
      { map: { name: 'ports', elem: [[{ concat: ['1.2.3.4', 'tcp', 1] }, { concat: ['10.80.0.9', 1] }]] } },
      { set: { name: 'bridges', elem: ['eth9', elem('br0', 'tsd:ffffff:network:br0')] } },
      { set: { name: 'subnets', elem: [elem({ prefix: { addr: '10.80.0.0', len: 24 } }, 'tsd:abc123:network:br0')] } },
    ],
  });
  const { intact, owned } = parseTable(names, text, null);
  expect(intact).toBe(false);
  expect([...owned]).toEqual([
    [`endpoint:${id}`, [{ set: 'ports_any', key: ['tcp', '8080'], value: ['10.80.0.2', '80'] }]],
    ['network:br0', [{ set: 'subnets', key: ['10.80.0.0/24'], value: null }]],
  ]);
  expect(isComplete({ intact: true, earlier: false, owned }, owned)).toBe(true);
  expect(isComplete({ intact: true, earlier: false, owned: new Map() }, owned)).toBe(false);
  expect(isComplete(null, new Map())).toBe(false);
});

test('ports of two containers conflict on one address or on all', () => {
  const ports = new PublishedPorts();
  const port = (hostIp: string, protocol: 'tcp' | 'udp' = 'tcp') => ({
    hostIp,
    hostPort: 80,
    containerPort: 1,
    protocol,
  });
  ports.set('a', [port('127.0.0.1')]);
  expect(ports.holder(port('127.0.0.1'), ['b'])).toBe('a');
  expect(ports.holder(port('0.0.0.0'), ['b'])).toBe('a');
  expect(ports.holder(port('10.0.0.1'), ['b'])).toBeNull();
  expect(ports.holder(port('127.0.0.1', 'udp'), ['b'])).toBeNull();
  expect(ports.holder(port('127.0.0.1'), ['a'])).toBeNull();
  ports.set('c', [port('::')]);
  expect(ports.holder(port('::1'), ['b'])).toBe('c');
  ports.set('a', []);
  expect(ports.holder(port('127.0.0.1'), ['b'])).toBeNull();
});

test('foreign names are not ours, and invalid ones are refused', () => {
  expect(names.veth(id)).toBe('vabc123aaaaaaaa');
  expect(names.idOf('network', 'tsd:abc123:network:network/app/n')).toBe('network/app/n');
  expect(names.idOf('network', 'tsd:abc124:network:network/app/n')).toBeNull();
  expect(names.idOf('network', null)).toBeNull();
  expect(() => new Names('abc12')).toThrow();
});
