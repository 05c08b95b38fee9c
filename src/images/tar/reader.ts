import type { MetaType, PaxRecords, TarHeader } from './header.ts';
import {
  applyPax,
  BLOCK,
  decodeHeader,
  decodePax,
  fromBytes,
  invalidTar,
  OLD_GNU_SPARSE,
  paxRecords,
  readable,
} from './header.ts';
import { type DataSink, OldGnuSparse, paxSparse, RepeatedParts, type SparseFile, sparseSink } from './sparse.ts';

/** Long names and pax records of one entry may not be larger than this. */
const MAX_META_BYTES = 1024 * 1024;

/**
 * A push parser: bytes go in with {@link push}, entries come out synchronously in archive order. It keeps no more than
 * one header and one set of pax records.
 */
export class TarReader {
  readonly #onEntry: (header: TarHeader) => DataSink | null;
  #partial: Buffer = Buffer.alloc(0);
  #sink: DataSink | null = null;
  #dataLeft = 0;
  #padding = 0;
  #ended = false;
  #meta: { readonly type: MetaType; readonly chunks: Buffer[] } | null = null;
  #global: PaxRecords = new Map();
  #pax: PaxRecords | null = null;
  #gnuName: string | null = null;
  #gnuLinkname: string | null = null;
  /** A sparse file whose map continues in the next block. */
  #sparse: { readonly header: TarHeader; readonly map: OldGnuSparse } | null = null;

  /** @param onEntry null skips the entry's bytes. */
  constructor(onEntry: (header: TarHeader) => DataSink | null) {
    this.#onEntry = onEntry;
  }

  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#ended) {
      if (this.#dataLeft > 0) at += this.#takeData(chunk, at);
      else if (this.#padding > 0) {
        const skipped = Math.min(this.#padding, chunk.length - at);
        this.#padding -= skipped;
        at += skipped;
      } else at += this.#takeHeader(chunk, at);
    }
  }

  /**
   * Bytes of the current entry that are not needed; the caller may leave them out of {@link push} when it can seek.
   * Calling it means they were left out.
   */
  takeSkippable(): number {
    if (this.#sink !== null || this.#meta !== null) return 0;
    const skipped = this.#dataLeft + this.#padding;
    this.#dataLeft = 0;
    this.#padding = 0;
    return skipped;
  }

  /** True after the end-of-archive block; what follows is ignored. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The archive has no more bytes. @throws TSD_IMAGE_INVALID when it breaks off inside an entry. */
  finish(): void {
    const insideEntry = this.#dataLeft > 0 || this.#partial.length > 0 || this.#sparse !== null;
    const awaitsEntry = this.#pax !== null || this.#gnuName !== null || this.#gnuLinkname !== null;
    if (insideEntry || (awaitsEntry && !this.#ended)) throw invalidTar('it is cut off');
  }

  #takeData(chunk: Buffer, at: number): number {
    const length = Math.min(this.#dataLeft, chunk.length - at);
    const bytes = chunk.subarray(at, at + length);
    this.#dataLeft -= length;
    if (this.#meta !== null) this.#meta.chunks.push(Buffer.from(bytes));
    else this.#sink?.write(bytes);
    if (this.#dataLeft === 0) this.#endData();
    return length;
  }

  #endData(): void {
    if (this.#meta !== null) this.#applyMeta(this.#meta.type, Buffer.concat(this.#meta.chunks));
    this.#meta = null;
    this.#sink?.end();
    this.#sink = null;
  }

  #takeHeader(chunk: Buffer, at: number): number {
    const wanted = BLOCK - this.#partial.length;
    const bytes = chunk.subarray(at, at + wanted);
    if (bytes.length < wanted) {
      this.#partial = Buffer.concat([this.#partial, bytes]);
      return bytes.length;
    }
    const block = this.#partial.length === 0 ? bytes : Buffer.concat([this.#partial, bytes]);
    this.#partial = Buffer.alloc(0);
    this.#startEntry(block);
    return bytes.length;
  }

  #startEntry(block: Buffer): void {
    if (this.#sparse !== null) {
      this.#sparse.map.addBlock(block);
      this.#continueSparse();
      return;
    }
    const raw = decodeHeader(block);
    if (raw === null) {
      this.#ended = true;
      return;
    }
    if (raw.meta !== null) {
      if (raw.size > MAX_META_BYTES) throw invalidTar(`a header of ${raw.size} bytes`);
      this.#meta = { type: raw.meta, chunks: [] };
      this.#startData(raw.size);
      return;
    }
    const pax = this.#pax;
    const named = this.#complete(raw.header);
    if (raw.flag === OLD_GNU_SPARSE) {
      this.#sparse = { header: named, map: new OldGnuSparse(named.name, block) };
      this.#continueSparse();
      return;
    }
    const sparse = pax === null ? null : paxSparse(pax, named.name);
    if (sparse !== null) {
      this.#startSparse(named, sparse);
      return;
    }
    const legacyDirectory = raw.flag === '\0' && named.name.endsWith('/');
    const header: TarHeader = legacyDirectory ? { ...named, type: 'directory', size: 0 } : named;
    this.#sink = this.#onEntry(header);
    this.#startData(header.size);
  }

  #continueSparse(): void {
    if (this.#sparse === null || this.#sparse.map.continues) return;
    const { header, map } = this.#sparse;
    this.#sparse = null;
    this.#startSparse(header, map.file);
  }

  /** @param named its size is that of what is stored. */
  #startSparse(named: TarHeader, file: SparseFile): void {
    const name = file.name ?? named.name;
    if (named.type !== 'file') throw invalidTar(`${readable(name)} is sparse and no file`);
    const sink = this.#onEntry({ ...named, name, size: file.realSize, sparse: true });
    this.#sink = sink === null ? null : sparseSink(sink, file, named.size, name);
    this.#startData(named.size);
  }

  #startData(size: number): void {
    this.#dataLeft = size;
    this.#padding = (BLOCK - (size % BLOCK)) % BLOCK;
    if (size === 0) this.#endData();
  }

  #complete(raw: TarHeader): TarHeader {
    let header = raw;
    if (this.#global.size > 0) header = applyPax(header, this.#global);
    if (this.#gnuName !== null) header = { ...header, name: this.#gnuName };
    if (this.#gnuLinkname !== null) header = { ...header, linkname: this.#gnuLinkname };
    if (this.#pax !== null) header = applyPax(header, this.#pax);
    this.#pax = null;
    this.#gnuName = null;
    this.#gnuLinkname = null;
    return header;
  }

  #applyMeta(type: MetaType, bytes: Buffer): void {
    const untilNul = (): string => fromBytes(bytes).split('\0', 1)[0] ?? '';
    if (type === 'pax') this.#pax = entryRecords(bytes);
    else if (type === 'pax-global') this.#global = new Map([...this.#global, ...globalRecords(bytes)]);
    else if (type === 'gnu-name') this.#gnuName = untilNul();
    else this.#gnuLinkname = untilNul();
  }
}

function entryRecords(bytes: Buffer): PaxRecords {
  const records = new Map<string, Buffer>();
  const parts = new RepeatedParts();
  for (const [keyword, value] of paxRecords(bytes)) if (!parts.take(keyword, value)) records.set(keyword, value);
  if (parts.map !== null) records.set('GNU.sparse.map', parts.map);
  return records;
}

function globalRecords(bytes: Buffer): PaxRecords {
  const records = decodePax(bytes);
  if ([...records.keys()].some((keyword) => keyword.startsWith('GNU.sparse.'))) {
    throw invalidTar('a sparse map for all files');
  }
  return records;
}
