/**
 * JSON under the rules of Go's encoding/json, so that a Docker 1.4 decoder reads what we write and the other way round:
 * struct fields in declaration order, map keys sorted bytewise, nil slices and maps as `null`, `<`, `>`, `&`, U+2028 and
 * U+2029 escaped; decoding matches keys without regard to case, ignores unknown ones and leaves absent ones at zero.
 */
import type { JsonValue } from '../../model/json.ts';
import { isGoTime, ZERO_TIME } from './go-time.ts';

/** A value does not have the type its field has. `path` is dotted: `State.Pid`. */
export class GoDecodeError extends Error {
  override readonly name = 'GoDecodeError';

  constructor(path: string, expected: string) {
    super(`${path === '' ? 'the document' : path} is not ${expected}`);
  }
}

/** A Go type: how its values look in JSON. */
export interface GoType<T> {
  zero(): T;
  /** What `omitempty` leaves out. */
  isEmpty(value: T): boolean;
  encode(value: T): string;
  /** @param path of the value, for the error. @throws GoDecodeError. */
  decode(json: unknown, path: string): T;
}

/** The TypeScript type of a {@link GoType}'s values. */
export type GoValue<G> = G extends GoType<infer T> ? T : never;

const HTML_UNSAFE = /[<>&\u2028\u2029]/g;
const LONE_SURROGATE = /\p{Cs}/gu;

const escapeUnsafe = (json: string): string =>
  json.replace(HTML_UNSAFE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** A JSON string as Go writes it; what is not valid UTF-16 becomes U+FFFD. */
function quote(text: string): string {
  return escapeUnsafe(JSON.stringify(text.replace(LONE_SURROGATE, '\ufffd')));
}

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

const isObject = (json: unknown): json is Record<string, unknown> =>
  typeof json === 'object' && json !== null && !Array.isArray(json);

/** `null` leaves a scalar at its zero value, as Go does. */
function scalar<T extends string | number | boolean>(
  zero: T,
  expected: string,
  accepts: (json: unknown) => boolean,
  encode: (value: T) => string,
): GoType<T> {
  return {
    zero: () => zero,
    isEmpty: (value) => value === zero,
    encode,
    decode(json, path) {
      if (json === null) return zero;
      if (!accepts(json)) throw new GoDecodeError(path, expected);
      return json as T;
    },
  };
}

export const goString: GoType<string> = scalar<string>('', 'a string', (json) => typeof json === 'string', quote);
export const goBool: GoType<boolean> = scalar<boolean>(false, 'a boolean', (json) => typeof json === 'boolean', String);
/** int64, as far as JavaScript counts exactly. */
export const goInt: GoType<number> = scalar<number>(0, 'a whole number', Number.isSafeInteger, String);
/** time.Time, kept as text. Never empty: `omitempty` has no effect on Go structs. */
export const goTimeText: GoType<string> = {
  ...scalar<string>(ZERO_TIME, 'a time', (json) => typeof json === 'string' && isGoTime(json), quote),
  isEmpty: () => false,
};

/** []T; null is the nil slice. */
export function goSlice<T>(element: GoType<T>): GoType<readonly T[] | null> {
  return {
    zero: () => null,
    isEmpty: (value) => value === null || value.length === 0,
    encode: (value) => (value === null ? 'null' : `[${value.map((item) => element.encode(item)).join(',')}]`),
    decode(json, path) {
      if (json === null) return null;
      if (!Array.isArray(json)) throw new GoDecodeError(path, 'a list');
      return json.map((item, index) => element.decode(item, `${path}[${index}]`));
    },
  };
}

/** map[string]T; null is the nil map. */
export function goMap<T>(element: GoType<T>): GoType<Readonly<Record<string, T>> | null> {
  return {
    zero: () => null,
    isEmpty: (value) => value === null || Object.keys(value).length === 0,
    encode(value) {
      if (value === null) return 'null';
      const entries = Object.entries(value).sort(([a], [b]) => byBytes(a, b));
      return `{${entries.map(([key, item]) => `${quote(key)}:${element.encode(item)}`).join(',')}}`;
    },
    decode(json, path) {
      if (json === null) return null;
      if (!isObject(json)) throw new GoDecodeError(path, 'an object');
      return Object.fromEntries(
        Object.entries(json).map(([key, item]) => [key, element.decode(item, `${path}.${key}`)]),
      );
    },
  };
}

/** *T; null is the nil pointer. */
export function goPointer<T>(target: GoType<T>): GoType<T | null> {
  return {
    zero: () => null,
    isEmpty: (value) => value === null,
    encode: (value) => (value === null ? 'null' : target.encode(value)),
    decode: (json, path) => (json === null ? null : target.decode(json, path)),
  };
}

/** struct{}, the value of Go's sets: `{"80/tcp":{}}`. */
export const goUnit: GoType<Readonly<Record<never, never>>> = {
  zero: () => ({}),
  isEmpty: () => false,
  encode: () => '{}',
  decode(json, path) {
    if (json !== null && !isObject(json)) throw new GoDecodeError(path, 'an object');
    return {};
  },
};

/** Any JSON value, kept as it is with its keys in their order. */
export const goAny: GoType<JsonValue> = {
  zero: () => null,
  isEmpty: (value) => value === null,
  encode: (value) => escapeUnsafe(JSON.stringify(value)),
  decode: (json) => json as JsonValue,
};

const omitted = Symbol('omitempty');

/** A struct field tagged `omitempty`. */
export function omitEmpty<T>(type: GoType<T>): GoType<T> & { readonly [omitted]: true } {
  return { ...type, [omitted]: true };
}

type StructFields = Readonly<Record<string, GoType<never> | GoType<unknown>>>;
type StructValue<F extends Readonly<Record<string, unknown>>> = { readonly [K in keyof F]: GoValue<F[K]> };

/** struct; fields are written in the order given and never left out unless wrapped in {@link omitEmpty}. */
export function goStruct<const F extends Readonly<Record<string, unknown>>>(fields: F): GoType<StructValue<F>> {
  const types = Object.entries(fields as StructFields) as [string, GoType<unknown> & { [omitted]?: true }][];
  const namesByFold = new Map(types.map(([name]) => [name.toLowerCase(), name]));

  /** Values by field name: as in Go an exact match beats a folded one. */
  function fieldsOf(json: Record<string, unknown>): ReadonlyMap<string, unknown> {
    const found = new Map<string, unknown>();
    for (const [key, value] of Object.entries(json)) {
      const name = namesByFold.get(key.toLowerCase());
      if (name !== undefined && (name === key || !Object.hasOwn(json, name))) found.set(name, value);
    }
    return found;
  }

  return {
    zero: () => Object.fromEntries(types.map(([name, type]) => [name, type.zero()])) as StructValue<F>,
    isEmpty: () => false,
    encode(value) {
      const values = value as Readonly<Record<string, unknown>>;
      const parts = types
        .filter(([name, type]) => !(type[omitted] && type.isEmpty(values[name])))
        .map(([name, type]) => `${quote(name)}:${type.encode(values[name])}`);
      return `{${parts.join(',')}}`;
    },
    decode(json, path) {
      if (json !== null && !isObject(json)) throw new GoDecodeError(path, 'an object');
      const found = fieldsOf(json ?? {});
      const prefix = path === '' ? '' : `${path}.`;
      return Object.fromEntries(
        types.map(([name, type]) => [
          name,
          found.has(name) ? type.decode(found.get(name), `${prefix}${name}`) : type.zero(),
        ]),
      ) as StructValue<F>;
    },
  };
}

/** json.Marshal: one line, no newline at its end. */
export function goMarshal<T>(type: GoType<T>, value: T): string {
  return type.encode(value);
}

/** json.Unmarshal. @throws SyntaxError | GoDecodeError with a sentence about what is wrong. */
export function goUnmarshal<T>(type: GoType<T>, text: string): T {
  return type.decode(JSON.parse(text) as unknown, '');
}

/** The value of a map's key; keys such as `constructor` are not found on the prototype. */
export function mapValue<T>(map: Readonly<Record<string, T>> | null, key: string): T | undefined {
  return map !== null && Object.hasOwn(map, key) ? map[key] : undefined;
}
