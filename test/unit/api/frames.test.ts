import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameDecoder, frameHeader, MAX_PAYLOAD_BYTES } from '../../../src/api/frames.ts';

const frame = fc.record({ type: fc.integer({ min: 0, max: 255 }), payload: fc.uint8Array({ maxLength: 300 }) });

test('frames are decoded unchanged, however the stream is split', () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
      (frames, cuts) => {
        const stream = Buffer.concat(
          frames.flatMap(({ type, payload }) => [frameHeader(type, payload.length), payload]),
        );
        const decoder = new FrameDecoder();
        const seen = [];
        for (let start = 0, turn = 0; start < stream.length; turn += 1) {
          const end = start + (cuts[turn % cuts.length] as number);
          seen.push(...decoder.push(stream.subarray(start, end)));
          start = end;
        }
        expect(seen.map(({ type, payload }) => ({ type, payload: new Uint8Array(payload) }))).toEqual(
          frames.map(({ type, payload }) => ({ type, payload: new Uint8Array(payload) })),
        );
      },
    ),
  );
});

test('an invalid header is refused before its payload arrives', () => {
  expect(() => new FrameDecoder().push(frameHeader(0, MAX_PAYLOAD_BYTES + 1))).toThrow('not a frame: 0000000000100001');
  expect(() => new FrameDecoder().push(Buffer.from('HTTP/1.1 200 OK\r\n'))).toThrow('not a frame');
});
