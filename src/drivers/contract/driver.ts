/**
 * The driver interfaces. There are three families: graph (storage), network and exec. A driver works on resolved data: it
 * sees no manifest, resolves no name and knows no other driver.
 *
 * One contract suite per family runs on each driver and checks the rules of its interface. Those of all families: removing
 * what is absent succeeds; `fingerprint()` returns what the host supports and, for what it does not, the reason and the fix;
 * a failure is thrown as a TsdError that names the step.
 */

/** The result of probing the host. `problems` is empty when the driver works. */
export interface Fingerprint {
  readonly works: boolean;
  readonly problems: readonly { readonly what: string; readonly fix: string }[];
  /** Facts that `tsdocker info` and `doctor` print: `kernel`, `cgroup`, `backing filesystem`. */
  readonly attributes: Readonly<Record<string, string>>;
}

export interface Driver {
  /** As users type it: `overlay`, `bridge`, `native`. */
  readonly name: string;
  fingerprint(): Fingerprint;
}

/** Identifies a supervisor. Every kernel object it creates carries the id. */
export interface Instance {
  /** Six hex digits, generated once and stored in `<root>/instance`. */
  readonly id: string;
  readonly root: string;
  readonly runDir: string;
}

/**
 * The values that settings under /proc/sys/net had before the supervisor changed them, by path. `set` is durable when it
 * returns. A boot of the host clears all values.
 */
export interface OriginalSettings {
  get(path: string): string | null;
  /** @param original null deletes the value */
  set(path: string, original: string | null): void;
}
