import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeExit,
  decodeLaunchReport,
  decodeResult,
  decodeStatus,
  encodeFrame,
  encodeNumber,
  encodeSize,
  FrameDecoder,
  REQUEST,
} from '../../../src/drivers/exec/native/shim/shim-protocol.ts';

/** struct launched of shim/protocol.h */
function launched(step: number, errno: number): Buffer {
  const bytes = Buffer.alloc(32);
  bytes.writeUInt32LE(step, 0);
  bytes.writeInt32LE(errno, 4);
  bytes.writeInt32LE(4243, 8);
  bytes.writeUInt32LE(4242, 12);
  bytes.writeBigUInt64LE(2n ** 60n, 16);
  bytes.writeBigUInt64LE(1_418_716_800_123_456_789n, 24);
  return bytes;
}

describe('frames', () => {
  it('are version, type and length, little-endian', () => {
    expect(encodeFrame(REQUEST.kill, encodeNumber(9)).toString('hex')).toBe('01000200040000000900' + '0000');
    expect(encodeFrame(REQUEST.status).toString('hex')).toBe('0100010000000000');
    expect(encodeSize(24, 80).toString('hex')).toBe('18005000');
  });

  it('are decoded unchanged, however the stream is split', () => {
    const frames = fc.array(fc.record({ type: fc.nat(0xffff), payload: fc.uint8Array({ maxLength: 50 }) }));
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }), (sent, cuts) => {
        const stream = Buffer.concat(sent.map(({ type, payload }) => encodeFrame(type, payload)));
        const decoder = new FrameDecoder();
        const received = [];
        for (let at = 0, piece = 0; at < stream.length; piece++) {
          const size = cuts[piece % cuts.length] as number;
          received.push(...decoder.push(stream.subarray(at, at + size)));
          at += size;
        }
        const plain = received.map(({ type, payload }) => ({ type, payload: [...payload] }));
        expect(plain).toEqual(sent.map(({ type, payload }) => ({ type, payload: [...payload] })));
      }),
    );
  });
});

describe('a message of the shim', () => {
  it('reports a launch: pids, start time beyond 2^53 as text, milliseconds', () => {
    expect(decodeLaunchReport(launched(0xffffffff, 0))).toEqual({
      retries: 0,
      failure: null,
      pid: 4243,
      shimPid: 4242,
      startTime: '1152921504606846976',
      startedAtMs: 1_418_716_800_123,
    });
  });

  it('reports how often lookups were retried, which an older shim omits', () => {
    const old = launched(0xffffffff, 0);
    const retries = Buffer.alloc(8);
    retries.writeUInt32LE(127, 0);
    const before = decodeLaunchReport(old);
    expect(before.retries).toBe(0);
    expect(decodeLaunchReport(Buffer.concat([old, retries]))).toEqual({ ...before, retries: 127 });
  });

  it('reports a failed op by its index, its own step by name', () => {
    expect(decodeLaunchReport(launched(12, 2)).failure).toEqual({ op: 12, step: 'step 12', errno: 2 });
    expect(decodeLaunchReport(launched(0xfffffffd, 28)).failure).toEqual({ op: null, step: 'open the log', errno: 28 });
  });

  it('reports a status, followed by fields of a later version', () => {
    const rest = Buffer.alloc(8 + 64 + 8 + 100);
    rest.writeUInt32LE(3, 0);
    rest.write('ab'.repeat(32), 8);
    rest.writeUInt32LE(2, 72);
    expect(decodeStatus(Buffer.concat([launched(0xffffffff, 0), rest]))).toMatchObject({
      run: 3,
      ended: false,
      stdin: true,
      containerId: 'ab'.repeat(32),
    });
  });

  it('reports an end: code, or 128 + signal', () => {
    const exited = (code: number, signal: number): Buffer => {
      const bytes = Buffer.alloc(16);
      bytes.writeInt32LE(code, 0);
      bytes.writeInt32LE(signal, 4);
      return bytes;
    };
    expect([decodeExit(exited(7, 0)), decodeExit(exited(-1, 9))]).toEqual([7, 137]);
    expect(decodeResult(Buffer.concat([encodeNumber(2), encodeNumber(3)]))).toEqual({ request: 2, errno: 3 });
  });
});
