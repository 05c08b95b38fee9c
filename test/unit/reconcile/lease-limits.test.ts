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
