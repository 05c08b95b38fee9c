/** Values that mean false, trimmed and in lower case (docker 1.4, engine/env.go). */
const FALSE_WORDS: ReadonlySet<string> = new Set(['', '0', 'no', 'false', 'none']);

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Arguments of a job by name: a list of `K=V` in which the last one wins. Malformed values are empty, never an error. */
export class Env {
  readonly #values = new Map<string, string>();

  /** Empty when it is not set. */
  get(key: string): string {
    return this.#values.get(key) ?? '';
  }

  set(key: string, value: string): void {
    this.#values.set(key, value);
  }

  getBool(key: string): boolean {
    return !FALSE_WORDS.has(this.get(key).trim().toLowerCase());
  }

  setBool(key: string, value: boolean): void {
    this.set(key, value ? '1' : '0');
  }

  /** Returns 0 for anything but a decimal integer. */
  getInt(key: string): number {
    const text = this.get(key).trim();
    return /^[+-]?\d+$/.test(text) ? Number(text) : 0;
  }

  setInt(key: string, value: number): void {
    this.set(key, String(value));
  }

  /** A JSON array of strings, or the text itself as the only element; null when empty. */
  getList(key: string): readonly string[] | null {
    const text = this.get(key);
    if (text === '') return null;
    const value = asJson(text);
    return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : [text];
  }

  setList(key: string, value: readonly string[]): void {
    this.set(key, JSON.stringify(value));
  }

  /** Takes over the members of a JSON object: null is skipped, text stays raw, numbers lose their fraction. */
  decode(json: string): void {
    const value = asJson(json);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new TypeError('the environment of a job is a JSON object');
    }
    for (const [key, member] of Object.entries(value)) {
      if (member === null) continue;
      if (typeof member === 'string') this.set(key, member);
      else this.set(key, typeof member === 'number' ? String(Math.trunc(member)) : JSON.stringify(member));
    }
  }

  /** One line of JSON with sorted keys; values that are JSON themselves are embedded as such. */
  encode(): string {
    const entries = [...this.#values].sort(([a], [b]) => (a < b ? -1 : 1));
    const members = entries.map(([key, text]) => {
      const value = asJson(text);
      const embedded = typeof value === 'number' ? Math.trunc(value) : (value ?? (text === 'null' ? null : text));
      return `${JSON.stringify(key)}:${JSON.stringify(embedded)}`;
    });
    return `{${members.join(',')}}\n`;
  }

  list(): readonly string[] {
    return [...this.#values].map(([key, value]) => `${key}=${value}`);
  }
}
