/**
 * The frames between supervisor and shim: {version u16, type u16, length u32} + payload, little-endian. shim/protocol.h is
 * the other side. The header never changes. Versions of one high byte understand each other: later ones add types, which
 * the other side skips or refuses with ENOSYS, and append fields. Another high byte is another language.
 */
import { PROGRAM_FLAGS } from '../program/program.ts';

export const PROTOCOL_VERSION = 1;
const FRAME_HEADER_BYTES = 8;
/** Means never, in a request with a time. */
const NEVER_MS = 0xffffffff;

export const REQUEST = {
  status: 1,
  kill: 2,
  attach: 3,
  detach: 4,
  input: 5,
  inputEnd: 6,
  resize: 7,
  end: 8,
} as const;

export const ANSWER = {
  result: 0x8000,
  status: 0x8001,
  launched: 0x8010,
  stdout: 0x8020,
  stderr: 0x8021,
  exit: 0x8030,
  unrecorded: 0x8031,
} as const;

/** What failed when it was not an op of the program, in words. */
const SHIM_STEPS: ReadonlyMap<number, string> = new Map([
  [0xfffffffe, 'load the syscall program'],
  [0xfffffffd, 'open the log'],
  [0xfffffffc, 'create stdio'],
  [0xfffffffa, 'start a process'],
  [0xfffffff9, 'reserve the exit record'],
]);
const STEP_NONE = 0xffffffff;

export interface Launched {
  /** Null when the payload runs. `op` is an index into the program, or null for one of the shim's own steps. */
  readonly failure: { readonly op: number | null; readonly step: string; readonly errno: number } | null;
  readonly pid: number;
  readonly shimPid: number;
  /** Field 22 of /proc/<pid>/stat of the payload, as text. */
  readonly startTime: string;
  readonly startedAtMs: number;
}

export interface LaunchReport extends Launched {
  /** How often lookups of the program were tried again. */
  readonly retries: number;
}

export interface ShimStatus {
  readonly launched: Launched;
  readonly run: number;
  /** The payload has ended, its exit record is being written. */
  readonly ended: boolean;
  /** Why the exit record could not be written so far: an errno, or 0. */
  readonly recordErrno: number;
  readonly containerId: string;
  readonly tty: boolean;
  /** The payload reads from a terminal or from a pipe; otherwise from /dev/null. */
  readonly stdin: boolean;
}

export interface Frame {
  readonly type: number;
  readonly payload: Buffer;
}

export function encodeFrame(type: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
  frame.writeUInt16LE(PROTOCOL_VERSION, 0);
  frame.writeUInt16LE(type, 2);
  frame.writeUInt32LE(payload.length, 4);
  frame.set(payload, FRAME_HEADER_BYTES);
  return frame;
}

export function encodeNumber(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** Payload of `end`. @param killAfterMs infinite for never */
export function encodeEnd(signal: number, killAfterMs: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(signal);
  bytes.writeUInt32LE(Math.min(Math.max(0, Math.round(killAfterMs)), NEVER_MS), 4);
  return bytes;
}

export function encodeSize(rows: number, columns: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16LE(rows, 0);
  bytes.writeUInt16LE(columns, 2);
  return bytes;
}

/** Cuts a byte stream into frames; pieces may end anywhere. */
export class FrameDecoder {
  /** Version of the first frame that we cannot understand; nothing is read from there on. */
  foreignVersion: number | null = null;
  #pending: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): Frame[] {
    const frames: Frame[] = [];
    let rest = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    while (rest.length >= FRAME_HEADER_BYTES && this.foreignVersion === null) {
      const version = rest.readUInt16LE(0);
      if (version >> 8 !== PROTOCOL_VERSION >> 8) {
        this.foreignVersion = version;
        break;
      }
      const end = FRAME_HEADER_BYTES + rest.readUInt32LE(4);
      if (rest.length < end) break;
      frames.push({ type: rest.readUInt16LE(2), payload: rest.subarray(FRAME_HEADER_BYTES, end) });
      rest = rest.subarray(end);
    }
    this.#pending = rest;
    return frames;
  }
}

const NANOSECONDS_PER_MS = 1_000_000n;

/** struct launched of shim/protocol.h */
function decodeLaunched(payload: Buffer): Launched {
  const step = payload.readUInt32LE(0);
  const shimStep = SHIM_STEPS.get(step);
  return {
    failure:
      step === STEP_NONE
        ? null
        : { op: shimStep === undefined ? step : null, step: shimStep ?? `step ${step}`, errno: payload.readInt32LE(4) },
    pid: payload.readInt32LE(8),
    shimPid: payload.readUInt32LE(12),
    startTime: payload.readBigUInt64LE(16).toString(),
    startedAtMs: Number(payload.readBigUInt64LE(24) / NANOSECONDS_PER_MS),
  };
}

const REPORT_RETRIES = 32;

/** struct launch_report of shim/protocol.h; what an older shim does not send is 0. */
export function decodeLaunchReport(payload: Buffer): LaunchReport {
  const retries = payload.length >= REPORT_RETRIES + 4 ? payload.readUInt32LE(REPORT_RETRIES) : 0;
  return { ...decodeLaunched(payload), retries };
}

const STATUS_RUN = 32;
const STATUS_ENDED = 36;
const STATUS_ID = 40;
const STATUS_FLAGS = 104;
const STATUS_RECORD_ERRNO = 108;
const STATUS_BYTES = 112;

/** struct status of shim/protocol.h; fields that an older shim does not send read as 0. */
export function decodeStatus(sent: Buffer): ShimStatus {
  const payload = Buffer.concat([sent], Math.max(sent.length, STATUS_BYTES));
  const flags = payload.readUInt32LE(STATUS_FLAGS);
  const id = payload.subarray(STATUS_ID, STATUS_FLAGS).toString('latin1');
  return {
    launched: decodeLaunched(payload),
    run: payload.readUInt32LE(STATUS_RUN),
    ended: payload.readUInt32LE(STATUS_ENDED) !== 0,
    recordErrno: payload.readInt32LE(STATUS_RECORD_ERRNO),
    containerId: id.replace(/\0+$/, ''),
    tty: (flags & PROGRAM_FLAGS.tty) !== 0,
    stdin: (flags & (PROGRAM_FLAGS.tty | PROGRAM_FLAGS.stdin)) !== 0,
  };
}

/** struct exited of shim/protocol.h; the code is 128 + signal for a payload that was killed. */
export function decodeExit(payload: Buffer): number {
  const code = payload.readInt32LE(0);
  return code >= 0 ? code : 128 + payload.readInt32LE(4);
}

/** Request and errno of an ANSWER.result. */
export function decodeResult(payload: Buffer): { readonly request: number; readonly errno: number } {
  return { request: payload.readUInt32LE(0), errno: payload.readInt32LE(4) };
}
