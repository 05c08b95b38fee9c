/**
 * A syscall program: what the shim does in the new child before it becomes the payload, in order, with no decisions.
 *
 * Binary layout, little-endian, mapped by the shim from a memfd:
 *
 *   header (64 bytes)
 *     u32 magic 0x50445354 ("TSDP")   u32 version 3
 *     u32 opCount                     u32 totalBytes
 *     u64 cloneFlags                  flags of clone3(2) for the child, without CLONE_PIDFD
 *     i32 cgroupFd                    CLONE_INTO_CGROUP target, -1 none
 *     u32 secondChild                 index of the op at which a second child starts, 0 none
 *     u32 tries                       how often an op with RETRIED may be tried while it answers EAGAIN or EINTR,
 *     u32 flags                       PROGRAM_FLAGS
 *     u32 fixupsOffset                offset of fixupCount
 *     u32 tryMicroseconds             and how long, in processor time: the bound of races.ts
 *     u64 reserved[2]
 *   ops (56 bytes each)
 *     u32 nr                          system call number
 *     u8  flags                       IGNORES_ERRORS: a failure does not end the program; RETRIED (since version 3)
 *     u8  relocateMask                bit i: args[i] is an offset from the start of the program, pass its address
 *     u8  slotMask                    bit i: args[i] is a slot number, pass the slot's value
 *     u8  resultSlot                  slot that takes the result, 255 none
 *     u64 args[6]
 *   data                              strings, structs; pointers inside data are listed below
 *   u32 fixupCount, u32 fixups[]      offsets (8-aligned) of u64 words in data that hold an offset and become an address
 *
 * Slots 0, 1, 2 hold the payload's stdin, stdout and stderr; the shim fills them. Slots 3–31 are free.
 * When an op fails the shim reports its index and errno and nothing runs.
 */

import { RACES } from '../../../../ffi/call/races.ts';
import { SYSCALL_NUMBERS, type SyscallName } from '../../../../ffi/call/syscall-numbers.ts';
import type { LookupCall, LookupPath } from '../../../../ffi/files/lookup.ts';

const PROGRAM_MAGIC = 0x50445354;
const PROGRAM_VERSION = 3;
/** @internal */
export const HEADER_BYTES = 64;
/** @internal */
export const OP_BYTES = 56;
/** Of an op. @internal */
export const OP_FLAGS = { ignoresErrors: 1, retried: 2 } as const;
const NO_SLOT = 255;
const SLOTS = 32;

export const SLOT_STDIN = 0;
export const SLOT_STDOUT = 1;
export const SLOT_STDERR = 2;

/** The payload's stdio is a terminal: the shim holds the master on its tty fd and slots 0–2 are the slave. */
export const PROGRAM_FLAGS = { tty: 1, stdin: 2 } as const;

/** A place in the program's data; as an argument it is passed as an address. */
export interface DataRef {
  readonly kind: 'data';
  readonly index: number;
}
/** The result of an earlier op. */
export interface SlotRef {
  readonly kind: 'slot';
  readonly slot: number;
}
export type ProgramArgument = number | bigint | string | Buffer | DataRef | SlotRef;

interface Op {
  readonly step: string;
  readonly call: string;
  readonly nr: number;
  readonly args: readonly (number | bigint | DataRef | SlotRef)[];
  /** {@link OP_FLAGS} */
  readonly flags: number;
  readonly resultSlot: number;
}

export interface ProgramHeader {
  readonly cloneFlags: number;
  readonly cgroupFd?: number;
  readonly flags?: number;
}

/** Collects ops and data, then encodes them. Strings and Buffers given as arguments become data. */
export class SyscallProgram {
  readonly #ops: Op[] = [];
  readonly #data: { bytes: Buffer; pointers: ReadonlyMap<number, DataRef> }[] = [];
  readonly #freeSlots: number[] = [];
  #nextSlot = SLOT_STDERR + 1;
  #secondChild = 0;

  /** @param step what the op is for, in words for the error when it fails: `mount proc`. */
  op(step: string, name: SyscallName, ...args: ProgramArgument[]): void {
    this.#push(step, name, SYSCALL_NUMBERS[name], args, 0, NO_SLOT);
  }

  /** As {@link op}; a failure is not an error (a masked path that this kernel does not have). */
  tryOp(step: string, name: SyscallName, ...args: ProgramArgument[]): void {
    this.#push(step, name, SYSCALL_NUMBERS[name], args, OP_FLAGS.ignoresErrors, NO_SLOT);
  }

  /** As {@link op}; the result (a file descriptor, mostly) can be an argument of later ops. */
  opToSlot(step: string, name: SyscallName, ...args: ProgramArgument[]): SlotRef {
    const slot = this.#takeSlot();
    this.#push(step, name, SYSCALL_NUMBERS[name], args, 0, slot);
    return { kind: 'slot', slot };
  }

  /** As {@link opToSlot}: opens what is at a path. The shim tries again what a race answers, as lookup.ts does. */
  lookUp(step: string, at: number | SlotRef, path: LookupPath, { nr, how, howBytes }: LookupCall): SlotRef {
    const slot = this.#takeSlot();
    this.#push(step, 'openat2', nr, [at, path, how, howBytes], OP_FLAGS.retried, slot);
    return { kind: 'slot', slot };
  }

  /** Closes the descriptor in a slot and lets a later op have the slot. */
  closeSlot(step: string, ref: SlotRef): void {
    this.op(step, 'close', ref);
    this.#freeSlots.push(ref.slot);
  }

  /**
   * What follows is done by a second child, made by the first, which ends. It is in the pid namespace that the first one has
   * entered for its children, and has memory of its own and what the first one has by then.
   */
  continueInSecondChild(): void {
    this.#secondChild = this.#ops.length;
  }

  data(bytes: Buffer): DataRef {
    this.#data.push({ bytes, pointers: new Map() });
    return { kind: 'data', index: this.#data.length - 1 };
  }

  /** A struct whose u64 words at the given byte offsets point to other data: argv, iovec, sock_fprog. */
  struct(bytes: Buffer, pointers: ReadonlyMap<number, DataRef>): DataRef {
    this.#data.push({ bytes, pointers });
    return { kind: 'data', index: this.#data.length - 1 };
  }

  /** NUL-terminated string. */
  string(text: string): DataRef {
    return this.data(Buffer.from(`${text}\0`));
  }

  /** NULL-terminated `char *[]`. */
  strings(texts: readonly string[]): DataRef {
    const pointers = new Map(texts.map((text, index) => [index * 8, this.string(text)]));
    return this.struct(Buffer.alloc((texts.length + 1) * 8), pointers);
  }

  /** What op `index` was for. */
  stepOf(index: number): string {
    return this.#ops[index]?.step ?? `step ${index}`;
  }

  /** The call that op `index` is. */
  callOf(index: number): string {
    return this.#ops[index]?.call ?? this.stepOf(index);
  }

  /** Whether op `index` is a lookup. */
  isLookup(index: number): boolean {
    return ((this.#ops[index]?.flags ?? 0) & OP_FLAGS.retried) !== 0;
  }

  get length(): number {
    return this.#ops.length;
  }

  encode(header: ProgramHeader): Buffer {
    const offsets: number[] = [];
    let end = HEADER_BYTES + this.#ops.length * OP_BYTES;
    for (const { bytes } of this.#data) {
      offsets.push(end);
      end += Math.ceil(bytes.length / 8) * 8;
    }
    const fixupStart = end;
    const fixups = this.#data.flatMap(({ pointers }, index) =>
      [...pointers.keys()].map((at) => (offsets[index] as number) + at),
    );
    const total = fixupStart + 4 + fixups.length * 4;
    const out = Buffer.alloc(total);
    this.#encodeHeader(out, header, total, fixupStart);
    this.#ops.forEach((op, index) => {
      encodeOp(out, HEADER_BYTES + index * OP_BYTES, op, offsets);
    });
    this.#data.forEach(({ bytes, pointers }, index) => {
      const base = offsets[index] as number;
      bytes.copy(out, base);
      for (const [at, target] of pointers) out.writeBigUInt64LE(BigInt(offsets[target.index] as number), base + at);
    });
    out.writeUInt32LE(fixups.length, fixupStart);
    fixups.forEach((offset, index) => {
      out.writeUInt32LE(offset, fixupStart + 4 + index * 4);
    });
    return out;
  }

  #encodeHeader(out: Buffer, header: ProgramHeader, total: number, fixupsOffset: number): void {
    out.writeUInt32LE(PROGRAM_MAGIC, 0);
    out.writeUInt32LE(PROGRAM_VERSION, 4);
    out.writeUInt32LE(this.#ops.length, 8);
    out.writeUInt32LE(total, 12);
    out.writeBigUInt64LE(BigInt(header.cloneFlags), 16);
    out.writeInt32LE(header.cgroupFd ?? -1, 24);
    out.writeUInt32LE(this.#secondChild, 28);
    out.writeUInt32LE(RACES.openat2.retried.tries, 32);
    out.writeUInt32LE(header.flags ?? 0, 36);
    out.writeUInt32LE(fixupsOffset, 40);
    out.writeUInt32LE(RACES.openat2.retried.cpuMs * 1000, 44);
  }

  #takeSlot(): number {
    const slot = this.#freeSlots.pop() ?? this.#nextSlot++;
    if (slot >= SLOTS) throw new RangeError('syscall program uses more than 32 slots at once');
    return slot;
  }

  #push(step: string, call: string, nr: number, args: readonly ProgramArgument[], flags: number, slot: number): void {
    if (args.length > 6) throw new RangeError(`${step}: a system call takes at most 6 arguments`);
    const resolved = args.map((argument) => {
      if (typeof argument === 'string') return this.string(argument);
      if (Buffer.isBuffer(argument)) return this.data(argument);
      return argument;
    });
    this.#ops.push({ step, call, nr, args: resolved, flags, resultSlot: slot });
  }
}

function encodeOp(out: Buffer, at: number, op: Op, offsets: readonly number[]): void {
  let relocateMask = 0;
  let slotMask = 0;
  op.args.forEach((argument, index) => {
    let word: bigint;
    if (typeof argument === 'number' || typeof argument === 'bigint') {
      word = BigInt.asUintN(64, BigInt(argument));
    } else if (argument.kind === 'data') {
      relocateMask |= 1 << index;
      word = BigInt(offsets[argument.index] as number);
    } else {
      slotMask |= 1 << index;
      word = BigInt(argument.slot);
    }
    out.writeBigUInt64LE(word, at + 8 + index * 8);
  });
  out.writeUInt32LE(op.nr, at);
  out.writeUInt8(op.flags, at + 4);
  out.writeUInt8(relocateMask, at + 5);
  out.writeUInt8(slotMask, at + 6);
  out.writeUInt8(op.resultSlot, at + 7);
}
