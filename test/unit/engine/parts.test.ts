import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Env } from '../../../src/engine/env.ts';
import { EventRing } from '../../../src/engine/events.ts';
import { trapSignals } from '../../../src/engine/signals.ts';

describe('env', () => {
  const with_ = (value: string) => {
    const env = new Env();
    env.set('k', value);
    return env;
  };

  test.each(['', '0', ' No ', 'FALSE', 'none'])('%j is false', (text) => expect(with_(text).getBool('k')).toBe(false));
  test.each(['1', 'yes', 'off', 'x'])('%j is true', (text) => expect(with_(text).getBool('k')).toBe(true));
  test.each([
    ['42', 42],
    [' -3 ', -3],
    ['4x', 0],
    ['', 0],
  ])('%j is the number %d', (text, value) => expect(with_(text).getInt('k')).toBe(value));
  test.each([
    ['["a","b"]', ['a', 'b']],
    ['a b', ['a b']],
    ['[1]', ['[1]']],
    ['', null],
  ])('%j is the list %j', (text, value) => expect(with_(text).getList('k')).toEqual(value));

  test('a JSON object is decoded and encoded with sorted keys', () => {
    const env = new Env();
    env.decode('{"z":"text","n":4.7,"skip":null,"list":[1,"a"],"yes":true}');
    expect(env.list()).toEqual(['z=text', 'n=4', 'list=[1,"a"]', 'yes=true']);
    expect(env.encode()).toBe('{"list":[1,"a"],"n":4,"yes":true,"z":"text"}\n');
    expect(() => env.decode('[]')).toThrow('JSON object');
  });

  test('encode writes one JSON object for any text', () => {
    return fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string()), (values) => {
        const env = new Env();
        for (const [key, value] of Object.entries(values)) env.set(key, value);
        expect(typeof JSON.parse(env.encode())).toBe('object');
      }),
    );
  });
});

describe('events', () => {
  test('the latest 64 are kept', () => {
    const ring = new EventRing<{ atWallMs: number }>();
    for (let at = 1; at <= 100; at++) ring.log({ atWallMs: at });
    expect(ring.between(0)).toHaveLength(64);
    expect(ring.between(99).map((event) => event.atWallMs)).toEqual([99, 100]);
    expect(ring.between(0, 38).map((event) => event.atWallMs)).toEqual([37, 38]);
  });

  test('subscribers get events until they unsubscribe', () => {
    const ring = new EventRing<{ atWallMs: number }>();
    const seen: number[] = [];
    const leave = ring.subscribe((event) => seen.push(event.atWallMs));
    ring.log({ atWallMs: 1 });
    leave();
    ring.log({ atWallMs: 2 });
    expect([seen, ring.subscribers]).toEqual([[1], 0]);
  });
});

describe('signals', () => {
  function trapped(debug = false) {
    const listeners = new Map<string, () => void>();
    const seen: string[] = [];
    trapSignals(
      { on: (signal, listener) => listeners.set(signal, listener), exit: (code) => seen.push(`exit ${code}`) },
      {
        end: () => seen.push('end'),
        again: (count) => seen.push(`again ${count}`),
        letGo: () => seen.push('let go'),
        dump: () => seen.push('dump'),
      },
      debug,
    );
    const send = (...signals: string[]): void => {
      for (const signal of signals) listeners.get(signal)?.();
    };
    return { send, seen };
  }

  test('the first asks for an end, the third lets containers go, the fourth exits at once', () => {
    const { send, seen } = trapped();
    send('SIGINT', 'SIGTERM', 'SIGINT', 'SIGINT');
    expect(seen).toEqual(['end', 'again 2', 'again 3', 'let go', 'exit 130']);
  });

  test('SIGHUP asks for an end, and is no repeat of one', () => {
    const { send, seen } = trapped();
    send('SIGHUP', 'SIGHUP', 'SIGHUP', 'SIGHUP', 'SIGTERM');
    expect(seen).toEqual(['end', 'again 2']);
  });

  test('SIGQUIT tells where everything is, and is a request to end like the others', () => {
    const { send, seen } = trapped();
    send('SIGQUIT', 'SIGTERM', 'SIGTERM', 'SIGQUIT');
    expect(seen).toEqual(['dump', 'end', 'again 2', 'again 3', 'let go', 'dump', 'exit 131']);
  });

  test("SIGQUIT is the kernel's when debugging", () => {
    const { send, seen } = trapped(true);
    send('SIGQUIT');
    expect(seen).toEqual([]);
  });
});
