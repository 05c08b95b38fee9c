import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TarHeader } from '../../../src/images/tar/header.ts';
import { decodePax } from '../../../src/images/tar/header.ts';
import { TarReader } from '../../../src/images/tar/reader.ts';
import { END_OF_ARCHIVE, encodeHeader, paddingAfter, tarHeader } from '../../../src/images/tar/writer.ts';
import { tarOf, withFlag } from '../../support/images.ts';

interface Read {
  readonly header: TarHeader;
  readonly content: string;
}

/** Reads a tar in pieces of the given size. */
function read(tar: Buffer, pieceBytes = tar.length): Read[] {
  const entries: Read[] = [];
  const reader = new TarReader((header) => {
    const pieces: Buffer[] = [];
    return {
      write: (bytes) => void pieces.push(Buffer.from(bytes)),
      skip: (bytes) => void pieces.push(Buffer.alloc(bytes)),
      end: () => entries.push({ header, content: Buffer.concat(pieces).toString('latin1') }),
    };
  });
  for (let at = 0; at < tar.length; at += pieceBytes) reader.push(tar.subarray(at, at + pieceBytes));
  reader.finish();
  return entries;
}

describe('tar', () => {
  it('returns what was written, however the bytes are split', () => {
    const header = fc.record({
      name: fc
        .string({ minLength: 1, maxLength: 300, unit: 'binary-ascii' })
        .map((name) => `n${name.replaceAll('\0', '')}`),
      type: fc.constant('file' as const),
      mode: fc.nat(0o7777),
      uid: fc.nat(0xffff_fffe),
      gid: fc.nat(0xffff_fffe),
      mtimeSeconds: fc.integer({ min: -1e10, max: 1e11 }),
      mtimeNanos: fc.nat(999_999_999),
      linkname: fc.constant(''),
      major: fc.constant(0),
      minor: fc.constant(0),
      xattrs: fc
        .dictionary(fc.constantFrom('user.a', 'user.b', 'security.capability'), fc.uint8Array({ maxLength: 40 }))
        .map((values) => new Map(Object.entries(values).map(([key, value]) => [key, Buffer.from(value)]))),
    });
    const file = fc.tuple(header, fc.uint8Array({ maxLength: 1500 }));
    fc.assert(
      fc.property(fc.array(file, { maxLength: 5 }), fc.integer({ min: 1, max: 1000 }), (files, pieceBytes) => {
        const wanted = files.map(([fields, bytes]) => ({ ...fields, size: bytes.length }));
        const tar = Buffer.concat([
          ...files.flatMap(([, bytes], index) => [
            encodeHeader(wanted[index] as TarHeader),
            Buffer.from(bytes),
            paddingAfter(bytes.length),
          ]),
          END_OF_ARCHIVE,
        ]);
        const entries = read(tar, pieceBytes);
        expect(entries.map(({ content }) => content)).toEqual(
          files.map(([, bytes]) => Buffer.from(bytes).toString('latin1')),
        );
        expect(entries.map((entry) => ({ ...entry.header, xattrs: [...entry.header.xattrs].sort() }))).toEqual(
          wanted.map((entry) => ({ ...entry, xattrs: [...entry.xattrs].sort() })),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('reads GNU long names', () => {
    const name = `${'d'.repeat(120)}/${'f'.repeat(120)}`;
    const long = withFlag(tarOf({ path: '././@LongLink', content: `${name}\0` }), 'L').subarray(0, -1024);
    expect(read(Buffer.concat([long, tarOf({ path: name.slice(0, 100), content: 'x' })]))).toMatchObject([
      { header: { name }, content: 'x' },
    ]);
  });

  it('does not read a long name cut at a slash as a directory', () => {
    const name = `${'d'.repeat(99)}/file`;
    const long = withFlag(tarOf({ path: '././@LongLink', content: `${name}\0` }), 'L').subarray(0, -1024);
    expect(read(Buffer.concat([long, tarOf({ path: name.slice(0, 100), content: 'x' })]))).toMatchObject([
      { header: { name, type: 'file' }, content: 'x' },
    ]);
  });

  it('reads a v7 name with a trailing slash as a directory', () => {
    expect(read(withFlag(tarOf({ path: 'old/' }), '\0'))).toMatchObject([{ header: { type: 'directory' } }]);
  });

  it('ignores bytes after the end', () => {
    expect(read(Buffer.concat([tarOf({ path: 'a' }), Buffer.from('garbage')]))).toHaveLength(1);
  });

  it.each([
    ['a wrong checksum', Buffer.from(tarOf({ path: 'a' })).fill('X', 0, 1), 'TSD_IMAGE_INVALID'],
    ['an unknown type', withFlag(tarOf({ path: 'a' }), 'Z'), 'TSD_IMAGE_INVALID'],
    ['a sparse file that is not of GNU tar', withFlag(tarOf({ path: 'a' }), 'S'), 'TSD_IMAGE_INVALID'],
    ['contents cut off', tarOf({ path: 'a', content: 'x'.repeat(2000) }).subarray(0, 1500), 'TSD_IMAGE_INVALID'],
    ['a header cut off', tarOf({ path: 'a' }).subarray(0, 300), 'TSD_IMAGE_INVALID'],
    ['pax records with nothing after them', tarOf({ path: 'n'.repeat(200) }).subarray(0, 1024), 'TSD_IMAGE_INVALID'],
    [
      'a gigantic pax header',
      withFlag(encodeHeader(tarHeader({ type: 'file', path: 'a', size: 1e9 })), 'x'),
      'TSD_IMAGE_INVALID',
    ],
    ['noise', Buffer.alloc(2048, 'noise'), 'TSD_IMAGE_INVALID'],
  ])('refuses %s', (_what, tar, code) => {
    expect(() => read(tar)).toThrow(expect.objectContaining({ code }));
  });

  it.each(['99 a=b\n', 'x a=b\n', '5 ab\n', '0 a=b\n', '6 a=bc', '999999999999 a=b\n'])(
    'refuses the pax record %j',
    (record) => {
      expect(() => decodePax(Buffer.from(record))).toThrow(expect.objectContaining({ code: 'TSD_IMAGE_INVALID' }));
    },
  );
});
