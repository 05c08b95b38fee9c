/** What has to hold at every moment, whatever happens. */
import type { DesiredState } from '../../src/model/desired.ts';
import type { ResourceKey } from '../../src/model/resource.ts';
import type { OpResult } from '../../src/reconcile/executor.ts';
import type { Op, Plan } from '../../src/reconcile/op.ts';
import { backoffCurve } from '../../src/reconcile/plan/backoff.ts';
import { isContainer, startDependencies } from '../../src/reconcile/plan/references.ts';
import type { Disk } from './disk.ts';
import type { Kernel, Payload } from './kernel.ts';
import { INJECTED, type Universe } from './universe.ts';

/** What a container's runs were, for the rules about delays. */
interface Runs {
  /** Ends of runs that count as quick failures, in a row. */
  quick: number;
  endedAt: number;
  startedAt: number;
}

/** An exit record carries whole milliseconds of the wall clock. */
const ROUNDING_MS = 1.5;

export class Watch {
  readonly #universe: Universe;
  readonly #disk: Disk;
  readonly #kernel: Kernel;
  readonly #desired: () => DesiredState;
  readonly #runs = new Map<string, Runs>();
  /** When a container last was ready, for those that are not now. */
  readonly #unreadySince = new Map<ResourceKey, number>();
  readonly #plannedAt = new Map<string, number>();
  readonly #inFlight = new Set<ResourceKey>();
  /** What those that are being started depended on when that began. */
  readonly #startNeeds = new Map<ResourceKey, readonly ResourceKey[]>();
  /** Ends that the plan asks for are no failures. */
  readonly #stopping = new Set<ResourceKey>();
  /** Volumes whose removal a person allowed. */
  readonly approved = new Set<ResourceKey>();
  ops = 0;
  /** The supervisor has not been told of an end. */
  believesRunning: (containerId: string) => boolean = () => false;

  constructor(universe: Universe, disk: Disk, kernel: Kernel, desired: () => DesiredState) {
    this.#universe = universe;
    this.#disk = disk;
    this.#kernel = kernel;
    this.#desired = desired;
    kernel.onStart = (payload) => this.#started(payload);
  }

  planned(made: Plan): void {
    for (const op of made.ops) this.#plannedAt.set(op.id, this.#universe.elapsedMs);
  }

  began(op: Op): void {
    this.ops += 1;
    if (this.#inFlight.has(op.key)) this.#universe.breaks(`two ops in flight for ${op.key}`);
    this.#inFlight.add(op.key);
    if (op.op === 'container.stop') this.#stopping.add(op.key);
    // What a person asks for, be it by another spec, may be due long after it was asked for.
    const asked = op.cause.reason === 'requested' || op.cause.reason === 'spec-changed';
    if (asked) this.excuse((key) => key === op.key);
    if (op.op === 'container.start') this.#startNeeds.set(op.key, this.#dependencies(op.key));
  }

  ended({ op, error, status }: OpResult): void {
    if (status === 'skipped') return;
    this.#inFlight.delete(op.key);
    if (op.op === 'container.stop') this.#stopping.delete(op.key);
    if (status === 'done' && (op.op === 'volume.create' || op.op === 'volume.adopt')) this.approved.delete(op.key);
    if (error?.code === 'TSD_BUG' && !error.step?.startsWith(INJECTED)) {
      this.#universe.breaks(`${op.id} met a defect: ${error.message}`);
    }
  }

  /** The supervisor is gone with all that it was doing. */
  supervisorGone(): void {
    this.#inFlight.clear();
    this.#stopping.clear();
    this.#plannedAt.clear();
  }

  /** Something other than the restart policy may start these now. */
  excuse(touches: (key: ResourceKey) => boolean): void {
    for (const [id, runs] of this.#runs) {
      const key = this.#keyOf(id);
      if (key === undefined || touches(key)) runs.quick = 0;
    }
  }

  payloadEnded({ containerId }: Payload, failed: boolean): void {
    const now = this.#universe.elapsedMs;
    const runs = this.#runs.get(containerId);
    const key = this.#keyOf(containerId);
    if (key) this.#unreadySince.set(key, now);
    if (!runs) return;
    runs.endedAt = now;
    const stopped = key !== undefined && this.#stopping.has(key);
    const quick = failed && !stopped && now - runs.startedAt < backoffCurve(null).resetAfterMs - 100;
    runs.quick = quick ? runs.quick + 1 : 0;
  }

  /** A supervisor learned of the end. */
  toldEnd(containerId: string): void {
    const key = this.#keyOf(containerId);
    if (key) this.#unreadySince.set(key, this.#universe.elapsedMs);
  }

  volumeGone(key: ResourceKey): void {
    if (!this.approved.delete(key)) this.#universe.breaks(`the data of ${key} was removed without approval`);
  }

  #keyOf(containerId: string): ResourceKey | undefined {
    return this.#disk.containers.get(containerId)?.owner?.key;
  }

  #started(payload: Payload): void {
    const { containerId } = payload;
    const key = this.#keyOf(containerId);
    if (key === undefined) {
      this.#universe.breaks(`${containerId} was started without a record`);
      return;
    }
    for (const other of this.#kernel.payloads.values()) {
      if (other !== payload && this.#keyOf(other.containerId) === key) this.#universe.breaks(`two payloads of ${key}`);
    }
    this.#checkDelay(containerId, key);
    this.#checkDependencies(key);
    const quick = this.#runs.get(containerId)?.quick ?? 0;
    this.#runs.set(containerId, { quick, endedAt: 0, startedAt: this.#universe.elapsedMs });
  }

  /** The nth quick failure in a row waits at least its delay less the jitter. */
  #checkDelay(containerId: string, key: ResourceKey): void {
    const runs = this.#runs.get(containerId);
    if (!runs) return;
    if (this.#dependencyCameUp(key, runs.endedAt)) runs.quick = 0;
    if (runs.quick < 2) return;
    const { initialMs, factor, maxMs, jitter } = backoffCurve(null);
    const least = Math.min(maxMs, initialMs * factor ** (runs.quick - 2) * (1 - jitter)) - ROUNDING_MS;
    const waited = this.#universe.elapsedMs - runs.endedAt;
    if (waited >= least) return;
    this.#universe.breaks(`${key} was started ${waited} ms after quick failure ${runs.quick}, before ${least} ms`);
  }

  #dependencyCameUp(key: ResourceKey, since: number): boolean {
    return this.#dependencies(key).some((dependency) => {
      const id = [...this.#disk.containers.values()].find(({ owner }) => owner?.key === dependency)?.id ?? '';
      return (this.#runs.get(id)?.startedAt ?? 0) >= since;
    });
  }

  #dependencies(key: ResourceKey): readonly ResourceKey[] {
    const desired = this.#desired().resources.get(key);
    return desired && isContainer(desired) ? startDependencies(desired.references) : [];
  }

  /** Ready now, or it was when the start was planned: its end since then is something the plan could not know. */
  #checkDependencies(key: ResourceKey): void {
    const plannedAt = this.#plannedAt.get(`start ${key}`) ?? 0;
    for (const dependency of this.#startNeeds.get(key) ?? []) {
      const records = [...this.#disk.containers.values()].filter(({ owner }) => owner?.key === dependency);
      const runs = records.some(({ id }) => this.#kernel.payloads.has(id) || this.believesRunning(id));
      const done = records.some(({ id, run, state }) => {
        // Of one that was half removed only the record is left.
        return (this.#disk.exits.get(`${id} ${run}`)?.exitCode ?? state.exitCode) === 0;
      });
      const since = this.#unreadySince.get(dependency);
      if (runs || done || (since !== undefined && since >= plannedAt)) continue;
      this.#universe.breaks(`${key} was started before ${dependency} was ready`);
    }
  }
}
