import { encode, type Packet } from 'dns-packet';
import { describe, expect, it } from 'vitest';
import { answer } from '../../../src/resolver/names/answer.ts';
import type { View } from '../../../src/resolver/names/view.ts';
import { Zone } from '../../../src/resolver/names/zone.ts';
import { isQuery, readQuery } from '../../../src/resolver/packet/query.ts';
import type { NameRecord } from '../../../src/resolver/protocol.ts';

const known = (
  name: string,
  ipv4: readonly string[],
  ipv6: readonly string[] = [],
  scope: string | null = null,
): NameRecord => ({
  name,
  scope,
  ipv4,
  ipv6,
});

function zone(
  key: string,
  names: readonly NameRecord[],
  labels = [{ label: key, scope: null as string | null }],
): Zone {
  const pointers = names.flatMap(({ name, ipv4: [address] }) =>
    address === undefined ? [] : [{ address, name: `${name}.${key}` }],
  );
  return new Zone({ key, digest: key, labels, names, pointers });
}

const view = (zones: readonly Zone[], changes: Partial<View> = {}): View => ({
  zones,
  scope: null,
  aliases: [],
  ndots: null,
  ...changes,
});

/** `A web`: what is answered, as `0 10.0.0.1`, with the code first. */
function ask(text: string, from: View): string {
  const [type = '', name = '.'] = text.split(' ');
  const query = readQuery(encode({ type: 'query', id: 1, questions: [{ type, name, class: 'IN' }] } as Packet));
  if (!isQuery(query)) throw new Error('no question');
  const found = answer(query, from);
  return found === 'forward' ? found : [found.code, ...found.records.map(({ data }) => data)].join(' ');
}

describe('an answer from names', () => {
  const front = zone('front', [known('web', ['10.1.0.2'], ['fd00::2']), known('db', ['10.1.0.3']), known('gone', [])]);
  const back = zone('back', [
    known('db', ['10.2.0.3']),
    known('web.front', ['10.2.0.9']),
    known('v6', [], ['fd00::6']),
  ]);

  it('comes from the first network that knows the name, without merging', () => {
    expect(ask('A db', view([front, back]))).toBe('0 10.1.0.3');
    expect(ask('A db', view([back, front]))).toBe('0 10.2.0.3');
    expect(ask('AAAA v6', view([front, back]))).toBe('0 fd00::6');
  });

  it('looks a name with a dot up as a whole first, then as a name of a network', () => {
    expect(ask('A web.front', view([front, back]))).toBe('0 10.2.0.9');
    expect(ask('A db.front', view([back, front]))).toBe('0 10.1.0.3');
    expect(ask('A db.nowhere', view([front, back]))).toBe('forward');
    expect(ask('A x.db.front', view([front, back]))).toBe('forward');
    const dotted = zone('my.net', [known('a.b', ['10.3.0.1'])]);
    expect(ask('A a.b.my.net', view([dotted]))).toBe('0 10.3.0.1');
  });

  it('is empty for a known name without that family or type', () => {
    const both = view([front, back]);
    expect(ask('AAAA db', both)).toBe('0');
    expect(ask('A v6', both)).toBe('0');
    expect(ask('TXT web', both)).toBe('0');
    expect(ask('A gone', both)).toBe('0');
    expect(ask('PTR web', both)).toBe('0');
    expect(ask('A 3.0.1.10.in-addr.arpa', both)).toBe('0');
  });

  it('prefers names of the own scope, also of networks', () => {
    const mixed = zone('mixed', [
      known('web', ['10.4.0.1']),
      known('web', ['10.4.0.2'], [], 'blog'),
      known('own', ['10.4.0.3'], [], 'blog'),
    ]);
    expect(ask('A web', view([mixed], { scope: 'blog' }))).toBe('0 10.4.0.2');
    expect(ask('A web', view([mixed], { scope: 'shop' }))).toBe('0 10.4.0.1');
    expect(ask('A own', view([mixed]))).toBe('forward');
    const shared = zone('k1', [known('a', ['10.5.0.1'])], [{ label: 'default', scope: null }]);
    const ours = zone('k2', [known('a', ['10.5.0.2'])], [{ label: 'default', scope: 'blog' }]);
    expect(ask('A a.default', view([shared, ours], { scope: 'blog' }))).toBe('0 10.5.0.2');
  });

  it('has private aliases before all names; one whose target is not there is none', () => {
    const aliases = [
      { alias: 'DB', network: 'back', name: 'v6' },
      { alias: 'later', network: 'back', name: 'unknown' },
    ];
    expect(ask('AAAA db', view([front, back], { aliases }))).toBe('0 fd00::6');
    expect(ask('A later', view([front, back], { aliases }))).toBe('forward');
  });

  it('follows what changes in a network', () => {
    const changing = zone('changing', [known('a', ['10.6.0.1']), known('b', ['10.6.0.2'])]);
    const change = {
      key: 'changing',
      from: 'changing',
      digest: 'next',
      set: [known('A', ['10.6.0.9'])],
      unset: [{ name: 'B', scope: null }],
    };
    changing.change({
      ...change,
      setPointers: [{ address: '10.6.0.9', name: 'a.changing' }],
      unsetPointers: ['10.6.0.1'],
    });
    const only = view([changing]);
    expect(changing.digest).toBe('next');
    expect(
      ['A a', 'A b', 'PTR 9.0.6.10.in-addr.arpa', 'PTR 1.0.6.10.in-addr.arpa'].map((text) => ask(text, only)),
    ).toEqual(['0 10.6.0.9', 'forward', '0 a.changing', 'forward']);
  });

  it('is of this host for localhost, and "no such name" below invalid', () => {
    expect(ask('A localhost', view([]))).toBe('0 127.0.0.1');
    expect(ask('AAAA x.y.localhost', view([]))).toBe('0 ::1');
    expect(ask('MX localhost', view([]))).toBe('0');
    expect(ask('A a.invalid', view([]))).toBe('3');
    expect(ask('PTR 1.0.0.127.in-addr.arpa', view([]))).toBe('0 localhost');
    expect(ask(`PTR 1.${'0.'.repeat(31)}ip6.arpa`, view([]))).toBe('0 localhost');
    expect(ask('A localhost.example', view([]))).toBe('forward');
  });

  it('is empty for unknown short names where ndots is set by the user', () => {
    expect(ask('A short', view([], { ndots: 1 }))).toBe('0');
    expect(ask('MX short', view([], { ndots: 1 }))).toBe('forward');
    expect(ask('A a.b', view([], { ndots: 1 }))).toBe('forward');
    expect(ask('NS .', view([], { ndots: 1 }))).toBe('forward');
    expect(ask('A short', view([]))).toBe('forward');
  });

  it('takes no name without an address that is one', () => {
    expect(() => zone('bad', [known('a', ['10.0.0.256'])])).toThrow('addresses of a are none');
    expect(() => zone('bad', [known('a', [], ['10.0.0.1'])])).toThrow('addresses of a are none');
    expect(
      () => new Zone({ key: 'k', digest: '', labels: [], names: [], pointers: [{ address: 'x', name: 'y' }] }),
    ).toThrow('x is no address');
  });
});
