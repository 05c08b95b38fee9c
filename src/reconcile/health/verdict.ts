/** What results of probes mean. Pure: a record goes in, another one comes out. */
import type {
  HealthRecord,
  HealthState,
  ObservedHealth,
  ProbeName,
  ProbeResult,
  ProbeSet,
  ProbeSpec,
  ProbeState,
} from '../../model/health.ts';
import { KEPT_RESULTS, PROBE_NAMES } from '../../model/health.ts';

const UNTRIED: ProbeState = { verdict: 'unknown', successes: 0, failures: 0, tries: 0 };

/** Asked for in every pass; specs are replaced, never changed. */
const texts = new WeakMap<ProbeSet, string>();

function textOf(probes: ProbeSet): string {
  const known = texts.get(probes);
  if (known !== undefined) return known;
  const text = JSON.stringify(probes);
  texts.set(probes, text);
  return text;
}

/** The record of a run: what is known of it with these probes, or that nothing has been tried. */
export function recordOfRun(known: HealthRecord | undefined, probes: ProbeSet, run: number): HealthRecord {
  const text = textOf(probes);
  if (known?.run === run && known.probes === text) return known;
  return { run, probes: text, standings: {}, firstReadyAtBootMs: null, readySinceBootMs: null, results: [] };
}

export function probeState(record: HealthRecord, name: ProbeName): ProbeState {
  return record.standings[name] ?? UNTRIED;
}

/** True when a probe is to be tried now: it exists, and the startup probe, where there is one, has passed or is it. */
export function isActive(record: HealthRecord, probes: ProbeSet, name: ProbeName): boolean {
  if (probes[name] === null) return false;
  const started = probes.startup === null || probeState(record, 'startup').verdict === 'passing';
  return name === 'startup' ? !started : started;
}

/** Whether failures do not count yet. */
export function isStarting(state: ProbeState, probe: ProbeSpec, ranForMs: number): boolean {
  return state.verdict === 'unknown' && state.successes === 0 && ranForMs < probe.startPeriodMs;
}

function advance(before: ProbeState, probe: ProbeSpec, ok: boolean, ranForMs: number): ProbeState {
  const tries = before.tries + 1;
  if (ok) {
    const successes = before.successes + 1;
    return { verdict: successes >= probe.successes ? 'passing' : before.verdict, successes, failures: 0, tries };
  }
  if (isStarting(before, probe, ranForMs)) return { ...before, successes: 0, tries };
  const failures = before.failures + 1;
  return { verdict: failures >= probe.retries ? 'failing' : before.verdict, successes: 0, failures, tries };
}

const passes = (record: HealthRecord, probes: ProbeSet, name: ProbeName): boolean =>
  probes[name] === null || probeState(record, name).verdict === 'passing';

/** The probe whose failure only a restart repairs. */
function fatal(record: HealthRecord, probes: ProbeSet): ProbeName | undefined {
  return (['startup', 'check', 'liveness'] as const).find(
    (name) => probes[name] !== null && probeState(record, name).verdict === 'failing',
  );
}

function isReady(record: HealthRecord, probes: ProbeSet): boolean {
  if (fatal(record, probes) !== undefined) return false;
  return (['startup', 'check', 'readiness'] as const).every((name) => passes(record, probes, name));
}

/**
 * The record after one more result.
 * @param ranForMs how long the run had lasted
 */
export function withResult(
  record: HealthRecord,
  probes: ProbeSet,
  result: ProbeResult,
  ranForMs: number,
  nowBootMs: number,
): HealthRecord {
  const probe = probes[result.probe];
  if (probe === null) return record;
  const state = advance(probeState(record, result.probe), probe, result.ok, ranForMs);
  const next = {
    ...record,
    standings: { ...record.standings, [result.probe]: state },
    results: [...record.results, result].slice(-KEPT_RESULTS),
  };
  if (!isReady(next, probes)) return { ...next, readySinceBootMs: null };
  return {
    ...next,
    firstReadyAtBootMs: record.firstReadyAtBootMs ?? nowBootMs,
    readySinceBootMs: record.readySinceBootMs ?? nowBootMs,
  };
}

const TITLES: Readonly<Record<ProbeName, string>> = {
  startup: 'startup probe',
  check: 'health check',
  readiness: 'readiness probe',
  liveness: 'liveness probe',
};

/** First line of what a try brought, short enough for a table. */
function brief(output: string): string {
  const line = output.trim().split('\n')[0] ?? '';
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
}

function failureText(record: HealthRecord, name: ProbeName): string {
  const { failures } = probeState(record, name);
  const last = record.results.findLast(({ probe, ok }) => probe === name && !ok);
  const times = failures === 0 ? 'failed' : `failed ${failures === 1 ? 'once' : `${failures} times`}`;
  return `${TITLES[name]} ${times}${last ? `: ${brief(last.output)}` : ''}`;
}

function pending(record: HealthRecord, probes: ProbeSet): string {
  for (const name of PROBE_NAMES) {
    if (name === 'liveness' || passes(record, probes, name)) continue;
    const failed = record.results.findLast(({ probe }) => probe === name)?.ok === false;
    return failed ? failureText(record, name) : `${TITLES[name]} has not passed yet`;
  }
  return '';
}

function verdict(record: HealthRecord, probes: ProbeSet): { state: HealthState; message: string } {
  const dead = fatal(record, probes);
  if (dead !== undefined) return { state: 'unhealthy', message: failureText(record, dead) };
  if (isReady(record, probes)) return { state: 'healthy', message: '' };
  const message = pending(record, probes);
  // One that was never ready is starting only as long as its tries may still fail.
  const hasFailed = probes.readiness !== null && probeState(record, 'readiness').verdict === 'failing';
  return { state: record.firstReadyAtBootMs === null && !hasFailed ? 'starting' : 'unready', message };
}

/** What is known of run number `run`; a record of another run or of other probes counts for nothing. */
export function healthOf(record: HealthRecord | undefined, probes: ProbeSet, run: number): ObservedHealth {
  const known = recordOfRun(record, probes, run);
  const { state, message } = verdict(known, probes);
  return {
    state,
    ready: state === 'healthy',
    message,
    firstReadyAtBootMs: known.firstReadyAtBootMs,
    readySinceBootMs: known.readySinceBootMs,
    results: known.results,
  };
}
