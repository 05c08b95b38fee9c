/** Parameters of a query as Docker reads them. */
import { DockerError } from './docker-error.ts';

const FALSE: ReadonlySet<string> = new Set(['', '0', 'no', 'false', 'none']);

export class Query {
  readonly #all: URLSearchParams;

  constructor(search: string) {
    this.#all = new URLSearchParams(search);
  }

  /** Empty where it is left out. */
  text(name: string): string {
    return this.#all.get(name) ?? '';
  }

  has(name: string): boolean {
    return this.#all.has(name);
  }

  all(name: string): readonly string[] {
    return this.#all.getAll(name);
  }

  flag(name: string, unset = false): boolean {
    const value = this.#all.get(name);
    return value === null ? unset : !FALSE.has(value.trim().toLowerCase());
  }

  /** Null where it is left out. @throws DockerError 400 for what is no whole number */
  number(name: string): number | null {
    const value = this.#all.get(name);
    if (value === null || value === '') return null;
    const number = Number(value);
    if (Number.isSafeInteger(number)) return number;
    throw new DockerError(400, `strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`);
  }

  /** @throws DockerError 400 for what is not JSON */
  json(name: string): unknown {
    const text = this.text(name);
    if (text === '') return undefined;
    try {
      return JSON.parse(text);
    } catch {
      throw new DockerError(400, `invalid ${name}: not JSON`);
    }
  }

  /**
   * Filters in both forms, `{"label":{"a=b":true}}` and `{"label":["a=b"]}`.
   * @param known keys that the route has @throws DockerError 400 for others
   */
  filters(known: readonly string[]): Filters {
    const found = new Map<string, readonly string[]>();
    const text = this.text('filters');
    if (text === '') return new Filters(found);
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch {
      throw new DockerError(400, 'invalid filter');
    }
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
      throw new DockerError(400, 'invalid filter');
    for (const [key, values] of Object.entries(parsed)) {
      if (!known.includes(key)) throw new DockerError(400, `invalid filter '${key}'`);
      found.set(key, valuesOf(values));
    }
    return new Filters(found);
  }
}

function valuesOf(values: unknown): readonly string[] {
  if (Array.isArray(values)) return values.map(String);
  if (typeof values !== 'object' || values === null) throw new DockerError(400, 'invalid filter');
  return Object.entries(values).flatMap(([value, isSet]) => (isSet === true ? [value] : []));
}

/** Values of one key are alternatives, keys narrow each other. */
export class Filters {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values;
  }

  get keys(): readonly string[] {
    return [...this.#values.keys()];
  }

  /** Empty where the key is not given. */
  of(key: string): readonly string[] {
    return this.#values.get(key) ?? [];
  }

  /** True where the key is not given, or one of its values passes. */
  some(key: string, passes: (value: string) => boolean): boolean {
    const values = this.of(key);
    return values.length === 0 || values.some(passes);
  }

  /** The one truth value of a key; null where it is not given. @throws DockerError 400 for another text */
  flag(key: string): boolean | null {
    const [value] = this.of(key);
    if (value === undefined) return null;
    if (['1', 'true', 'True', 'TRUE', 't', 'T'].includes(value)) return true;
    if (['0', 'false', 'False', 'FALSE', 'f', 'F'].includes(value)) return false;
    throw new DockerError(400, `invalid filter '${key}=[${value}]'`);
  }

  /** Labels: all have to be there, `name` or `name=value`. @param key `label`, or `label!` for those that must not be there */
  labels(labels: Readonly<Record<string, string>>, key: 'label' | 'label!' = 'label'): boolean {
    const has = (wanted: string): boolean => {
      const at = wanted.indexOf('=');
      const name = at === -1 ? wanted : wanted.slice(0, at);
      return Object.hasOwn(labels, name) && (at === -1 || labels[name] === wanted.slice(at + 1));
    };
    return key === 'label' ? this.of(key).every(has) : !this.of(key).some(has);
  }
}
