/** A file with holes in a tar: its data alone, and before that a map of where it stands (pax form 1.0 of GNU tar). */
import { fstatSync } from 'node:fs';
import { dataStretches, mayHaveHoles, type Stretch } from '../../ffi/files/sparse-file.ts';
import { inSlices } from '../../ffi/slices.ts';
import { BLOCK, type TarHeader } from '../tar/header.ts';
import { encodeSparseHeader, paddingAfter } from '../tar/writer.ts';

/** A smaller hole costs more in the map than it saves. */
const LEAST_HOLE = 32 * 1024;
/** The map is held in memory, by who reads the tar too. */
const MOST_STRETCHES = 65_536;

/**
 * Where files have data, by name in the tar. Each is asked for once: a tar that is made twice must come out the same, and the
 * kernel may take back unused blocks in between.
 */
export class SparseMaps {
  readonly #known = new Map<string, readonly Stretch[]>();

  /** Null for a file without holes. */
  async of(name: string, fd: number): Promise<readonly Stretch[] | null> {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const stat = fstatSync(fd, { bigint: true });
    if (!mayHaveHoles(stat)) return null;
    const map = await inSlices(mapOf(fd, Number(stat.size)));
    this.#known.set(name, map);
    return map;
  }
}

function* mapOf(fd: number, size: number): Generator<null, Stretch[]> {
  const map: Stretch[] = [];
  const leastHole = Math.max(LEAST_HOLE, Math.ceil(size / MOST_STRETCHES));
  for (const stretch of dataStretches(fd, size, leastHole)) {
    map.push(stretch);
    yield null;
  }
  return map;
}

/** What stands before the data in the tar. */
export function sparseStart(header: TarHeader, map: readonly Stretch[]): Buffer {
  const last = map.at(-1);
  const ends = last === undefined ? 0 : last.offset + last.length;
  // GNU tar finds the end of a file in its map.
  const parts = ends < header.size ? [...map, { offset: header.size, length: 0 }] : map;
  const text = Buffer.from(`${parts.length}\n${parts.map(({ offset, length }) => `${offset}\n${length}\n`).join('')}`);
  const written = Buffer.concat([text, paddingAfter(text.length)]);
  return Buffer.concat([encodeSparseHeader(header, written.length + dataBytes(map)), written]);
}

export const sparsePadding = (map: readonly Stretch[]): Buffer => paddingAfter(dataBytes(map) % BLOCK);

const dataBytes = (map: readonly Stretch[]): number => map.reduce((sum, { length }) => sum + length, 0);
