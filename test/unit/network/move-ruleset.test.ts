import { expect, test } from 'vitest';
import { announcement } from '../../../src/drivers/network/bridge/announcements.ts';
import {
  keptConnections,
  type Move,
  moveRules,
  moveTable,
  moveTables,
  parseMove,
  sidesOf,
} from '../../../src/drivers/network/bridge/firewall/move-ruleset.ts';
import { Names } from '../../../src/drivers/network/bridge/names.ts';

const names = new Names('abc123');
const OLD = { link: 'vabc1230000000b', mac: '02:42:0a:50:00:02' };
const NEW = { link: 'vabc1230000000a', mac: '02:42:0a:50:00:03' };
const MOVE: Move = {
  sides: sidesOf(OLD, NEW),
  addresses: { ipv4: '10.80.0.2', ipv6: 'fd00::2' },
  bridge: 'tsdt1',
  owner: 1,
  recorded: [1],
};

test('the same two containers have the same table, whichever of them gives', () => {
  expect(moveTable(names, sidesOf(NEW, OLD))).toBe(moveTable(names, MOVE.sides));
  const listed = { nftables: [{ table: { name: moveTable(names, MOVE.sides) } }, { table: { name: 'tsd-abc123' } }] };
  expect(moveTables(names, JSON.stringify(listed))).toEqual([moveTable(names, MOVE.sides)]);
  expect(moveTables(new Names('abc124'), JSON.stringify(listed))).toEqual([]);
});

test('only frames to one of the two MACs are steered, and neighbour discovery is not', () => {
  const rules = moveRules(names, MOVE).split('\n');
  const steering = rules.filter((rule) => / steer ether daddr/.test(rule));
  expect(steering).toHaveLength(4);
  for (const rule of steering) expect(rule).toContain(`ether daddr { ${NEW.mac}, ${OLD.mac} }`);
  const ipv6 = rules.filter((rule) => rule.startsWith('add rule bridge') && rule.includes(' steer_ipv6 '));
  expect(ipv6[0]).toMatch(/nd-neighbor-solicit, nd-neighbor-advert } accept$/);
});

test('without IPv6 there are no rules for it', () => {
  expect(moveRules(names, { ...MOVE, addresses: { ipv4: '10.80.0.2', ipv6: null } })).not.toMatch(/ip6|ipv6/);
});

test('connections are kept by family, and none is no command', () => {
  const open = [
    { protocol: 'tcp', peer: '10.80.0.9', peerPort: 40_000, port: 80 },
    { protocol: 'udp', peer: 'fd00::9', peerPort: 40_001, port: 53 },
  ];
  const commands = keptConnections(names, MOVE, 1, open)?.split('\n') ?? [];
  expect(commands).toHaveLength(4);
  expect(commands[0]).toMatch(/^add element bridge \S+ ipv4_of_1 { tcp \. 10\.80\.0\.9 \. 40000 \. 80 }$/);
  expect(commands[3]).toMatch(/^add element netdev \S+ ipv6_of_1 { udp \. fd00::9 \. 40001 \. 53 }$/);
  expect(keptConnections(names, MOVE, 1, [])).toBeNull();
});

test('a later supervisor reads from the kernel whose the address is', () => {
  const list = (kind: string, value: unknown): string => JSON.stringify({ nftables: [{ [kind]: value }] });
  const lists = {
    sides: list('map', {
      elem: [
        [OLD.link, OLD.mac],
        [NEW.link, NEW.mac],
      ],
    }),
    ipv4: list('set', { elem: ['10.80.0.2'] }),
    ipv6: null,
    owner: list('rule', { expr: [{ mangle: { value: OLD.mac } }, { accept: null }] }),
  };
  const addresses = { ipv4: '10.80.0.2', ipv6: null };
  expect(parseMove(lists)).toEqual({ sides: MOVE.sides, addresses, owner: 1 });
  expect(parseMove({ ...lists, owner: list('chain', { name: 'owner' }) })).toBeNull();
});

test('announcements are what the RFCs say', () => {
  expect(announcement('10.80.0.2', NEW.mac).toString('hex')).toBe(
    'ffffffffffff02420a5000030806000108000604000102420a5000030a5000020000000000000a500002',
  );
  const frame = announcement('fd00::2', NEW.mac);
  expect(frame.subarray(0, 14).toString('hex')).toBe('33330000000102420a50000386dd');
  // The sum of all words with the right checksum in place is all ones: RFC 1071.
  const pseudo = Buffer.concat([frame.subarray(22, 54), Buffer.from([0, 0, 0, 32, 0, 0, 0, 58]), frame.subarray(54)]);
  let sum = 0;
  for (let at = 0; at < pseudo.length; at += 2) sum += pseudo.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  expect(sum).toBe(0xffff);
});
