/** The part of bpf(2) that filters of devices and packets need; include/uapi/linux/bpf.h. */
import { sysError } from './call/errno.ts';
import { addressOf } from './call/foreign.ts';
import { syscall, trySyscall } from './call/native.ts';
import { retriedCall } from './call/retry.ts';

const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const BPF_PROG_TYPE_SCHED_CLS = 3;
const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
const BPF_CGROUP_DEVICE = 6;
const BPF_F_ALLOW_MULTI = 2;

/** Large enough for the members used; the kernel takes any size whose unknown tail is zero. */
const ATTR_BYTES = 64;
const INSTRUCTION_BYTES = 8;
/** No helper is called that asks for another licence. */
const LICENSE = Buffer.from('Apache-2.0\0');

/** Loads a program of type CGROUP_DEVICE. @returns its close-on-exec descriptor. @throws TsdError with errno. */
export function loadDeviceProgram(instructions: Buffer): number {
  return loadProgram(BPF_PROG_TYPE_CGROUP_DEVICE, instructions, 'load device filter');
}

/** Loads a program of type SCHED_CLS. @returns its close-on-exec descriptor. @throws TsdError with errno. */
export function loadPacketProgram(instructions: Buffer, step: string): number {
  return loadProgram(BPF_PROG_TYPE_SCHED_CLS, instructions, step);
}

/** struct bpf_insn. @param registers the destination, and the source in the upper four bits */
export function instruction(code: number, registers: number, offset: number, immediate: number): Buffer {
  const out = Buffer.alloc(INSTRUCTION_BYTES);
  out.writeUInt8(code, 0);
  out.writeUInt8(registers, 1);
  out.writeInt16LE(offset, 2);
  out.writeInt32LE(immediate, 4);
  return out;
}

function loadProgram(type: number, instructions: Buffer, step: string): number {
  const attributes = Buffer.alloc(ATTR_BYTES);
  attributes.writeUInt32LE(type, 0);
  attributes.writeUInt32LE(instructions.length / INSTRUCTION_BYTES, 4);
  attributes.writeBigUInt64LE(BigInt(addressOf(instructions)), 8);
  attributes.writeBigUInt64LE(BigInt(addressOf(LICENSE)), 16);
  const load = () => trySyscall('bpf', BPF_PROG_LOAD, attributes, attributes.length);
  const fd = retriedCall('BPF_PROG_LOAD of bpf', load);
  if (fd < 0) throw sysError('bpf', -fd, step);
  return fd;
}

/** The program filters device access in the group from now on, also after its descriptor is closed. */
export function attachDeviceProgram(programFd: number, cgroupFd: number): void {
  const attributes = Buffer.alloc(ATTR_BYTES);
  attributes.writeUInt32LE(cgroupFd, 0);
  attributes.writeUInt32LE(programFd, 4);
  attributes.writeUInt32LE(BPF_CGROUP_DEVICE, 8);
  attributes.writeUInt32LE(BPF_F_ALLOW_MULTI, 12);
  syscall('attach device filter', 'bpf', BPF_PROG_ATTACH, attributes, attributes.length);
}
