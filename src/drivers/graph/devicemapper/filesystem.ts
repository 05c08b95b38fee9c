import { execFileSync } from 'node:child_process';
import { type MountCall, MS } from '../../../ffi/storage/mounts.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { DeviceMapperOptions } from './options.ts';

/**
 * The tables are written once, in the base device that all others share; written by and by they would be written in each
 * of them.
 */
const MKFS: Readonly<Record<DeviceMapperOptions['filesystem'], readonly string[]>> = {
  ext4: ['mkfs.ext4', '-q', '-E', 'nodiscard,lazy_itable_init=0,lazy_journal_init=0'],
  xfs: ['mkfs.xfs', '-q', '-f', '-K'],
};

/** Options of mount(8) that are flags of mount(2). */
const MOUNT_FLAGS: ReadonlyMap<string, number> = new Map([
  ['nosuid', MS.noSuid],
  ['nodev', MS.noDev],
  ['noexec', MS.noExec],
  ['noatime', MS.noAtime],
  ['nodiratime', MS.noDirAtime],
  ['relatime', MS.relAtime],
  ['strictatime', MS.strictAtime],
]);

/** The program that makes the filesystem: `mkfs.ext4`. */
export const mkfsProgram = ({ filesystem }: DeviceMapperOptions): string => MKFS[filesystem][0] ?? '';

/** Makes the filesystem of the base device: up to a few seconds, once for a root directory. @throws TSD_SYSCALL. */
export function makeFilesystem(device: string, options: DeviceMapperOptions): void {
  const [program = '', ...args] = MKFS[options.filesystem];
  try {
    execFileSync(program, [...args, ...options.mkfsArguments, device], { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (cause) {
    const { stderr, message } = cause as Error & { stderr?: Buffer };
    const words = stderr === undefined || stderr.length === 0 ? message : stderr.toString().trim();
    throw new TsdError('TSD_SYSCALL', `${program} failed: ${words}`, { step: 'make base device', cause });
  }
}

/** Mount options of a device. All share the UUID of the base device's filesystem, which xfs accepts only with nouuid. */
export function mountCall(device: string, options: DeviceMapperOptions, readOnly: boolean): MountCall {
  const flags = options.mountOptions.reduce(
    (sum, name) => sum | (MOUNT_FLAGS.get(name) ?? 0),
    readOnly ? MS.readOnly : 0,
  );
  const data = [
    'discard',
    ...(options.filesystem === 'xfs' ? ['nouuid'] : []),
    ...options.mountOptions.filter((name) => !MOUNT_FLAGS.has(name)),
  ];
  return { source: device, filesystem: options.filesystem, flags, data: data.join(',') };
}
