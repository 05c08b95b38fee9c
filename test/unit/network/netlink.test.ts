import { expect, test } from 'vitest';
import { newVeth } from '../../../src/ffi/network/links.ts';
import { attribute, nested, parseAttributes, readWhole } from '../../../src/ffi/network/netlink.ts';
import { newRoute } from '../../../src/ffi/network/routes.ts';

test('attributes are padded to four bytes and read back', () => {
  const bytes = Buffer.concat([attribute(3, 'eth0'), attribute(4, 1500), nested(18, attribute(1, 'veth'))]);
  expect(bytes.length % 4).toBe(0);
  const found = parseAttributes(bytes, 0);
  expect(found.get(3)?.toString()).toBe('eth0\0');
  expect(found.get(4)?.readUInt32LE()).toBe(1500);
  expect(
    parseAttributes(found.get(18) as Buffer, 0)
      .get(1)
      ?.toString(),
  ).toBe('veth\0');
  expect([...parseAttributes(bytes, 0, new Set([4])).keys()]).toEqual([4]);
});

test('a truncated attribute ends the parse', () => {
  const bytes = attribute(3, 'eth0');
  expect(parseAttributes(bytes.subarray(0, 6), 0).size).toBe(0);
  expect(parseAttributes(Buffer.alloc(16), 0).size).toBe(0);
});

test('a veth pair is one message with the peer inside', () => {
  const peer = { name: 'eth0', mac: '02:42:0a:50:00:02', netnsFd: 9 };
  const { type, body, step } = newVeth({ name: 'v0', mtu: 1500, group: 7, master: 3, peer });
  expect([type, step]).toEqual([16, 'create veth v0']);
  const info = parseAttributes(parseAttributes(body, 16).get(18) as Buffer, 0);
  const inside = parseAttributes(parseAttributes(info.get(2) as Buffer, 0).get(1) as Buffer, 16);
  expect(inside.get(3)?.toString()).toBe('eth0\0');
  expect(inside.get(1)?.toString('hex')).toBe('02420a500002');
  expect(inside.get(28)?.readUInt32LE()).toBe(9);
});

test('a route to an invalid network is refused', () => {
  expect(() => newRoute({ destination: 'default', gateway: null, link: 1 })).toThrow('default is not a network');
});

test('a dump that changed during the read is read again, never taken as complete', () => {
  const whole = Buffer.from('whole');
  let reads = 0;
  expect(readWhole('list links', () => ({ found: [whole], torn: ++reads < 7 ? 'NLM_F_DUMP_INTR' : null }))).toEqual([
    whole,
  ]);
  expect(reads).toBe(7);
  expect(() => readWhole('list links', () => ({ found: [whole], torn: 'NLM_F_DUMP_INTR' }))).toThrow(
    expect.objectContaining({ code: 'TSD_NETWORK', class: 'unavailable', step: 'list links' }),
  );
});
