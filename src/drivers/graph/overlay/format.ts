import { statWithoutLinks } from '../../../ffi/files/without-links.ts';
import { joinBytes, namesIn, xattrsOf } from '../tree-changes.ts';
import type { UnionFormat } from '../union-changes.ts';

/** Documentation/filesystems/overlayfs.rst */
const OPAQUE = 'trusted.overlay.opaque';

/** A whiteout is a character device 0/0 of the hidden name; an opaque directory has an attribute. */
export const OVERLAY_FORMAT: UnionFormat = {
  names: namesIn,
  find: (directory, name) => {
    const stat = statWithoutLinks(joinBytes(directory, name));
    return stat?.isCharacterDevice() && stat.rdev === 0n ? 'whiteout' : stat;
  },
  isOpaque: (directory) => xattrsOf(directory).get(OPAQUE)?.toString() === 'y',
};
