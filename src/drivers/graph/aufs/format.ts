import { statWithoutLinks } from '../../../ffi/files/without-links.ts';
import { joinBytes, namesIn } from '../tree-changes.ts';
import type { UnionFormat } from '../union-changes.ts';

/** include/uapi/linux/aufs_type.h: AUFS_WH_PFX, AUFS_WH_PFX2 (aufs' own bookkeeping), AUFS_WH_DIROPQ */
const WHITEOUT = Buffer.from('.wh.');
const OWN = Buffer.from('.wh..wh.');
const OPAQUE = Buffer.from('.wh..wh..opq');
/** include/uapi/linux/limits.h */
const NAME_MAX = 255;

const startsWith = (name: Buffer, prefix: Buffer): boolean => name.subarray(0, prefix.length).equals(prefix);

function hides(directory: Buffer, name: Buffer): boolean {
  const whiteout = Buffer.concat([WHITEOUT, name]);
  return whiteout.length <= NAME_MAX && statWithoutLinks(joinBytes(directory, whiteout)) !== null;
}

/** A whiteout is a file named `.wh.` and the hidden name; an opaque directory holds the file `.wh..wh..opq`. */
export const AUFS_FORMAT: UnionFormat = {
  *names(directory) {
    const names = yield* namesIn(directory);
    return names
      .filter((name) => !startsWith(name, OWN))
      .map((name) => (startsWith(name, WHITEOUT) ? name.subarray(WHITEOUT.length) : name));
  },
  find: (directory, name) => (hides(directory, name) ? 'whiteout' : statWithoutLinks(joinBytes(directory, name))),
  isOpaque: (directory) => statWithoutLinks(joinBytes(directory, OPAQUE)) !== null,
};
