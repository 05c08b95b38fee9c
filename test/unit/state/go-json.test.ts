import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../../../src/model/json.ts';
import {
  goAny,
  goBool,
  goInt,
  goMap,
  goMarshal,
  goPointer,
  goSlice,
  goString,
  goStruct,
  goTimeText,
  goUnit,
  goUnmarshal,
  mapValue,
  omitEmpty,
} from '../../../src/state/files/go-json.ts';
import { isGoTime, ZERO_TIME } from '../../../src/state/files/go-time.ts';

const SAMPLE = goStruct({
  Zebra: goString,
  apple: goInt,
  On: goBool,
  List: goSlice(goString),
  Map: goMap(goSlice(goInt)),
  Inner: goPointer(goStruct({ At: goTimeText, Set: goMap(goUnit) })),
  Maybe: omitEmpty(goString),
  Any: goAny,
});

describe('writing', () => {
  it('keeps the order of fields and writes zero values as Go does', () => {
    expect(goMarshal(SAMPLE, SAMPLE.zero())).toBe(
      '{"Zebra":"","apple":0,"On":false,"List":null,"Map":null,"Inner":null,"Any":null}',
    );
  });

  it('distinguishes nil from empty', () => {
    const value = { ...SAMPLE.zero(), List: [], Map: {}, Inner: { At: ZERO_TIME, Set: {} }, Maybe: 'x' };
    expect(goMarshal(SAMPLE, value)).toBe(
      '{"Zebra":"","apple":0,"On":false,"List":[],"Map":{},"Inner":{"At":"0001-01-01T00:00:00Z","Set":{}},"Maybe":"x","Any":null}',
    );
  });

  it('sorts map keys by their bytes, not by UTF-16 units', () => {
    const map = { '\u{1f600}': 1, '\uff61': 2, b: 3, B: 4, 10: 5, 9: 6 };
    expect(Object.keys(JSON.parse(goMarshal(goMap(goInt), map)) as object).length).toBe(6);
    expect(goMarshal(goMap(goInt), map)).toBe('{"10":5,"9":6,"B":4,"b":3,"\uff61":2,"\u{1f600}":1}');
  });

  it('escapes what a browser or a line reader would trip over', () => {
    expect(goMarshal(goString, '<a href="x">&\u2028\u2029\n\u0001é')).toBe(
      '"\\u003ca href=\\"x\\"\\u003e\\u0026\\u2028\\u2029\\n\\u0001é"',
    );
  });

  it('replaces what is not valid text', () => {
    expect(goMarshal(goString, 'a\ud800b')).toBe('"a\ufffdb"');
  });
});

describe('reading', () => {
  it('finds keys whatever their case, prefers the exact one and ignores unknown ones', () => {
    const text = '{"ZEBRA":"folded","zebra":"also","Zebra":"exact","APPLE":4,"unknown":{"deep":[1]},"constructor":1}';
    expect(goUnmarshal(SAMPLE, text)).toEqual({ ...SAMPLE.zero(), Zebra: 'exact', apple: 4 });
  });

  it('takes null as the zero value', () => {
    expect(goUnmarshal(SAMPLE, '{"Zebra":null,"apple":null,"On":null,"List":null}')).toEqual(SAMPLE.zero());
  });

  it.each([
    ['{"apple":"4"}', 'apple is not a whole number'],
    ['{"apple":1.5}', 'apple is not a whole number'],
    ['{"apple":9007199254740993}', 'apple is not a whole number'],
    ['{"List":{}}', 'List is not a list'],
    ['{"List":[1]}', 'List[0] is not a string'],
    ['{"Map":{"a":[true]}}', 'Map.a[0] is not a whole number'],
    ['{"Inner":{"At":"yesterday"}}', 'Inner.At is not a time'],
    ['[]', 'the document is not an object'],
  ])('reports the position of %s', (text, message) => {
    expect(() => goUnmarshal(SAMPLE, text)).toThrow(message);
  });

  it('ignores names of the prototype', () => {
    const map = goUnmarshal(goMap(goInt), '{"__proto__":1,"constructor":2}');
    expect(goMarshal(goMap(goInt), map)).toBe('{"__proto__":1,"constructor":2}');
    expect(mapValue({}, 'constructor')).toBeUndefined();
  });
});

/** What survives a trip through UTF-8. */
const text = fc.string({ unit: 'grapheme' });
const time = fc
  .date({ noInvalidDate: true, min: new Date(0), max: new Date('2200-01-01') })
  .map((d) => d.toISOString());
const sample = fc.record({
  Zebra: text,
  apple: fc.maxSafeInteger(),
  On: fc.boolean(),
  List: fc.option(fc.array(text)),
  Map: fc.option(fc.dictionary(text, fc.option(fc.array(fc.maxSafeInteger())))),
  Inner: fc.option(fc.record({ At: time, Set: fc.option(fc.dictionary(text, fc.constant({}))) })),
  Maybe: text,
  Any: fc.jsonValue({ noUnicodeString: false }).map((value) => JSON.parse(JSON.stringify(value)) as JsonValue),
});

describe('properties', () => {
  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(sample, (value) => {
        expect(goUnmarshal(SAMPLE, goMarshal(SAMPLE, value))).toEqual(value);
      }),
    );
  });

  it('writes the same JSON value as JSON.stringify, on one line, without unsafe characters', () => {
    fc.assert(
      fc.property(sample, (value) => {
        const written = goMarshal(SAMPLE, value);
        const { Maybe, ...others } = value;
        expect(JSON.parse(written)).toEqual(JSON.parse(JSON.stringify(Maybe === '' ? others : value)));
        expect(written).not.toMatch(/[<>&\u2028\u2029\n]/);
      }),
    );
  });
});

describe('times', () => {
  it.each([ZERO_TIME, '2014-12-16T08:00:00Z', '2014-12-16T08:00:00.123456789+01:00'])('takes %j', (good) => {
    expect(isGoTime(good)).toBe(true);
  });

  it.each(['', 'now', '2014-13-01T00:00:00Z', '2014-12-16 08:00:00Z', '2014-12-16T08:00:00'])('refuses %j', (bad) => {
    expect(isGoTime(bad)).toBe(false);
  });
});
