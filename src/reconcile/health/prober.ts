import type { ExecDriver } from '../../drivers/contract/exec.ts';
import type { Clock, Timers } from '../../model/clock.ts';
import { type TsdError, toTsdError } from '../../model/errors/errors.ts';
import {
  type HealthRecord,
  type ObservedHealth,
  PROBE_NAMES,
  type ProbeName,
  type ProbeSet,
  type ProbeSpec,
  type ProbeState,
} from '../../model/health.ts';
import { smallest } from '../../model/lists.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { GraphIndex } from '../../state/images/graph-index.ts';
import { WorkQueue } from '../loop/work-queue.ts';
import { fraction } from '../plan/order/mint.ts';
import type { HealthBook } from './health-book.ts';
import { ProbeSlots } from './probe-slots.ts';
import { probesOf } from './probes-of.ts';
import { healthOf, isActive, isStarting, probeState, recordOfRun, withResult } from './verdict.ts';

/** What one try found; or why there was none, for a reason of the host that says nothing about the container. */
export type CheckResult = { readonly ok: boolean; readonly output: string } | { readonly untried: TsdError };

/**
 * Tries a probe once, in at most its timeout. Never rejects: what keeps the container from an answer is a failure. An
 * aborted one ends soon; its result is not looked at.
 */
export type Check = (record: ContainerRecord, probe: ProbeSpec, signal: AbortSignal) => Promise<CheckResult>;

/** The health of a run became another one. */
export interface HealthChange {
  readonly key: ResourceKey;
  readonly containerId: string;
  readonly run: number;
  readonly before: ObservedHealth;
  readonly after: ObservedHealth;
}

export interface ProberOptions {
  readonly containers: Pick<ContainerStore, 'all' | 'get' | 'byKey'>;
  readonly images: Pick<GraphIndex, 'get'>;
  readonly exec: Pick<ExecDriver, 'running' | 'ending'>;
  readonly health: Pick<HealthBook, 'get' | 'set'>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly seed: string;
  readonly check: Check;
  readonly onChange: (change: HealthChange) => void;
  /** A probe could not be tried, or what it found not be written down: a later supervisor will not know it. */
  readonly onProblem: (error: TsdError, key: ResourceKey) => void;
}

/** The first tries of a run follow each other fast: a server that is up is used at once. */
const FIRST_RETRY_MS = 50;
/** What could not be tried is tried again after this time, or the interval when that is shorter. */
const UNTRIED_RETRY_MS = 1_000;
/** Tries are spread by ± this share of the interval, so that many containers do not stay in step. */
const JITTER = 0.1;
/** Runs that an earlier supervisor probed are tried again within this time, not all at once. */
const TAKEOVER_SPREAD_MS = 5_000;
/** Programs cost a process each; connections next to nothing. */
const PROGRAMS_AT_ONCE = 32;
const CONNECTIONS_AT_ONCE = 256;

interface Watched {
  readonly id: string;
  readonly run: number;
  readonly probes: ProbeSet;
  readonly startedAtBootMs: number;
  readonly abort: AbortController;
  /** Boot clock; Infinity while a try runs. */
  readonly due: Map<ProbeName, number>;
}

/**
 * Tries the probes of all containers that run. It never acts on a container: results go into the health book, and who
 * has to look at the container is notified when its health changes.
 */
export class Prober {
  readonly #options: ProberOptions;
  readonly #queue: WorkQueue;
  readonly #watched = new Map<ResourceKey, Watched>();
  readonly #programs: ProbeSlots;
  readonly #connections: ProbeSlots;
  #stopped = false;

  constructor(options: ProberOptions) {
    this.#options = options;
    const { timers } = options;
    this.#programs = new ProbeSlots({ timers, atOnce: PROGRAMS_AT_ONCE });
    this.#connections = new ProbeSlots({ timers, atOnce: CONNECTIONS_AT_ONCE });
    this.#queue = new WorkQueue({ clock: options.clock, timers: options.timers, onDue: () => this.#tryDue() });
  }

  /** Something may have happened to these containers (null: to all): begins with new runs, lets go of ended ones. */
  review(keys: Iterable<ResourceKey> | null): void {
    if (this.#stopped) return;
    if (keys === null) this.#reviewAll();
    else for (const key of keys) if (key.startsWith('container/')) this.#reviewOne(key);
  }

  /** Cancels all tries. */
  stop(): void {
    this.#stopped = true;
    for (const key of [...this.#watched.keys()]) this.#letGo(key);
    this.#queue.clear();
  }

  #reviewAll(): void {
    const { containers, images } = this.#options;
    for (const record of containers.all()) {
      if (record.owner && probesOf(images, record) !== null) this.#reviewOne(record.owner.key);
    }
    for (const key of [...this.#watched.keys()]) this.#reviewOne(key);
  }

  #reviewOne(key: ResourceKey): void {
    const { containers, images, exec } = this.#options;
    const record = containers.byKey(key);
    const runs = record !== undefined && record.state.status === 'running' && exec.running(record.id) !== null;
    const probes = runs ? probesOf(images, record) : null;
    const known = this.#watched.get(key);
    if (!runs || probes === null) this.#letGo(key);
    else if (known?.id !== record.id || known.run !== record.run || !sameProbes(known.probes, probes)) {
      this.#letGo(key);
      this.#watch(key, record, probes);
    }
  }

  #letGo(key: ResourceKey): void {
    this.#watched.get(key)?.abort.abort();
    this.#watched.delete(key);
  }

  #watch(key: ResourceKey, record: ContainerRecord, probes: ProbeSet): void {
    const { clock, health, seed } = this.#options;
    const now = clock.now().bootMs;
    const before = health.get(record.id);
    const startedAtBootMs = record.state.startedAtBootMs ?? now;
    const known = recordOfRun(before, probes, record.run);
    if (known !== before) this.#remember(key, record.id, known);
    const watched: Watched = {
      id: record.id,
      run: record.run,
      probes,
      startedAtBootMs,
      abort: new AbortController(),
      due: new Map(),
    };
    for (const name of PROBE_NAMES) {
      const probe = probes[name];
      if (probe === null) continue;
      const first = startedAtBootMs + probe.initialDelayMs;
      const spread = Math.min(probe.intervalMs, TAKEOVER_SPREAD_MS) * fraction(seed, record.id, name);
      const waits = probeState(known, name).verdict === 'passing';
      watched.due.set(name, waits ? Math.max(first, now + spread) : first);
    }
    this.#watched.set(key, watched);
    this.#schedule(key, watched);
  }

  #active(watched: Watched): ProbeName[] {
    const record = recordOfRun(this.#options.health.get(watched.id), watched.probes, watched.run);
    return PROBE_NAMES.filter((name) => isActive(record, watched.probes, name));
  }

  #schedule(key: ResourceKey, watched: Watched): void {
    const next = smallest(this.#active(watched).map((name) => watched.due.get(name) ?? Number.POSITIVE_INFINITY));
    if (Number.isFinite(next)) this.#queue.add(key, next);
  }

  #tryDue(): void {
    const due = this.#queue.takeDue();
    const now = this.#options.clock.now().bootMs;
    for (const key of due) {
      const watched = this.#watched.get(key);
      if (!watched) continue;
      for (const name of this.#active(watched)) {
        const probe = watched.probes[name];
        if (probe === null || (watched.due.get(name) ?? 0) > now) continue;
        watched.due.set(name, Number.POSITIVE_INFINITY);
        void this.#try(key, watched, name, probe);
      }
      this.#schedule(key, watched);
    }
  }

  async #try(key: ResourceKey, watched: Watched, name: ProbeName, probe: ProbeSpec): Promise<void> {
    const { clock, check, containers, exec } = this.#options;
    const { signal } = watched.abort;
    const slots = probe.check.type === 'exec' ? this.#programs : this.#connections;
    const tried = await slots.take(parseKey(key).app, async () => {
      const record = containers.get(watched.id);
      if (signal.aborted || !record) return null;
      const from = clock.now().bootMs;
      return { ...(await check(record, probe, signal)), ms: Math.round(clock.now().bootMs - from) };
    });
    // The run has ended, or is watched again: what was found is about something else.
    if (!tried || signal.aborted || this.#watched.get(key) !== watched) return;
    // A payload on its way out answers as a broken one would: then the cause of the restart is the exit, which is reported next.
    const unknown = 'untried' in tried;
    if ((unknown || !tried.ok) && exec.ending(watched.id)) {
      this.#later(key, watched, name, probe.intervalMs);
      return;
    }
    if (unknown) {
      this.#options.onProblem(tried.untried, key);
      this.#later(key, watched, name, Math.min(probe.intervalMs, UNTRIED_RETRY_MS));
      return;
    }
    const state = this.#take(key, watched, { probe: name, atWallMs: clock.now().wallMs, ...tried });
    const ranForMs = clock.now().bootMs - watched.startedAtBootMs;
    this.#later(key, watched, name, this.#wait(watched, name, probe, state, ranForMs));
  }

  #later(key: ResourceKey, watched: Watched, name: ProbeName, waitMs: number): void {
    watched.due.set(name, this.#options.clock.now().bootMs + waitMs);
    this.#schedule(key, watched);
  }

  #take(key: ResourceKey, watched: Watched, result: Parameters<typeof withResult>[2]): ProbeState {
    const { clock, health, onChange } = this.#options;
    const { id, run, probes, startedAtBootMs } = watched;
    const now = clock.now().bootMs;
    const known = recordOfRun(health.get(id), probes, run);
    const next = withResult(known, probes, result, now - startedAtBootMs, now);
    this.#remember(key, id, next);
    const [before, after] = [healthOf(known, probes, run), healthOf(next, probes, run)];
    if (before.state !== after.state) onChange({ key, containerId: id, run, before, after });
    return probeState(next, result.probe);
  }

  /** Kept in memory even when the disk fails; probing continues. */
  #remember(key: ResourceKey, containerId: string, record: HealthRecord): void {
    try {
      this.#options.health.set(containerId, record);
    } catch (thrown) {
      this.#options.onProblem(toTsdError(thrown), key);
    }
  }

  #wait(watched: Watched, name: ProbeName, probe: ProbeSpec, state: ProbeState, ranForMs: number): number {
    if (isStarting(state, probe, ranForMs)) {
      return Math.min(probe.startIntervalMs, FIRST_RETRY_MS * 2 ** Math.min(state.tries - 1, 20));
    }
    const spread = 2 * fraction(this.#options.seed, watched.id, name, String(state.tries)) - 1;
    return probe.intervalMs * (1 + JITTER * spread);
  }
}

function sameProbes(a: ProbeSet, b: ProbeSet): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
