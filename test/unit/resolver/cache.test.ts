import { describe, expect, it } from 'vitest';
import { AnswerCache } from '../../../src/resolver/forward/cache.ts';

const reply = (ttl: number): Buffer => {
  const bytes = Buffer.alloc(20);
  bytes.writeUInt32BE(ttl, 8);
  return bytes;
};
const kept = { seconds: 60, ttlsAt: [8] };

describe('answers that are kept', () => {
  it('grow older, and are gone when their time is over', () => {
    const cache = new AnswerCache(100_000);
    cache.put('a', reply(60), kept, 1_000);
    expect(cache.get('a', 1_999)?.readUInt32BE(8)).toBe(60);
    expect(cache.get('a', 31_000)?.readUInt32BE(8)).toBe(30);
    expect(cache.get('a', 60_999)?.readUInt32BE(8)).toBe(1);
    expect(cache.get('a', 61_000)).toBeNull();
    expect(cache.bytes).toBe(0);
  });

  it('are not changed by who got them', () => {
    const cache = new AnswerCache(100_000);
    cache.put('a', reply(60), kept, 0);
    cache.get('a', 0)?.fill(255);
    expect(cache.get('a', 0)).toEqual(reply(60));
  });

  it('take no more room than they may; those asked for last stay', () => {
    const cache = new AnswerCache(100_000);
    cache.put('hot', reply(60), kept, 0);
    for (let index = 0; index < 1_000; index++) {
      cache.put(`cold${index}`, reply(60), kept, 0);
      expect(cache.get('hot', 0)).not.toBeNull();
      expect(cache.bytes).toBeLessThanOrEqual(100_000);
    }
    expect(cache.get('cold0', 0)).toBeNull();
    expect(cache.get('cold999', 0)).not.toBeNull();
    cache.put('large', Buffer.alloc(50_000), kept, 0);
    expect(cache.get('large', 0)).toBeNull();
  });

  it('are forgotten by how their keys begin', () => {
    const cache = new AnswerCache(100_000);
    for (const key of ['host a', 'host b', 'inside:1 a']) cache.put(key, reply(60), kept, 0);
    cache.forget('host ');
    expect(['host a', 'host b', 'inside:1 a'].map((key) => cache.get(key, 0) !== null)).toEqual([false, false, true]);
  });
});
