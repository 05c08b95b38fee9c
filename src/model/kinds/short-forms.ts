/**
 * The short forms people write (`"127.0.0.1:8080:80/tcp"`, `data:/var/lib:ro`, `256MiB`, `30s`) and the data they mean.
 * Each parser returns the data or a sentence that says what is wrong.
 */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string };

export type Protocol = 'tcp' | 'udp';

export interface PortMapping {
  /** Address on the host, or null for the supervisor's --ip default. */
  readonly hostIp: string | null;
  /** Null lets the supervisor pick one from 49153–65535. */
  readonly hostPort: number | null;
  readonly containerPort: number;
  readonly protocol: Protocol;
}

export interface ExposedPort {
  readonly port: number;
  readonly protocol: Protocol;
}

export interface VolumeMount {
  /** `volume` names a volume of the app, or is anonymous when source is null; `bind` is an absolute host path. */
  readonly type: 'volume' | 'bind' | 'tmpfs';
  readonly source: string | null;
  readonly target: string;
  readonly readOnly: boolean;
  /** tmpfs only: size limit in bytes, or null for the kernel's default of half the memory. */
  readonly sizeBytes: number | null;
}

export interface LinkSpec {
  /** `name` in the own app or `app/name`. */
  readonly target: string;
  readonly alias: string;
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
  readonly soft: number;
  readonly hard: number;
}

const ok = <T>(value: T): Parsed<T> => ({ ok: true, value });
const bad = (message: string): Parsed<never> => ({ ok: false, message });

const UNIT_BYTES: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  kb: 1024,
  ki: 1024,
  kib: 1024,
  m: 1024 ** 2,
  mb: 1024 ** 2,
  mi: 1024 ** 2,
  mib: 1024 ** 2,
  g: 1024 ** 3,
  gb: 1024 ** 3,
  gi: 1024 ** 3,
  gib: 1024 ** 3,
};

/** `256MiB`, `64m`, `1.5g` or a number of bytes. All units are powers of 1024, as Docker reads them. */
export function parseBytes(text: string | number): Parsed<number> {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(String(text));
  const unit = match ? UNIT_BYTES[(match[2] ?? '').toLowerCase()] : undefined;
  if (!match || unit === undefined) return bad(`"${text}" is not a size; write for example 256MiB`);
  const bytes = Math.round(Number(match[1]) * unit);
  return Number.isSafeInteger(bytes) ? ok(bytes) : bad(`"${text}" is too large`);
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** `500ms`, `30s`, `1m30s`, or a number of seconds. Result in milliseconds. */
export function parseDuration(text: string | number): Parsed<number> {
  if (typeof text === 'number') return text >= 0 ? ok(Math.round(text * 1000)) : bad('a duration cannot be negative');
  if (/^\d+(\.\d+)?$/.test(text)) return ok(Math.round(Number(text) * 1000));
  let rest = text.trim();
  let total = 0;
  if (rest === '') return bad('a duration is empty; write for example 30s');
  while (rest !== '') {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)/.exec(rest);
    if (!match) return bad(`"${text}" is not a duration; write for example 30s or 1m30s`);
    total += Number(match[1]) * (UNIT_MS[match[2] as string] as number);
    rest = rest.slice(match[0].length);
  }
  return ok(Math.round(total));
}
