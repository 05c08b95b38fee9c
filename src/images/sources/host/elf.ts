import { closeSync, openSync, readSync } from 'node:fs';
import { TsdError } from '../../../model/errors/errors.ts';

/** The dynamic section of an executable or shared library. Constants: include/uapi/linux/elf.h, elf(5). */
export interface ElfFile {
  readonly machine: number;
  /** Path of the dynamic loader; null for a static program or a library. */
  readonly interpreter: string | null;
  readonly needed: readonly string[];
  /** Search paths as written, with $ORIGIN unexpanded. */
  readonly rpath: readonly string[];
  readonly runpath: readonly string[];
}

const HEADER_BYTES = 64;
const MAGIC = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NEEDED = 1;
const DT_STRTAB = 5;
const DT_RPATH = 15;
const DT_RUNPATH = 29;
const PROGRAM_HEADER_BYTES = 56;
const DYNAMIC_ENTRY_BYTES = 16;
/** Larger than any linker writes; a file that says more is damaged. */
const MAX_TABLE_BYTES = 1024 * 1024;
const MAX_STRING_BYTES = 4096;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

/** Reads an ELF file without running it; null when it is none for 64-bit little-endian machines. @throws TSD_IMAGE_SOURCE. */
export function readElf(path: string): ElfFile | null {
  const fd = openSync(path, 'r');
  try {
    return new ElfReader(fd, path).read();
  } finally {
    closeSync(fd);
  }
}

class ElfReader {
  readonly #fd: number;
  readonly #path: string;

  constructor(fd: number, path: string) {
    this.#fd = fd;
    this.#path = path;
  }

  read(): ElfFile | null {
    const header = Buffer.alloc(HEADER_BYTES);
    if (readSync(this.#fd, header, 0, HEADER_BYTES, 0) < HEADER_BYTES) return null;
    if (!header.subarray(0, 4).equals(MAGIC) || header[4] !== CLASS_64 || header[5] !== LITTLE_ENDIAN) return null;
    const segments = this.#segments(header);
    const interpreter = segments.find(({ type }) => type === PT_INTERP);
    const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
    const entries = dynamic === undefined ? [] : this.#dynamicEntries(dynamic);
    const stringsAt = entries.find(({ tag }) => tag === DT_STRTAB)?.value;
    const strings = (wanted: number): string[] => {
      const values = entries.filter(({ tag }) => tag === wanted).map(({ value }) => value);
      if (values.length === 0) return [];
      if (stringsAt === undefined) throw this.#damaged('no string table');
      const table = this.#fileOffset(segments, stringsAt);
      return values.map((value) => this.#string(table + value));
    };
    const paths = (tag: number): string[] =>
      strings(tag).flatMap((list) => list.split(':').filter((path) => path !== ''));
    return {
      machine: header.readUInt16LE(18),
      interpreter: interpreter === undefined ? null : this.#string(interpreter.offset),
      needed: strings(DT_NEEDED),
      rpath: paths(DT_RPATH),
      runpath: paths(DT_RUNPATH),
    };
  }

  #segments(header: Buffer): Segment[] {
    const offset = Number(header.readBigUInt64LE(32));
    const entryBytes = header.readUInt16LE(54);
    const count = header.readUInt16LE(56);
    if (count > 0 && entryBytes < PROGRAM_HEADER_BYTES) throw this.#damaged('program headers are too small');
    const table = this.#bytes(offset, entryBytes * count);
    return Array.from({ length: count }, (_, index) => {
      const at = index * entryBytes;
      return {
        type: table.readUInt32LE(at),
        offset: Number(table.readBigUInt64LE(at + 8)),
        address: Number(table.readBigUInt64LE(at + 16)),
        size: Number(table.readBigUInt64LE(at + 32)),
      };
    });
  }

  #dynamicEntries({ offset, size }: Segment): { readonly tag: number; readonly value: number }[] {
    const table = this.#bytes(offset, size);
    return Array.from({ length: Math.floor(size / DYNAMIC_ENTRY_BYTES) }, (_, index) => ({
      tag: Number(table.readBigInt64LE(index * DYNAMIC_ENTRY_BYTES)),
      value: Number(table.readBigUInt64LE(index * DYNAMIC_ENTRY_BYTES + 8)),
    }));
  }

  #fileOffset(segments: readonly Segment[], address: number): number {
    const segment = segments.find(
      ({ type, address: start, size }) => type === PT_LOAD && address >= start && address < start + size,
    );
    if (segment === undefined) throw this.#damaged('an address outside its segments');
    return segment.offset + address - segment.address;
  }

  #bytes(offset: number, length: number): Buffer {
    if (length > MAX_TABLE_BYTES || !Number.isSafeInteger(offset)) throw this.#damaged('a table is too large');
    const bytes = Buffer.alloc(length);
    if (readSync(this.#fd, bytes, 0, length, offset) < length) throw this.#damaged('it is cut off');
    return bytes;
  }

  #string(offset: number): string {
    if (!Number.isSafeInteger(offset)) throw this.#damaged('a string lies outside the file');
    const bytes = Buffer.alloc(MAX_STRING_BYTES);
    const length = readSync(this.#fd, bytes, 0, MAX_STRING_BYTES, offset);
    const end = bytes.subarray(0, length).indexOf(0);
    if (end < 0) throw this.#damaged('a string has no end');
    return bytes.toString('utf8', 0, end);
  }

  #damaged(what: string): TsdError {
    return new TsdError('TSD_IMAGE_SOURCE', `${this.#path} is a damaged ELF file: ${what}`, { step: 'read ELF' });
  }
}
