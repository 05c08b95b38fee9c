/** Loop devices by ioctl(2): include/uapi/linux/loop.h. */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { sysError } from '../call/errno.ts';
import { syscall, trySyscall } from '../call/native.ts';
import { retriedCall } from '../call/retry.ts';
import { fileError } from '../files/layer-files.ts';

const CONTROL = '/dev/loop-control';
const GET_FREE = 0x4c82;
const CONFIGURE = 0x4c0a;
/** Frees the device with its last user. */
const AUTOCLEAR = 4;
/** sizeof struct loop_config; where `info.lo_flags` and `info.lo_file_name` are in it. */
const CONFIG_BYTES = 304;
const FLAGS_OFFSET = 8 + 52;
const NAME_OFFSET = 8 + 56;
const NAME_MAX = 63;

export interface LoopDevice {
  readonly path: string;
  /** Close-on-exec; the device goes when this and all other users are closed. */
  readonly fd: number;
}

/** Makes a block device of a file. @throws TsdError with the step that failed. */
export function attachLoopDevice(file: string): LoopDevice {
  const step = `loop device of ${file}`;
  const backing = open(file, step);
  try {
    let path = '';
    const fd = retriedCall('LOOP_CONFIGURE of ioctl', () => {
      path = `/dev/loop${syscallAndClose(step, open(CONTROL, step))}`;
      const device = open(path, step);
      const result = trySyscall('ioctl', device, CONFIGURE, configuration(backing, file));
      if (result >= 0) return device;
      closeSync(device);
      return result;
    });
    if (fd < 0) throw sysError('ioctl', -fd, step);
    return { path, fd };
  } finally {
    closeSync(backing);
  }
}

function syscallAndClose(step: string, control: number): number {
  try {
    return syscall(step, 'ioctl', control, GET_FREE, 0);
  } finally {
    closeSync(control);
  }
}

function configuration(backing: number, file: string): Buffer {
  const config = Buffer.alloc(CONFIG_BYTES);
  config.writeUInt32LE(backing, 0);
  config.writeUInt32LE(AUTOCLEAR, FLAGS_OFFSET);
  config.write(file.slice(-NAME_MAX), NAME_OFFSET);
  return config;
}

function open(path: string, step: string): number {
  try {
    return openSync(path, 'r+');
  } catch (thrown) {
    throw fileError(thrown, step);
  }
}

/** The loop devices that have this file already, by name: `loop3`. */
export function loopDevicesOf(file: string): string[] {
  const wanted = realpathSync(file);
  return readdirSync('/sys/block').filter((name) => {
    const backing = join('/sys/block', name, 'loop/backing_file');
    return existsSync(backing) && readFileSync(backing, 'utf8').trimEnd() === wanted;
  });
}

/** BLKGETSIZE64 of linux/fs.h: size of a block device in bytes. */
export function blockDeviceSize(path: string): number {
  const fd = open(path, `size of ${path}`);
  try {
    const size = Buffer.alloc(64);
    syscall(`size of ${path}`, 'ioctl', fd, 0x80081272, size);
    return Number(size.readBigUInt64LE(0));
  } finally {
    closeSync(fd);
  }
}
