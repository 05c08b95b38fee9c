import { existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';

/** include/uapi/linux/magic.h */
const FILESYSTEMS: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x01021994, 'tmpfs'],
  [0xf2f52010, 'f2fs'],
  [0x2fc12fc1, 'zfs'],
  [0x6969, 'nfs'],
  [0x794c7630, 'overlay'],
  // include/uapi/linux/aufs_type.h
  [0x61756673, 'aufs'],
]);

/** The filesystem that holds a directory or, as long as it does not exist, the nearest one above it. */
export function backingFilesystem(directory: string): { readonly place: string; readonly name: string } {
  let place = directory;
  while (!existsSync(place)) place = dirname(place);
  const magic = statfsSync(place).type;
  return { place, name: FILESYSTEMS.get(magic) ?? `0x${magic.toString(16)}` };
}
