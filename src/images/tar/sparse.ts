/**
 * Sparse files as `tar --sparse` stores them: where the parts with data are in the file, and then only those. The forms
 * are those of GNU tar's manual, appendix "Storing Sparse Files": the old GNU one (type S) and pax 0.0, 0.1 and 1.0.
 */
import { BLOCK, decimalValue, fromBytes, invalidTar, numberField, type PaxRecords, readable } from './header.ts';

/** Takes the bytes of one file. `end` comes once, after the last byte, also for an empty file. */
export interface DataSink {
  write(bytes: Buffer): void;
  /** So many bytes of zeros that are not stored. */
  skip(bytes: number): void;
  end(): void;
}

/** Offset and length of each part with data, one after the other. */
type SparseMap = readonly number[];

export interface SparseFile {
  /** Byte string; null where the header's is right. */
  readonly name: string | null;
  /** With the holes. */
  readonly realSize: number;
  /** Null where it stands before the data. */
  readonly map: SparseMap | null;
}

/** More parts than any real file has: their places are held in memory. */
const MAX_PARTS = 500_000;
const MAX_NUMBER_DIGITS = 16;

/** A header of type S, whose map continues in blocks of its own. */
export class OldGnuSparse {
  readonly #name: string;
  readonly #map: number[] = [];
  readonly realSize: number;
  /** The next block is one of the map. */
  continues: boolean;

  constructor(name: string, block: Buffer) {
    if (block.toString('latin1', 257, 263) !== 'ustar ')
      throw invalidTar(`${readable(name)} is of type S and not GNU's`);
    this.#name = name;
    this.#take(block, 386, 4);
    this.continues = block[482] !== 0;
    this.realSize = numberField(block, 483, 12, 'size of a sparse file');
  }

  addBlock(block: Buffer): void {
    this.#take(block, 0, 21);
    this.continues = block[504] !== 0;
  }

  get file(): SparseFile {
    return { name: null, realSize: this.realSize, map: this.#map };
  }

  #take(block: Buffer, start: number, count: number): void {
    for (let at = start; at < start + count * 24; at += 24) {
      if (block[at + 12] === 0) return;
      if (this.#map.length >= MAX_PARTS * 2) throw tooManyParts(this.#name);
      this.#map.push(numberField(block, at, 12, 'sparse offset'), numberField(block, at + 12, 12, 'sparse length'));
    }
  }
}

/** What pax records say of a sparse file; null for another one. @throws TSD_IMAGE_INVALID. */
export function paxSparse(records: PaxRecords, name: string): SparseFile | null {
  const text = (keyword: string): string | null => {
    const value = records.get(`GNU.sparse.${keyword}`);
    return value === undefined ? null : fromBytes(value);
  };
  const number = (keyword: string): number | null => {
    const value = records.get(`GNU.sparse.${keyword}`);
    return value === undefined ? null : decimalValue(value, `GNU.sparse.${keyword}`);
  };
  const realSize = number('realsize') ?? number('size');
  const [major, minor] = [number('major') ?? 0, number('minor') ?? 0];
  const map = text('map');
  if (realSize === null && map === null && text('major') === null) return null;
  if (realSize === null) throw invalidTar(`${readable(name)} is sparse and has no size`);
  if (major > 1 || (major === 1 && minor > 0)) throw invalidTar(`sparse form ${major}.${minor} of ${readable(name)}`);
  const parts = map === null || map === '' ? [] : map.split(',').map((part) => decimalValue(Buffer.from(part), 'map'));
  return { name: text('name'), realSize, map: major === 1 ? null : parts };
}

/** Pax 0.0 has the map as records that come again and again: they become the one record of 0.1. */
export class RepeatedParts {
  readonly #values: Buffer[] = [];

  /** @returns whether it was one of them. */
  take(keyword: string, value: Buffer): boolean {
    if (keyword !== 'GNU.sparse.offset' && keyword !== 'GNU.sparse.numbytes') return false;
    this.#values.push(value);
    return true;
  }

  get map(): Buffer | null {
    return this.#values.length === 0 ? null : Buffer.from(this.#values.map(fromBytes).join(','));
  }
}

/**
 * Passes the stored bytes of a sparse file on to where they are in the file.
 * @param stored bytes in the archive. @throws TSD_IMAGE_INVALID for a map that does not fit.
 */
export function sparseSink(sink: DataSink, file: SparseFile, stored: number, name: string): DataSink {
  if (file.realSize < 0) throw invalidTar(`negative size of ${readable(name)}`);
  if (file.map !== null) return new Spread(sink, checked(file.map, file.realSize, stored, name), file.realSize);
  return new MapFirst(sink, file.realSize, stored, name);
}

/** The parts must be in order, apart from each other, within the file, and all that is stored. */
function checked(map: SparseMap, realSize: number, stored: number, name: string): SparseMap {
  const bad = (what: string): Error => invalidTar(`the sparse map of ${readable(name)} ${what}`);
  if (map.length % 2 !== 0) throw bad('has an offset without a length');
  if (map.length > MAX_PARTS * 2) throw tooManyParts(name);
  let end = 0;
  let sum = 0;
  for (let at = 0; at < map.length; at += 2) {
    const [offset, length] = [map[at] as number, map[at + 1] as number];
    if (offset < 0 || length < 0) throw bad('has a negative number');
    if (offset < end) throw bad('has parts that overlap or go back');
    end = offset + length;
    sum += length;
    if (end > realSize) throw bad(`leads beyond its size of ${realSize} bytes`);
  }
  if (sum !== stored) throw bad(`is about ${sum} bytes, and ${stored} are stored`);
  return map;
}

function tooManyParts(name: string): Error {
  return invalidTar(`the sparse map of ${readable(name)} has more than ${MAX_PARTS} parts`);
}

class Spread implements DataSink {
  readonly #sink: DataSink;
  readonly #map: SparseMap;
  readonly #realSize: number;
  /** Where the next byte is in the file. */
  #position = 0;
  /** Index of the current part in the map, and what is left of it. */
  #part = 0;
  #left = 0;

  constructor(sink: DataSink, map: SparseMap, realSize: number) {
    this.#sink = sink;
    this.#map = map;
    this.#realSize = realSize;
  }

  write(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#left === 0) this.#nextPart();
      const piece = bytes.subarray(at, at + this.#left);
      this.#sink.write(piece);
      this.#position += piece.length;
      this.#left -= piece.length;
      at += piece.length;
    }
  }

  skip(bytes: number): void {
    this.#sink.skip(bytes);
  }

  end(): void {
    this.#skipTo(this.#realSize);
    this.#sink.end();
  }

  #nextPart(): void {
    while (this.#left === 0) {
      this.#left = this.#map[this.#part + 1] as number;
      this.#skipTo(this.#map[this.#part] as number);
      this.#part += 2;
    }
  }

  #skipTo(position: number): void {
    if (position > this.#position) this.#sink.skip(position - this.#position);
    this.#position = position;
  }
}

/** Pax 1.0: before the data stand the number of parts and their numbers, a line each, filled up to a block. */
class MapFirst implements DataSink {
  readonly #sink: DataSink;
  readonly #realSize: number;
  readonly #stored: number;
  readonly #name: string;
  readonly #map: number[] = [];
  #count: number | null = null;
  #digits = '';
  #read = 0;
  #spread: Spread | null = null;

  constructor(sink: DataSink, realSize: number, stored: number, name: string) {
    this.#sink = sink;
    this.#realSize = realSize;
    this.#stored = stored;
    this.#name = name;
  }

  write(bytes: Buffer): void {
    let at = 0;
    while (this.#spread === null && at < bytes.length) {
      // What is after the last number fills the block.
      if (!this.#isWhole) this.#takeByte(bytes[at] as number);
      at += 1;
      this.#read += 1;
      if (this.#isWhole && this.#read % BLOCK === 0) this.#begin();
    }
    if (at < bytes.length) this.#spread?.write(bytes.subarray(at));
  }

  skip(bytes: number): void {
    this.#sink.skip(bytes);
  }

  end(): void {
    if (this.#spread === null) throw invalidTar(`the sparse map of ${readable(this.#name)} is cut off`);
    this.#spread.end();
  }

  get #isWhole(): boolean {
    return this.#count !== null && this.#map.length === this.#count * 2;
  }

  #takeByte(byte: number): void {
    if (byte >= 0x30 && byte <= 0x39 && this.#digits.length < MAX_NUMBER_DIGITS) {
      this.#digits += String.fromCharCode(byte);
      return;
    }
    if (byte !== 0x0a || this.#digits === '') {
      throw invalidTar(`the sparse map of ${readable(this.#name)} is no list of numbers`);
    }
    const number = Number(this.#digits);
    this.#digits = '';
    if (this.#count !== null) this.#map.push(number);
    else if (number > MAX_PARTS) throw tooManyParts(this.#name);
    else this.#count = number;
  }

  #begin(): void {
    const map = checked(this.#map, this.#realSize, this.#stored - this.#read, this.#name);
    this.#spread = new Spread(this.#sink, map, this.#realSize);
  }
}
