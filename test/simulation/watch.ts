/** Invariants at every moment. */
import type { DesiredState } from '../../src/model/desired.ts';
import type { ContainerSpec } from '../../src/model/kinds/container.ts';
import { parseKey, type ResourceKey } from '../../src/model/resource.ts';
import { baseKey, isNext, oldKey } from '../../src/model/update.ts';
import type { OpResult } from '../../src/reconcile/executor.ts';
import { probesOf } from '../../src/reconcile/health/probes-of.ts';
import type { PassReport } from '../../src/reconcile/loop/controller.ts';
import type { Op, OpOf, Plan } from '../../src/reconcile/op.ts';
import { type BackoffCurve, backoffCurve } from '../../src/reconcile/plan/backoff.ts';
import { isContainer, observedReferences, startConditions } from '../../src/reconcile/plan/references.ts';
import type { GraphIndex } from '../../src/state/images/graph-index.ts';
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

type Needs = ReturnType<typeof startConditions>;

/** An exit record carries whole milliseconds of the wall clock. */
const ROUNDING_MS = 1.5;

/** As many looks within a second, in which nothing happened, are a loop that turns without an end. */
const MOST_IDLE_LOOKS = 30;

/** An op that begins more often within a minute is done over and over: what fails is tried less and less often. */
const MOST_BEGINNINGS = 200;

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
  /** What those that are being started waited for when that began. */
  readonly #startNeeds = new Map<ResourceKey, Needs>();
  /** `<container id> <run>` of runs of which a probe has passed, and those of their probes whose last try did. */
  readonly #passed = new Set<string>();
  readonly #well = new Map<string, Set<object>>();
  /** When it last got ready, by container id and by key: the container that a plan saw may have been replaced since. */
  readonly #cameUpAt = new Map<string, number>();
  /** Ends that the plan asks for are no failures. */
  readonly #stopping = new Set<ResourceKey>();
  /** Ids of volumes whose removal has begun while it was allowed. */
  readonly #going = new Set<string>();
  /** What a person stopped, with the declaration it was stopped under. */
  readonly #stopped = new Map<ResourceKey, string>();
  /** Starts that had begun before that. */
  readonly #onTheWay = new Set<ResourceKey>();
  /** Volumes whose removal a person allowed, and that have not been declared since. */
  readonly approved = new Set<ResourceKey>();
  ops = 0;
  /** When looks had no effect since something happened last; the latest of them. */
  #idleLooks: number[] = [];
  /** How often an op has begun since, by its name. */
  readonly #beginnings = new Map<string, { since: number; times: number }>();
  /** The supervisor has not received an end. */
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

  /** Another look at the same finds the same. */
  looked({ results, scope }: PassReport): void {
    if (results.some(({ status }) => status !== 'skipped')) return;
    const now = this.#universe.elapsedMs;
    this.#idleLooks = [...this.#idleLooks, now].slice(-MOST_IDLE_LOOKS);
    const [first = now] = this.#idleLooks;
    if (this.#idleLooks.length < MOST_IDLE_LOOKS || now - first > 1_000) return;
    const [skipped] = results.flatMap(({ op, skipped: why }) => (why === null ? [] : [`${op.id}: ${why}`]));
    const what = skipped ?? [...(scope ?? ['everything'])].join(', ');
    this.#universe.breaks(`nothing happened, and it was looked at again and again: ${what}`);
  }

  /** What makes another look worth while. */
  happened(): void {
    this.#idleLooks = [];
  }

  /** A person's stop is written down: from now on nothing is started, until the person or another declaration wants it. */
  stopped(key: ResourceKey, specHash: string): void {
    const { resources, heldBack } = this.#desired();
    // An edit that came while it was on its way to the disk is the later wish.
    const edited = resources.get(key)?.specHash !== specHash && heldBack?.get(parseKey(key).app)?.failed !== true;
    if (!edited) this.#stopped.set(key, specHash);
  }

  startedByPerson(key: ResourceKey): void {
    this.#stopped.delete(key);
  }

  /** What runs although a person stopped it. */
  runsAlthoughStopped(): ResourceKey[] {
    const running = [...this.#kernel.payloads.keys()].map((id) => this.#keyOf(id));
    return running.filter((key) => key !== undefined && this.#isStopped(baseKey(key))) as ResourceKey[];
  }

  /** An app that is brought back after a failed update is not another declaration of anyone's. */
  #isStopped(key: ResourceKey): boolean {
    const { resources, heldBack } = this.#desired();
    const under = this.#stopped.get(key);
    const declared = resources.get(key)?.specHash;
    if (under === undefined || declared === undefined) return false;
    return under === declared || heldBack?.get(parseKey(key).app)?.failed === true;
  }

  began(op: Op): void {
    this.ops += 1;
    this.happened();
    this.#countBeginning(op);
    if (this.#inFlight.has(op.key)) this.#universe.breaks(`two ops in flight for ${op.key}`);
    this.#inFlight.add(op.key);
    if (op.op === 'container.stop') this.#stopping.add(op.key);
    if (op.op === 'volume.remove' && this.approved.has(op.key))
      for (const id of this.#volumesOf(op.key)) this.#going.add(id);
    // What is done for another reason than an end begins a new row: a person's wish, another spec, a dependency.
    if (!['exited', 'unhealthy'].includes(op.cause.reason)) this.excuse((key) => key === op.key);
    if (op.op === 'container.start') {
      if (!this.#isStopped(baseKey(op.key))) this.#onTheWay.add(op.key);
      this.#startBegan(op);
    }
  }

  #countBeginning({ id }: Op): void {
    const now = this.#universe.elapsedMs;
    const known = this.#beginnings.get(id);
    if (!known || now - known.since > 60_000) this.#beginnings.set(id, { since: now, times: 1 });
    else if (++known.times > MOST_BEGINNINGS) this.#universe.breaks(`${id} is done over and over`);
  }

  ended({ op, error, status }: OpResult): void {
    if (status === 'skipped') return;
    this.happened();
    this.#inFlight.delete(op.key);
    const wanted = this.#onTheWay.delete(op.key) && !('asMade' in op);
    // Another declaration came into force: its run ended the stop, also for when the app is brought back.
    if (wanted && status === 'done') this.#stopped.delete(baseKey(op.key));
    if (op.op === 'container.stop') this.#stopping.delete(op.key);
    if (op.op === 'volume.remove') this.#stay(this.#volumesOf(op.key));
    if (error?.code === 'TSD_BUG' && !error.step?.startsWith(INJECTED)) {
      this.#universe.breaks(`${op.id} met a defect: ${error.message}`);
    }
  }

  /** What it waits for may be another thing, or gone, before its payload begins. */
  #startBegan({ key, containerId, asMade, update: begins }: OpOf<'container.start'>): void {
    // The update may be over, or another one, before its payload begins.
    const update = begins ?? this.#disk.history.updates.all().find((record) => record.key === baseKey(key));
    if (isNext(key) && update?.order !== 'start-first') this.#universe.breaks(`${key} is started without an update`);
    const needs = asMade === undefined ? this.#needs(key) : this.#needsAsMade(containerId);
    // What had done its work then may run again by now, or be gone: the start was right anyway.
    this.#startNeeds.set(
      key,
      needs.filter((need) => !this.#isDone(need.key)),
    );
    const runs = this.#runs.get(containerId);
    if (runs && this.#recovered(needs, runs.endedAt)) runs.quick = 0;
  }

  /** The supervisor is gone with all that it was doing. */
  supervisorGone(): void {
    this.happened();
    this.#inFlight.clear();
    this.#onTheWay.clear();
    this.#stay(this.#going);
    this.#stopping.clear();
    this.#plannedAt.clear();
    this.#well.clear();
    for (const [id, runs] of this.#runs) this.#startUnseen(id, runs);
  }

  /** Of a start that was not written down it is only known when it was begun: its run counts from there. */
  #startUnseen(id: string, runs: Runs): void {
    const { run, handle, begunAt } = this.#disk.containers.get(id) ?? {};
    if (run === handle?.run || !begunAt) return;
    runs.startedAt = this.#universe.elapsedMs - (this.#universe.now().bootMs - begunAt.atBootMs);
    if (!this.#isQuick(id, runs)) runs.quick = 0;
  }

  #isQuick(id: string, { startedAt, endedAt }: Runs): boolean {
    return endedAt - startedAt < this.#curve(id).resetAfterMs - 100;
  }

  /** Something other than the restart policy may start these now. */
  excuse(touches: (key: ResourceKey) => boolean): void {
    for (const [id, runs] of this.#runs) {
      const key = this.#keyOf(id);
      if (key === undefined || touches(key)) runs.quick = 0;
    }
  }

  payloadEnded({ containerId }: Payload, code: number | null | undefined): void {
    this.happened();
    const now = this.#universe.elapsedMs;
    const runs = this.#runs.get(containerId);
    const key = this.#keyOf(containerId);
    if (key) this.#unreadySince.set(key, now);
    if (!runs) return;
    runs.endedAt = now;
    const stopped = key !== undefined && this.#stopping.has(key);
    // When a run ended whose shim was killed is not known to a supervisor that comes later.
    const failed = code !== undefined && code !== 0;
    runs.quick = failed && !stopped && this.#isQuick(containerId, runs) ? runs.quick + 1 : 0;
  }

  /** What a supervisor found out. Which of its probes is the last one that a container needs to be ready is not judged. */
  probed(containerId: string, run: number, probe: object, passed: boolean): void {
    this.happened();
    const id = `${containerId} ${run}`;
    const well = this.#well.get(id) ?? new Set();
    this.#well.set(id, well);
    if (!passed) {
      well.delete(probe);
      return;
    }
    this.#passed.add(id);
    if (!well.has(probe)) this.#cameUp(containerId);
    well.add(probe);
  }

  /** A supervisor learned of the end. */
  toldEnd(containerId: string): void {
    this.happened();
    const key = this.#keyOf(containerId);
    if (key) this.#unreadySince.set(key, this.#universe.elapsedMs);
  }

  /** An approval is for data that nothing declares, a stop for the declaration it was given for. */
  declared(resources: DesiredState['resources'], byPerson: boolean): void {
    for (const [key, under] of this.#stopped) {
      const now = resources.get(key)?.specHash;
      if (now === undefined || (byPerson && now !== under)) this.#stopped.delete(key);
    }
    for (const key of this.approved) if (resources.has(key)) this.approved.delete(key);
  }

  volumeGone(id: string, key: ResourceKey): void {
    const allowed = this.approved.delete(key);
    if (!this.#going.delete(id) && !allowed) this.#universe.breaks(`the data of ${key} was removed without approval`);
  }

  #volumesOf(key: ResourceKey): string[] {
    return [...this.#disk.volumes.values()].flatMap(({ id, owner }) => {
      return owner.type === 'named' && owner.key === key ? [id] : [];
    });
  }

  /** Their removal has ended; what is there still was not removed. */
  #stay(ids: Iterable<string>): void {
    for (const id of ids) if (this.#disk.volumeData.has(id)) this.#going.delete(id);
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
    if (this.#isStopped(baseKey(key)) && !this.#onTheWay.has(key))
      this.#universe.breaks(`${key} was started although a person had stopped it`);
    this.#checkAlone(payload, key);
    this.#checkDelay(containerId, key);
    this.#checkDependencies(key);
    const quick = this.#runs.get(containerId)?.quick ?? 0;
    this.#runs.set(containerId, { quick, endedAt: 0, startedAt: this.#universe.elapsedMs });
    if (!this.#isProbed(containerId)) this.#cameUp(containerId);
  }

  #cameUp(containerId: string): void {
    for (const name of [containerId, this.#keyOf(containerId)]) {
      if (name !== undefined) this.#cameUpAt.set(name, this.#universe.elapsedMs);
    }
  }

  /** One payload a container; while it is updated by starting first, one more. */
  #checkAlone(payload: Payload, key: ResourceKey): void {
    const others = [...this.#kernel.payloads.values()].flatMap((other) => {
      const otherKey = other === payload ? undefined : this.#keyOf(other.containerId);
      return otherKey !== undefined && baseKey(otherKey) === baseKey(key) ? [otherKey] : [];
    });
    const beside = others.length <= 1 && others[0] !== key;
    const alone = others.length === 0 || (beside && (others[0] !== baseKey(key) || isNext(key)));
    if (!alone) this.#universe.breaks(`two payloads of ${key}: ${others.join(', ')}`);
    if (key === oldKey(baseKey(key))) this.#universe.breaks(`${key} was started again`);
  }

  #isProbed(containerId: string): boolean {
    const record = this.#disk.containers.get(containerId);
    return record !== undefined && probesOf(this.#disk.images as unknown as GraphIndex, record) !== null;
  }

  #curve(containerId: string): BackoffCurve {
    const written = this.#disk.containers.get(containerId)?.owner?.written as ContainerSpec | undefined;
    return backoffCurve(written?.restart.backoff);
  }

  /** The nth quick failure in a row waits at least its delay less the jitter. */
  #checkDelay(containerId: string, key: ResourceKey): void {
    const runs = this.#runs.get(containerId);
    if (!runs) return;
    // The record says by now what it is started as.
    if (this.#recovered(this.#needsAsMade(containerId), runs.endedAt)) runs.quick = 0;
    const { initialMs, factor, maxMs, jitter, firstAtOnce } = this.#curve(containerId);
    const steps = runs.quick - (firstAtOnce ? 2 : 1);
    if (steps < 0) return;
    const least = Math.min(maxMs, initialMs * factor ** steps * (1 - jitter)) - ROUNDING_MS;
    const waited = this.#universe.elapsedMs - runs.endedAt;
    if (waited >= least) return;
    this.#universe.breaks(`${key} was started ${waited} ms after quick failure ${runs.quick}, before ${least} ms`);
  }

  #recovered(needs: Needs, since: number): boolean {
    return needs.some(({ key: dependency }) => {
      const id = [...this.#disk.containers.values()].find(({ owner }) => owner?.key === dependency)?.id ?? '';
      return [id, dependency].some((name) => (this.#cameUpAt.get(name) ?? 0) >= since);
    });
  }

  #needs(key: ResourceKey): Needs {
    const desired = this.#desired().resources.get(baseKey(key));
    return desired && isContainer(desired) ? startConditions(desired.references, desired.spec) : [];
  }

  /** A predecessor needs what it was made to need. */
  #needsAsMade(containerId: string): Needs {
    const { owner, engineName } = this.#disk.containers.get(containerId) ?? {};
    if (!owner) return [];
    const { key, written } = owner;
    return startConditions(observedReferences({ key, engineName: engineName ?? '', spec: written }), written as never);
  }

  #isDone(key: ResourceKey): boolean {
    const records = [...this.#disk.containers.values()].filter(({ owner }) => owner?.key === key);
    return records.some(({ id, run, state }) => {
      // Of one that was half removed only the record is left.
      return (this.#disk.exits.get(`${id} ${run}`)?.exitCode ?? state.exitCode) === 0;
    });
  }

  /** Ready now, or it was when the start was planned: its end since then is something the plan could not know. */
  #checkDependencies(key: ResourceKey): void {
    const plannedAt = this.#plannedAt.get(`start ${key}`) ?? 0;
    for (const { key: dependency, condition } of this.#startNeeds.get(key) ?? []) {
      const records = [...this.#disk.containers.values()].filter(({ owner }) => owner?.key === dependency);
      const runs = records.some(({ id, run }) => {
        const unready = condition === 'ready' && this.#isProbed(id) && !this.#passed.has(`${id} ${run}`);
        return condition !== 'completed' && !unready && (this.#kernel.payloads.has(id) || this.believesRunning(id));
      });
      const since = this.#unreadySince.get(dependency);
      if (runs || this.#isDone(dependency) || (since !== undefined && since >= plannedAt)) continue;
      this.#universe.breaks(`${key} was started before ${dependency} was ${condition}`);
    }
  }
}
