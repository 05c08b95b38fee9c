import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newId } from '../../../src/state/ids.ts';
import { checkImageName, parseImageName } from '../../../src/state/images/image-names.ts';
import { TruncIndex } from '../../../src/state/trunc-index.ts';

describe('unique beginnings', () => {
  const index = new TruncIndex();
  for (const id of ['abc1', 'abc2', 'b', 'b7']) index.add(id);

  it('finds one id', () => {
    expect(index.get('abc1')).toBe('abc1');
    expect(index.get('b7')).toBe('b7');
  });

  it('accepts a whole id that is a prefix of another', () => {
    expect(index.get('b')).toBe('b');
  });

  it.each(['ab', 'c', 'abc11'])('refuses %s', (prefix) => {
    expect(() => index.get(prefix)).toThrow(`no such id: ${prefix}`);
  });

  it('refuses the empty text', () => {
    expect(() => index.get('')).toThrow("prefix can't be empty");
  });

  it('agrees with a linear search after any changes', () => {
    const id = fc.string({ minLength: 1, maxLength: 4, unit: fc.constantFrom('a', 'b', 'c') });
    fc.assert(
      fc.property(fc.array(id), fc.array(id), id, (added, deleted, prefix) => {
        const truncIndex = new TruncIndex();
        for (const text of added) truncIndex.add(text);
        for (const text of deleted) truncIndex.delete(text);
        const left = [...new Set(added)].filter((text) => !deleted.includes(text));
        const matches = left.filter((text) => text.startsWith(prefix));
        const expected = left.includes(prefix) ? prefix : matches.length === 1 ? matches[0] : undefined;
        if (expected === undefined) expect(() => truncIndex.get(prefix)).toThrow('no such id');
        else expect(truncIndex.get(prefix)).toBe(expected);
      }),
    );
  });
});

describe('image names', () => {
  it.each([
    ['nginx', 'nginx', 'latest'],
    ['nginx:1.27', 'nginx', '1.27'],
    ['host:5000/app', 'host:5000/app', 'latest'],
    ['host:5000/app:v1', 'host:5000/app', 'v1'],
  ])('reads %s', (text, repository, tag) => {
    expect(parseImageName(text)).toEqual({ repository, tag });
    expect(() => checkImageName({ repository, tag })).not.toThrow();
  });

  it.each([
    ['', 'latest', 'empty'],
    ['https://x/y', 'latest', 'scheme'],
    ['nginx', '-x', 'tag'],
    ['nginx', 'a'.repeat(129), 'tag'],
    ['Nginx', 'latest', 'a-z'],
    ['a//b', 'latest', 'a-z'],
    ['a'.repeat(64), 'latest', 'image id'],
    ['ho$t.x/app', 'latest', 'host'],
  ])('refuses %s:%s', (repository, tag, reason) => {
    expect(() => checkImageName({ repository, tag })).toThrow(reason);
  });
});

it('creates no id whose short form is a number', () => {
  const answers = [Buffer.alloc(32, 0x12), Buffer.alloc(32, 0xab)];
  expect(newId(() => answers.shift() ?? Buffer.alloc(32))).toBe('ab'.repeat(32));
});
