/**
 * Data that several short forms mean, and the two measures people write everywhere: sizes and durations.
 * Each parser returns the data or a sentence that says what is wrong.
 */
import type { SignalName } from '../signals.ts';

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string };

export const parsed = <T>(value: T): Parsed<T> => ({ ok: true, value });
export const refused = (message: string): Parsed<never> => ({ ok: false, message });

const PROTOCOLS = ['tcp', 'udp', 'sctp'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

export const isProtocol = (text: string): text is Protocol => PROTOCOLS.some((protocol) => protocol === text);

export interface PortMapping {
  /** Address on the host, or null for the supervisor's --ip default. */
  readonly hostIp: string | null;
  /** Null lets the supervisor pick one of those that the kernel gives to programs that ask for any. */
  readonly hostPort: number | null;
  readonly containerPort: number;
  readonly protocol: Protocol;
}

/** A port of the host, whatever its address. */
export interface HostPort {
  readonly hostPort: number;
  readonly protocol: Protocol;
}

export const isAmong = (ports: readonly HostPort[], port: HostPort): boolean =>
  ports.some(({ hostPort, protocol }) => hostPort === port.hostPort && protocol === port.protocol);

/** What a changed file that a spec refers to leads to. */
export type ContentReaction = 'restart' | 'recreate' | 'ignore' | `signal:${SignalName}`;

/** What becomes of something in the kernel that is not as configured. */
export const DRIFT_POLICIES = ['heal', 'report', 'ignore'] as const;

export interface ExposedPort {
  readonly port: number;
  readonly protocol: Protocol;
}

/** A directory that is created when it is missing; an existing one stays as it is. */
export interface MissingDirectory {
  readonly uid: number;
  readonly gid: number;
  /** Permission bits. */
  readonly mode: number;
}

/** How a filesystem in memory is mounted, where not as usual. */
export interface TmpfsOptions {
  /** Permission bits of its root. Left out, 1777. */
  readonly mode?: number;
  /** Left out, root. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** Programs in it can be run. */
  readonly exec?: true;
}

/** How mounts propagate (mount_namespaces(7)): the part after r is of the mount itself, with r of those below it too. */
export const PROPAGATIONS = ['shared', 'slave', 'rshared', 'rslave'] as const;
export type Propagation = (typeof PROPAGATIONS)[number];

export interface VolumeMount {
  /**
   * `volume` names a volume of the app, or is anonymous when source is null; `bind` is an absolute host path; `content` is a
   * read-only file that holds the text of the manifest.
   */
  readonly type: 'volume' | 'bind' | 'tmpfs' | 'content';
  readonly source: string | null;
  readonly target: string;
  readonly readOnly: boolean;
  /** tmpfs only: size limit in bytes, or null for the kernel's default of half the memory. */
  readonly sizeBytes: number | null;
  /** A file bound read-only: what a change of its content leads to. Left out, what the container says. */
  readonly onChange?: ContentReaction;
  /** A file bound read-only: whether its content counts. Left out, up to 1 MiB it does. */
  readonly watch?: boolean;
  /** A file bound read-only of which there is never a copy, wherever it is mounted. */
  readonly secret?: true;
  /** Of `content`. */
  readonly content?: string;
  /** A bind: what a missing source is made as. Left out, a missing source is an error. */
  readonly create?: MissingDirectory;
  /** A tmpfs. Left out, as usual. */
  readonly tmpfs?: TmpfsOptions;
  /** A volume: it does not start with the content of the image. */
  readonly copy?: false;
  /** A bind: what becomes of later mounts on either side. Left out, neither side sees those of the other. */
  readonly propagation?: Propagation;
}

export interface LinkSpec {
  /** `name` in the own app or `app/name`. */
  readonly target: string;
  readonly alias: string;
}

/** What another container has to be before this one starts. */
export const DEPENDENCY_CONDITIONS = ['ready', 'started', 'completed'] as const;

export interface DependencySpec {
  /** `name` in the own app or `app/name`. */
  readonly container: string;
  /** `ready`: runs and its probes say so, or a one-shot that is done. `completed`: ended with 0. */
  readonly condition: (typeof DEPENDENCY_CONDITIONS)[number];
}

export interface DeviceSpec {
  readonly host: string;
  readonly container: string;
  /** A subset of `rwm`: read, write, mknod. */
  readonly permissions: string;
}

export interface VolumesFromSpec {
  readonly container: string;
  readonly readOnly: boolean;
}

export interface UlimitSpec {
  /** -1 is unlimited. */
  readonly soft: number;
  readonly hard: number;
}

export interface ExtraHost {
  readonly name: string;
  readonly address: string;
}

export const BACKOFF_PRESETS = ['tsdocker', 'docker', 'kubelet'] as const;

/** How delays between restarts grow; null takes what the preset says. */
export interface BackoffSpec {
  readonly preset: (typeof BACKOFF_PRESETS)[number];
  readonly initialMs: number | null;
  readonly factor: number | null;
  readonly maxMs: number | null;
  readonly resetAfterMs: number | null;
}

export interface RestartSpec {
  readonly policy: 'no' | 'always' | 'unless-stopped' | 'on-failure';
  /** on-failure only: restarts before giving up; 0 is without limit. */
  readonly max: number;
  /** Null is the preset tsdocker. */
  readonly backoff: BackoffSpec | null;
}

const UNIT_BYTES: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['b', 1],
  ...['k', 'kb', 'ki', 'kib'].map((unit) => [unit, 1024] as const),
  ...['m', 'mb', 'mi', 'mib'].map((unit) => [unit, 1024 ** 2] as const),
  ...['g', 'gb', 'gi', 'gib'].map((unit) => [unit, 1024 ** 3] as const),
  ...['t', 'tb', 'ti', 'tib'].map((unit) => [unit, 1024 ** 4] as const),
]);

/** `256MiB`, `64m`, `1.5g` or a number of bytes. All units are powers of 1024, as Docker reads them. */
export function parseBytes(text: string | number): Parsed<number> {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(String(text).trim());
  const unit = match ? UNIT_BYTES.get((match[2] ?? '').toLowerCase()) : undefined;
  if (!match || unit === undefined) return refused(`"${text}" is not a size; write for example 256MiB`);
  const bytes = Math.round(Number(match[1]) * unit);
  return Number.isSafeInteger(bytes) ? parsed(bytes) : refused(`"${text}" is too large`);
}

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

/** The longest delay Node's timers can wait for (2^31 - 1 ms). */
const MAX_DURATION_MS = 2 ** 31 - 1;

/** `500ms`, `30s`, `1m30s`, or a number of seconds. Result in milliseconds, at most 24 days. */
export function parseDuration(text: string | number): Parsed<number> {
  let rest = String(text).trim();
  if (/^\d+(\.\d+)?$/.test(rest)) rest += 's';
  let total = 0;
  do {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)/.exec(rest);
    if (!match) return refused(`"${text}" is not a duration; write for example 30s or 1m30s`);
    total += Number(match[1]) * (UNIT_MS.get(match[2] ?? '') ?? 0);
    rest = rest.slice(match[0].length);
  } while (rest !== '');
  return total <= MAX_DURATION_MS ? parsed(Math.round(total)) : refused(`"${text}" is longer than 24 days`);
}

/** A log file must hold the longest entry: 16 KiB of output, six times as much when every byte is escaped (shim/log.h). */
export const MIN_LOG_FILE_BYTES = 128 * 1024;
