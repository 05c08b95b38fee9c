/** Probes of a container, what they found, and what that means. */

/**
 * `check` decides both readiness and liveness. While `startup` has not passed, the others wait. An unready container is
 * not used by others; one whose liveness or startup failed is restarted.
 */
export const PROBE_NAMES = ['startup', 'check', 'readiness', 'liveness'] as const;
export type ProbeName = (typeof PROBE_NAMES)[number];

/** `host` is an address as seen inside the container; null is the container's own. */
export type ProbeCheck =
  | { readonly type: 'exec'; readonly argv: readonly string[] }
  | { readonly type: 'tcp'; readonly host: string | null; readonly port: number }
  | {
      readonly type: 'http';
      readonly scheme: 'http' | 'https';
      readonly host: string | null;
      readonly port: number;
      readonly path: string;
      readonly headers: Readonly<Record<string, string>>;
    };

export interface ProbeSpec {
  readonly check: ProbeCheck;
  /** From the end of one try to the next. */
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Failures in a row until the probe fails. */
  readonly retries: number;
  /** Successes in a row until it passes. */
  readonly successes: number;
  /** After the start, before the first try. */
  readonly initialDelayMs: number;
  /** After the start, and until the first success, failures do not count. */
  readonly startPeriodMs: number;
  /** Longest wait between two tries in that time; the first tries follow sooner. */
  readonly startIntervalMs: number;
}

export type ProbeSet = { readonly [Name in ProbeName]: ProbeSpec | null };

/** What a manifest says: probes, none although the image has a HEALTHCHECK, or nothing. */
export type HealthSpec = ProbeSet | 'none' | null;

export const NO_PROBES: ProbeSet = { startup: null, check: null, readiness: null, liveness: null };

/** One try. */
export interface ProbeResult {
  readonly probe: ProbeName;
  readonly atWallMs: number;
  readonly ok: boolean;
  readonly ms: number;
  /** What the program wrote, the HTTP status, or what went wrong; at most {@link PROBE_OUTPUT_BYTES}. */
  readonly output: string;
}

/** Docker's numbers (daemon/health.go). */
export const PROBE_OUTPUT_BYTES = 4096;
export const KEPT_RESULTS = 5;

/**
 * `starting`: was not ready in this run yet. `unready`: was, and is not now. `unhealthy`: startup or liveness failed, so
 * that only a restart helps.
 */
export type HealthState = 'starting' | 'healthy' | 'unready' | 'unhealthy';

/** The health of a container's present or, when it does not run, last run. */
export interface ObservedHealth {
  readonly state: HealthState;
  readonly ready: boolean;
  /** Why it is not healthy, for people; empty when it is. */
  readonly message: string;
  /** When it became ready first in this run, on the boot clock. */
  readonly firstReadyAtBootMs: number | null;
  /** Since when it is ready; null while it is not. */
  readonly readySinceBootMs: number | null;
  /** The latest, oldest first. */
  readonly results: readonly ProbeResult[];
}

export interface ProbeState {
  readonly verdict: 'unknown' | 'passing' | 'failing';
  /** Of the present row. */
  readonly successes: number;
  readonly failures: number;
  /** Tries in this run. */
  readonly tries: number;
}

/** What is remembered of one run's probes. Times are on the boot clock. */
export interface HealthRecord {
  readonly run: number;
  /** The probes it is about, as text: with others it says nothing. */
  readonly probes: string;
  readonly standings: { readonly [Name in ProbeName]?: ProbeState };
  readonly firstReadyAtBootMs: number | null;
  readonly readySinceBootMs: number | null;
  readonly results: readonly ProbeResult[];
}

/** The probes that apply: the manifest's, else the image's; null for none. */
export function effectiveProbes(spec: HealthSpec | undefined, image: ProbeSet | null): ProbeSet | null {
  if (spec === 'none') return null;
  return spec ?? image;
}
