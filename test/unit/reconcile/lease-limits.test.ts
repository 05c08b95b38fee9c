import { expect, test } from 'vitest';
import { LeaseBook } from '../../../src/reconcile/ops/networks/lease-book.ts';

const store = { addresses: () => [], ports: () => [], lastAddress: () => null, write: () => {} };
const commits = { commit: async () => {} };

test('addresses come from the range of a network and leave out what is reserved', () => {
  const book = new LeaseBook(store as never, commits as never, () => ({
    first: 49153,
    last: 65535,
    reserved: new Set(),
  }));
  const lease = (name: string, requested: string | null = null) =>
    book.address({
      network: 'network/blog/back',
      owner: `container/blog/${name}`,
      subnet: '10.80.0.0/24',
      gateway: '10.80.0.1',
      fixedCidr: '10.80.0.128/29',
      closed: ['10.80.0.128/30', '10.80.0.133'],
      requested,
      reserved: () => new Set(['10.80.0.134']),
    });
  expect(['a', 'b', 'c', 'd'].map((name) => lease(name))).toEqual(['10.80.0.132', '10.80.0.135', null, null]);
  expect(lease('e', '10.80.0.9')).toBe('10.80.0.9');
  expect(book.holders('network/blog/back', 'ipv4')).toContainEqual({ by: 'container/blog/a', address: '10.80.0.132' });
});

test('an automatic port is the next one of the range that is usable, the same for each address, until its lease ends', () => {
  const book = new LeaseBook(store as never, commits as never, () => ({
    first: 40000,
    last: 40003,
    reserved: new Set([40001]),
  }));
  const port = (name: string, hostIp = '0.0.0.0', taken: readonly number[] = []) =>
    book.port(
      { owner: `container/blog/${name}`, hostIp, containerPort: 80, protocol: 'tcp' },
      (candidate) => !taken.includes(candidate),
    );
  expect(port('a')).toBe(40000);
  expect(port('a', '::')).toBe(40000);
  expect(port('b', '0.0.0.0', [40002])).toBe(40003);
  // Somebody else's by now.
  expect(port('b', '0.0.0.0', [40003])).toBe(40002);
  expect(port('b')).toBe(40002);
  expect(port('c')).toBe(40003);
  expect(port('d')).toBeNull();
  book.release('container/blog/a');
  expect(port('d')).toBe(40000);
});
