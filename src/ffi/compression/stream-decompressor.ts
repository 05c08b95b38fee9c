/** A decompression that takes its input in pieces. {@link close} gives its memory back. */
export interface StreamDecompressor {
  /** Yields the decompressed bytes of `piece`. @throws TsdError TSD_IMAGE_INVALID. */
  push(piece: Buffer): Iterable<Buffer>;
  /** There is no more input: what was still held back. @throws TsdError TSD_IMAGE_INVALID when it is cut off. */
  finish(): Iterable<Buffer>;
  close(): void;
}
