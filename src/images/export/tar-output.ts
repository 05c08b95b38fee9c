/** The parts of an archive that is written file by file. */
import { END_OF_ARCHIVE, encodeHeader, paddingAfter, tarHeader } from '../tar/writer.ts';

/** A file of known content. */
export function* textFile(path: string, content: string | Buffer): Generator<Buffer> {
  const bytes = Buffer.from(content);
  yield Buffer.concat([
    encodeHeader(tarHeader({ type: 'file', path, size: bytes.length })),
    bytes,
    paddingAfter(bytes.length),
  ]);
}

/** A file whose bytes are streamed. @param size what `pieces` will give. */
export async function* streamedFile(path: string, size: number, pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield encodeHeader(tarHeader({ type: 'file', path, size }));
  yield* pieces;
  yield paddingAfter(size);
}

export function directory(path: string): Buffer {
  return encodeHeader(tarHeader({ type: 'directory', path: `${path}/` }));
}

export const END = END_OF_ARCHIVE;
