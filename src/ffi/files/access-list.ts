import { constants as os } from 'node:os';
import { trySyscall } from '../call/native.ts';

/** POSIX_ACL_XATTR_*, ACL_USER and ACL_GROUP of include/uapi/linux/posix_acl*.h: a version, then { tag, permissions, id }. */
const ATTRIBUTE = 'system.posix_acl_access';
const HEADER_BYTES = 4;
const ENTRY_BYTES = 8;
const NAMED_TAGS: readonly number[] = [0x02, 0x08];
const WRITE = 2;
/** XATTR_SIZE_MAX, include/uapi/linux/limits.h */
const MAX_BYTES = 65_536;

/** Whether an access control list lets users or groups write that it names. What cannot be found out counts as yes. */
export function namesWriters(path: string): boolean {
  const list = Buffer.alloc(MAX_BYTES);
  const size = trySyscall('getxattr', path, ATTRIBUTE, list, list.length);
  if (size < 0) return size !== -os.errno.ENODATA && size !== -os.errno.EOPNOTSUPP;
  for (let at = HEADER_BYTES; at + ENTRY_BYTES <= size; at += ENTRY_BYTES) {
    if (NAMED_TAGS.includes(list.readUInt16LE(at)) && (list.readUInt16LE(at + 2) & WRITE) !== 0) return true;
  }
  return false;
}
