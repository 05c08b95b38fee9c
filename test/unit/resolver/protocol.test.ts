import { describe, expect, it } from 'vitest';
import { encodeMessage, laneName, MessageDecoder, parcelLabel, replyOf } from '../../../src/resolver/protocol.ts';

describe('messages between supervisor and resolver', () => {
  it('arrive whole and in order, however the stream is cut', () => {
    const messages = [{ id: 1, text: 'ä'.repeat(70_000) }, { id: 2 }, { id: 3, list: [null, 'x'] }];
    const stream = Buffer.concat(messages.map(encodeMessage));
    for (const size of [1, 3, 4_093, stream.length]) {
      const decoder = new MessageDecoder();
      const received: unknown[] = [];
      for (let at = 0; at < stream.length; at += size) {
        for (const message of decoder.push(stream.subarray(at, at + size))) received.push(message);
      }
      expect(received).toEqual(messages);
    }
  });

  it('refuses what is longer than it takes before it has arrived, and what is no JSON', () => {
    expect(() => new MessageDecoder(100).push(Buffer.from([0, 0, 0, 101]))).toThrow('message of 101 bytes');
    expect(() => new MessageDecoder().push(Buffer.from([0, 0, 0, 2, 0x7b, 0x7b]))).toThrow('is no JSON');
  });

  it('takes as a reply only what has an id and a result or a refusal', () => {
    expect(replyOf({ id: 1, result: null })).toEqual({ id: 1, result: null });
    expect(replyOf({ id: 2, refused: 'stale', message: 'x' })).toMatchObject({ refused: 'stale' });
    for (const other of [null, 1, [], {}, { id: 'x', result: null }, { id: 1 }, { id: 1, refused: 'stale' }]) {
      expect(() => replyOf(other)).toThrow('no reply');
    }
  });

  it('names lanes and parcels in packets of one length', () => {
    expect(laneName('0123456789abcdef0123456789abcdef')).toHaveLength(32);
    expect(() => laneName('x')).toThrow('32 hex digits');
    expect(parcelLabel(7).toString()).toBe(`${'0'.repeat(31)}7`);
  });
});
