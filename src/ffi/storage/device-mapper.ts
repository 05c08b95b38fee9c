/** Device mapper by ioctl(2): include/uapi/linux/dm-ioctl.h. Devices are made by name; their nodes are the kernel's /dev/dm-N. */
import { closeSync, openSync } from 'node:fs';
import { constants as os } from 'node:os';
import { sysError } from '../call/errno.ts';
import { trySyscall } from '../call/native.ts';
import { fileError } from '../files/layer-files.ts';

const CONTROL = '/dev/mapper/control';

/** Numbers of the commands. */
const COMMANDS = {
  version: 0,
  create: 3,
  remove: 4,
  suspend: 6,
  status: 7,
  loadTable: 9,
  tableStatus: 12,
  message: 14,
  targetVersion: 17,
} as const;

/** sizeof struct dm_ioctl; where the variable part begins. */
const HEADER_BYTES = 312;
/** _IOWR(DM_IOCTL 0xfd, 0, struct dm_ioctl) */
const IOCTL = 0xc138fd00;
/** sizeof struct dm_target_spec */
const TARGET_BYTES = 40;
/** Room for the answers that are read here, which are one target's. */
const BUFFER_BYTES = 16384;
/** DM_NAME_LEN with the terminating NUL */
const NAME_MAX = 127;
const INTERFACE_VERSION = [4, 0, 0] as const;

const FLAGS = { suspend: 1 << 1, noLockfs: 1 << 10, deferredRemove: 1 << 17 } as const;

/**
 * libdm-common.h of lvm2: flags for udev's rules in the upper half of a cookie. The content of these devices concerns no other program,
 * and a rule that looked into one would keep it open.
 */
const UDEV_LOOKS_AWAY = (0x0002 | 0x0004 | 0x0008 | 0x0020) * 2 ** 16;

interface Request {
  readonly step: string;
  readonly command: keyof typeof COMMANDS;
  readonly name: string;
  readonly flags?: number;
  readonly targets?: number;
  readonly cookie?: number;
  readonly payload?: Buffer;
}

/** @returns the answer, or the positive errno. */
function tryRequest(request: Request): Buffer | number {
  const { step, command, name, flags = 0, targets = 0, cookie = 0, payload = Buffer.alloc(0) } = request;
  if (Buffer.byteLength(name) > NAME_MAX) throw new RangeError(`a device name of ${name.length} bytes: ${name}`);
  const buffer = Buffer.alloc(Math.max(BUFFER_BYTES, HEADER_BYTES + payload.length));
  for (const [index, part] of INTERFACE_VERSION.entries()) buffer.writeUInt32LE(part, index * 4);
  buffer.writeUInt32LE(buffer.length, 12);
  buffer.writeUInt32LE(HEADER_BYTES, 16);
  buffer.writeUInt32LE(targets, 20);
  buffer.writeUInt32LE(flags, 28);
  buffer.writeUInt32LE(cookie, 32);
  buffer.write(name, 48);
  payload.copy(buffer, HEADER_BYTES);
  let control: number;
  try {
    control = openSync(CONTROL, 'r+');
  } catch (thrown) {
    throw fileError(thrown, `${step}: open ${CONTROL}`);
  }
  try {
    const result = trySyscall('ioctl', control, IOCTL + COMMANDS[command], buffer);
    return result < 0 ? -result : buffer;
  } finally {
    closeSync(control);
  }
}

function send(request: Request): Buffer {
  const answer = tryRequest(request);
  if (typeof answer === 'number') throw sysError('ioctl', answer, request.step);
  return answer;
}

const text = (buffer: Buffer, start: number): string => buffer.toString('utf8', start, buffer.indexOf(0, start));

/** Version of the kernel's interface: `4.48.0`. @throws TsdError when this kernel has no device mapper. */
export function deviceMapperVersion(): string {
  const answer = send({ step: 'ask device mapper', command: 'version', name: '' });
  return [0, 4, 8].map((at) => answer.readUInt32LE(at)).join('.');
}

/** Version of a target, whose module is loaded first; null when the kernel does not have it. */
export function targetVersion(target: string): string | null {
  const answer = tryRequest({ step: `ask for target ${target}`, command: 'targetVersion', name: target });
  if (typeof answer === 'number') return null;
  // struct dm_target_versions: next, version[3], name
  return [4, 8, 12].map((at) => answer.readUInt32LE(HEADER_BYTES + at)).join('.');
}

export interface MappedDevice {
  /** `/dev/dm-3` */
  readonly path: string;
  /** How many mounts and devices use it. */
  readonly users: number;
}

/** Null when there is no device of this name. */
export function findDevice(name: string): MappedDevice | null {
  const answer = tryRequest({ step: `find ${name}`, command: 'status', name });
  if (answer === os.errno.ENXIO) return null;
  if (typeof answer === 'number') throw sysError('ioctl', answer, `find device ${name}`);
  return describe(answer);
}

/** linux/kdev_t.h: huge_encode_dev of the device number at offset 40. */
function describe(answer: Buffer): MappedDevice {
  const device = answer.readUInt32LE(40);
  const minor = (device & 0xff) | ((device >>> 12) & 0xfff00);
  return { path: `/dev/dm-${minor}`, users: answer.readInt32LE(24) };
}

/**
 * Makes a device with one target and starts it; when a step fails nothing is left.
 * @param sectors of 512 bytes. @throws TsdError EBUSY when there is one of this name.
 */
export function createMappedDevice(name: string, sectors: number, target: string, parameters: string): MappedDevice {
  send({ step: `create device ${name}`, command: 'create', name });
  try {
    const spec = Buffer.alloc(Math.ceil((TARGET_BYTES + Buffer.byteLength(parameters) + 1) / 8) * 8);
    spec.writeBigUInt64LE(BigInt(sectors), 8);
    spec.writeUInt32LE(spec.length, 20);
    spec.write(target, 24);
    spec.write(parameters, TARGET_BYTES);
    send({ step: `load table of ${name}`, command: 'loadTable', name, targets: 1, payload: spec });
    return describe(resumeDevice(name));
  } catch (error) {
    tryRequest({ step: `remove device ${name}`, command: 'remove', name, cookie: UDEV_LOOKS_AWAY });
    throw error;
  }
}

/** Lets requests through again, or starts a device whose table was loaded. */
export function resumeDevice(name: string): Buffer {
  return send({ step: `resume ${name}`, command: 'suspend', name, cookie: UDEV_LOOKS_AWAY });
}

/** Holds requests back, with the filesystem on the device in a state that can be mounted. */
export function suspendDevice(name: string): void {
  send({ step: `suspend ${name}`, command: 'suspend', name, flags: FLAGS.suspend });
}

/**
 * Removes a device; one in use goes by itself as soon as its last user does.
 * @returns false when it is still there for its users. An absent one is removed already.
 */
export function removeDevice(name: string): boolean {
  const cookie = UDEV_LOOKS_AWAY;
  const step = `remove device ${name}`;
  const answer = tryRequest({ step, command: 'remove', name, flags: FLAGS.deferredRemove, cookie });
  if (answer === os.errno.ENXIO) return true;
  if (typeof answer === 'number') throw sysError('ioctl', answer, step);
  // Kept in the answer when the removal was put off.
  return (answer.readUInt32LE(28) & FLAGS.deferredRemove) === 0;
}

/** Takes back what {@link removeDevice} put off. */
export function keepDevice(name: string): void {
  sendMessage(name, '@cancel_deferred_remove');
}

/** @returns 0, or the positive errno. */
export function trySendMessage(name: string, message: string): number {
  // struct dm_target_msg: sector, message
  const payload = Buffer.alloc(8 + Buffer.byteLength(message) + 1);
  payload.write(message, 8);
  const answer = tryRequest({ step: `message ${message} to ${name}`, command: 'message', name, payload });
  return typeof answer === 'number' ? answer : 0;
}

export function sendMessage(name: string, message: string): void {
  const errno = trySendMessage(name, message);
  if (errno !== 0) throw sysError('ioctl', errno, `message '${message}' to ${name}`);
}

/** The status line of a device's first target, and the target's type. */
export function targetStatus(name: string): { readonly type: string; readonly status: string } {
  const answer = send({ step: `status of ${name}`, command: 'tableStatus', name });
  const start = answer.readUInt32LE(16);
  return { type: text(answer, start + 24), status: text(answer, start + TARGET_BYTES) };
}
