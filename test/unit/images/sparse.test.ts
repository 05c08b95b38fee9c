import { describe, expect, it } from 'vitest';
import { checksum } from '../../../src/images/tar/header.ts';
import { TarReader } from '../../../src/images/tar/reader.ts';
import { tarOf, withFlag } from '../../support/images.ts';

const WITHOUT_END = -1024;

interface Read {
  readonly name: string;
  readonly size: number;
  /** `+N` for bytes, `-N` for a hole. */
  readonly parts: readonly string[];
}

function read(tar: Buffer, pieceBytes = tar.length): Read[] {
  const files: Read[] = [];
  const reader = new TarReader(({ name, size }) => {
    const parts: string[] = [];
    return {
      write: (bytes) => void parts.push(`+${bytes.toString('latin1')}`),
      skip: (bytes) => void parts.push(`-${bytes}`),
      end: () => void files.push({ name, size, parts }),
    };
  });
  for (let at = 0; at < tar.length; at += pieceBytes) reader.push(tar.subarray(at, at + pieceBytes));
  reader.finish();
  return files;
}

const record = (keyword: string, value: string): string => {
  const rest = ` ${keyword}=${value}\n`;
  const digits = String(rest.length + String(rest.length + 3).length).length;
  return `${rest.length + digits}${rest}`;
};

/** A file with pax records; the header of its records before it. */
function withPax(records: readonly (readonly [string, string])[], content: string): Buffer {
  const pax = tarOf({ path: 'pax', content: records.map(([key, value]) => record(key, value)).join('') });
  return Buffer.concat([withFlag(pax, 'x').subarray(0, WITHOUT_END), tarOf({ path: 'mangled', content })]);
}

const form1 = (map: string, data: string, realSize = 100): Buffer =>
  withPax(
    [
      ['GNU.sparse.major', '1'],
      ['GNU.sparse.minor', '0'],
      ['GNU.sparse.name', 'file'],
      ['GNU.sparse.realsize', String(realSize)],
    ],
    `${map.padEnd(Math.ceil(map.length / 512) * 512, '\0')}${data}`,
  );
const form01 = (map: string, data: string, realSize = 100): Buffer =>
  withPax(
    [
      ['GNU.sparse.size', String(realSize)],
      ['GNU.sparse.name', 'file'],
      ['GNU.sparse.map', map],
    ],
    data,
  );

/** The old form: offsets and lengths in the header, `more` in blocks after it. */
function oldForm(parts: readonly (readonly [number, number])[], data: string, realSize = 100): Buffer {
  const tar = tarOf({ path: 'file', content: data });
  const header = Buffer.from(tar.subarray(0, 512));
  const write = (block: Buffer, at: number, value: number): void =>
    void block.write(`${value.toString(8).padStart(11, '0')}\0`, at, 'latin1');
  header.write('ustar  \0', 257, 'latin1');
  header.write('S', 156, 'latin1');
  header.fill(0, 345, 512);
  for (const [index, [offset, length]] of parts.slice(0, 4).entries()) {
    write(header, 386 + index * 24, offset);
    write(header, 398 + index * 24, length);
  }
  header[482] = parts.length > 4 ? 1 : 0;
  write(header, 483, realSize);
  header.write(`${checksum(header).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  const blocks: Buffer[] = [];
  for (let at = 4; at < parts.length; at += 21) {
    const block = Buffer.alloc(512);
    for (const [index, [offset, length]] of parts.slice(at, at + 21).entries()) {
      write(block, index * 24, offset);
      write(block, index * 24 + 12, length);
    }
    block[504] = at + 21 < parts.length ? 1 : 0;
    blocks.push(block);
  }
  return Buffer.concat([header, ...blocks, tar.subarray(512)]);
}

describe('sparse files', () => {
  const file = { name: 'file', size: 100, parts: ['-10', '+abc', '-7', '+de', '-78'] };

  it.each([
    ['1.0', form1('2\n10\n3\n20\n2\n', 'abcde')],
    ['0.1', form01('10,3,20,2', 'abcde')],
    [
      '0.0',
      withPax(
        [
          ['GNU.sparse.size', '100'],
          ['GNU.sparse.numblocks', '2'],
          ['path', 'file'],
          ['GNU.sparse.offset', '10'],
          ['GNU.sparse.numbytes', '3'],
          ['GNU.sparse.offset', '20'],
          ['GNU.sparse.numbytes', '2'],
        ],
        'abcde',
      ),
    ],
    [
      'the old GNU form',
      oldForm(
        [
          [10, 3],
          [20, 2],
          [100, 0],
        ],
        'abcde',
      ),
    ],
  ])('are read in form %s, however the bytes are split', (_form, tar) => {
    expect(read(tar)).toEqual([file]);
    for (const pieceBytes of [1, 7, 512]) {
      const whole = read(tar, pieceBytes).map(({ parts, ...rest }) => ({
        ...rest,
        parts: parts
          .join(' ')
          .replaceAll(/(?<=[a-z]) \+/g, '')
          .split(' '),
      }));
      expect(whole).toEqual([file]);
    }
  });

  it('can be one hole, or have none', () => {
    expect(read(form1('0\n', ''))).toEqual([{ name: 'file', size: 100, parts: ['-100'] }]);
    expect(read(form01('', ''))).toEqual([{ name: 'file', size: 100, parts: ['-100'] }]);
    expect(read(form01('0,3', 'abc', 3))).toEqual([{ name: 'file', size: 3, parts: ['+abc'] }]);
  });

  it('can have more parts than one block of the map', () => {
    const parts = Array.from({ length: 60 }, (_, index) => [index * 2, 1] as const);
    const [found] = read(oldForm(parts, 'x'.repeat(60), 200));
    expect(found?.parts.slice(0, 4)).toEqual(['+x', '-1', '+x', '-1']);
    expect(found?.parts).toHaveLength(120);
  });

  const many = Array.from({ length: 30 }, (_, index) => [index, 0] as const);

  it.each([
    ['overlaps', form1('2\n10\n5\n12\n2\n', 'abcdefg'), /overlap/],
    ['goes back', form01('20,2,10,3', 'abcde'), /go back/],
    ['leads beyond the file', form1('1\n98\n5\n', 'abcde'), /beyond its size of 100/],
    ['leads beyond what a number can say', form01('9007199254740990,5', 'abcde'), /beyond its size|not a number/],
    ['is about more than is stored', form1('1\n10\n9\n', 'abcde'), /9 bytes, and 5 are stored/],
    ['is about less than is stored', form01('10,3', 'abcde'), /3 bytes, and 5 are stored/],
    ['has a huge count', form1('9999999999999\n', ''), /more than 500000 parts/],
    ['has an endless number', form1(`${'1'.repeat(40)}\n`, ''), /no list of numbers/],
    ['has negative numbers', form01('-5,5', 'abcde'), /negative/],
    ['has no numbers', form1('a\nb\n', ''), /no list of numbers/],
    ['has an odd number of them', form01('10,3,20', 'abc'), /without a length/],
    ['never ends', form1('3\n1\n1\n', ''), /no list of numbers|cut off/],
    [
      'overlaps in the old form',
      oldForm(
        [
          [0, 5],
          [3, 2],
        ],
        'abcdefg',
      ),
      /overlap/,
    ],
    ['is cut off in the old form', oldForm(many, '').subarray(0, 700), /cut off/],
    ['has no size', withPax([['GNU.sparse.map', '0,1']], 'a'), /has no size/],
    ['has a negative size', form01('', '', -1), /negative size/],
    [
      'is of a form to come',
      withPax(
        [
          ['GNU.sparse.major', '2'],
          ['GNU.sparse.realsize', '1'],
        ],
        'a',
      ),
      /form 2\.0/,
    ],
  ])('are refused when the map %s', (_what, tar, message) => {
    expect(() => read(tar)).toThrow(message);
    expect(() => read(tar)).toThrow(expect.objectContaining({ code: 'TSD_IMAGE_INVALID' }));
  });

  it('are refused in a global header', () => {
    const all = withFlag(tarOf({ path: 'pax', content: record('GNU.sparse.realsize', '5') }), 'g');
    expect(() => read(all)).toThrow(/for all files/);
  });
});
