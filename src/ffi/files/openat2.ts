/** openat2(2) itself, for lookup.ts alone: an import rule keeps it out of all other files. */
import { systemCall } from '../call/foreign.ts';
import type { NativeArgument } from '../call/trace.ts';

/** The same on x86-64 and arm64. */
export const OPENAT2 = 437;

/** include/uapi/linux/openat2.h; without symbolic links there are no magic ones either. */
export const RESOLVE = { noMagicLinks: 0x02, noSymlinks: 0x04, beneath: 0x08, inRoot: 0x10 } as const;

/** sizeof(struct open_how), version 0 */
export const OPEN_HOW_BYTES = 24;

/** struct open_how: flags, mode 0, resolve. */
export function openHow(flags: number, resolve: number): Buffer {
  const how = Buffer.alloc(OPEN_HOW_BYTES);
  how.writeBigUInt64LE(BigInt(flags), 0);
  how.writeBigUInt64LE(BigInt(resolve), 16);
  return how;
}

/** One try. @returns the descriptor, or the negative errno. */
export function openat2(directory: number, path: NativeArgument, how: Buffer): number {
  return systemCall(OPENAT2, [directory, path, how, OPEN_HOW_BYTES]);
}
