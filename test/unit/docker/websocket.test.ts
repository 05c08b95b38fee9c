/** Frames of a WebSocket, against the examples of RFC 6455 and against what no client should send. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { acceptOf, closeFrame, FrameReader, frame, OPCODE } from '../../../src/docker/wire/websocket-frames.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

test('the key of RFC 6455, section 1.3', () => {
  expect(acceptOf('dGhlIHNhbXBsZSBub25jZQ==')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
});

test('frames of a server, as in RFC 6455, section 5.7', () => {
  expect(frame(OPCODE.text, Buffer.from('Hello'))).toEqual(hex('81 05 48 65 6c 6c 6f'));
  expect(frame(OPCODE.binary, Buffer.alloc(256)).subarray(0, 4)).toEqual(hex('82 7e 01 00'));
  expect(frame(OPCODE.binary, Buffer.alloc(65_536)).subarray(0, 10)).toEqual(hex('82 7f 00 00 00 00 00 01 00 00'));
  expect(closeFrame(1000)).toEqual(hex('88 02 03 e8'));
});

test('a masked frame of a client, as in RFC 6455, section 5.7', () => {
  const found = new FrameReader().take(hex('81 85 37 fa 21 3d 7f 9f 4d 51 58'));
  expect(found).toEqual([{ type: 'bytes', bytes: Buffer.from('Hello') }]);
});

function ofClient(opcode: number, payload: Buffer, mask: Buffer, isLast = true): Buffer {
  const plain = frame(opcode, payload);
  const head = plain.subarray(0, plain.length - payload.length);
  head[0] = (head[0] ?? 0) & (isLast ? 0xff : 0x7f);
  head[1] = (head[1] ?? 0) | 0x80;
  return Buffer.concat([head, mask, payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0))]);
}

const bytes = fc.uint8Array({ maxLength: 70_000, size: 'max' }).map((array) => Buffer.from(array));
const mask = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((array) => Buffer.from(array));

test('whatever is sent in whatever pieces arrives, with the pings between', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(bytes, mask), { maxLength: 4 }),
      fc.integer({ min: 1, max: 5000 }),
      (messages, size) => {
        const sent = Buffer.concat(
          messages.flatMap(([message, key], index) => [
            ofClient(index === 0 ? OPCODE.binary : OPCODE.continuation, message, key, index === messages.length - 1),
            ofClient(OPCODE.ping, Buffer.from([index]), key),
          ]),
        );
        const reader = new FrameReader();
        const found = [];
        for (let at = 0; at < sent.length; at += size)
          for (const one of reader.take(sent.subarray(at, at + size))) found.push(one);
        const content = Buffer.concat(found.flatMap((one) => (one.type === 'bytes' ? [one.bytes] : [])));
        expect(content.equals(Buffer.concat(messages.map(([message]) => message)))).toBe(true);
        expect(found.filter(({ type }) => type === 'ping')).toHaveLength(messages.length);
      },
    ),
    { numRuns: 30 },
  );
});

test.each([
  ['without a mask', '81 05 48 65 6c 6c 6f'],
  ['with reserved bits', 'c1 85 37 fa 21 3d 7f 9f 4d 51 58'],
  ['of an unknown kind', '83 85 37 fa 21 3d 7f 9f 4d 51 58'],
  ['of control that is too long', '89 fe 00 80 37 fa 21 3d'],
  ['of control in parts', '09 80 37 fa 21 3d'],
  ['longer than can be counted', '82 ff ff ff ff ff ff ff ff ff 37 fa 21 3d'],
])('a frame %s ends it', (_title, text) => {
  const reader = new FrameReader();
  expect(reader.take(hex(text))).toEqual([{ type: 'invalid' }]);
  expect(reader.take(hex('81 85 37 fa 21 3d 7f 9f 4d 51 58'))).toEqual([]);
});
