/** stop, start, restart, kill, wait of one container: they change what is wanted and wait until it is so. */
import { constants } from 'node:os';
import type { StartedView, StartOptions } from '../../api/supervisor.ts';
import { formatTime } from '../../model/clock.ts';
import { TsdError, toTsdError } from '../../model/errors/errors.ts';
import { HOLD_TRAITS } from '../../model/holds.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import type { ObservedContainer } from '../../model/observed.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { readSignal } from '../../model/signals.ts';
import type { Hold } from '../../reconcile/op.ts';
import type { World } from '../../reconcile/ops/world.ts';
import { describeStop } from '../../reconcile/plan/restart.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { Reserve } from '../../state/files/reserve.ts';
import type { SupervisorEventBus } from '../events.ts';
import type { Timeline } from '../timeline.ts';
import { AFTER_SHUTDOWN, whereToLook } from '../views/hints.ts';
import type { LoopState } from '../views/view-input.ts';
import { Ends } from './ends.ts';
import { proveRun } from './run-proof.ts';

/** Nothing changes for so long only when the loop itself is stuck. */
const RECHECK_MS = 500;
/** On top of the container's own time to stop. */
const PATIENCE_MS = 60_000;

function requestedSignal(text: string): number {
  const number = readSignal(text);
  if (number !== null) return number;
  throw new TsdError('TSD_BAD_REQUEST', `${text} is no signal`, { hint: 'For example TERM, HUP or 9.' });
}

function keyOf(record: ContainerRecord) {
  if (record.owner) return record.owner.key;
  throw new TsdError('TSD_BAD_REQUEST', `${record.engineName} was made by Docker and is left alone`, {
    class: 'unsupported',
    hint: 'Declare it in a manifest to run it here.',
  });
}

function notStarted(record: ContainerRecord, why: string, hint?: string): TsdError {
  const message = `container ${record.engineName} was not started: ${why}`;
  const key = keyOf(record);
  return new TsdError('TSD_CONTAINER_SETUP', message, { key, hint: hint ?? whereToLook(key) });
}

/** What a run of it may take to end. */
function endsWithin({ owner }: ContainerRecord, timeoutMs: number | null): number {
  return timeoutMs ?? (owner?.written as ContainerSpec | undefined)?.stopTimeoutMs ?? 0;
}

export interface CommandParts {
  readonly world: World;
  /** What a container looks like now. */
  observed(record: ContainerRecord): ObservedContainer;
  readonly loop: LoopState & { enqueue(keys: Iterable<ResourceKey>): void };
  readonly events: SupervisorEventBus;
  readonly timeline: Timeline;
  readonly reserve: Reserve;
}

export class ContainerCommands {
  readonly #world: World;
  readonly #observed: CommandParts['observed'];
  readonly #loop: CommandParts['loop'];
  readonly #events: SupervisorEventBus;
  readonly #timeline: Timeline;
  readonly #reserve: Reserve;

  constructor({ world, observed, loop, events, timeline, reserve }: CommandParts) {
    this.#world = world;
    this.#observed = observed;
    this.#loop = loop;
    this.#events = events;
    this.#timeline = timeline;
    this.#reserve = reserve;
  }

  /**
   * A manual stop, which holds until `start` or a changed spec.
   * @param timeoutMs shortens or lengthens the time to end
   * @param forMs the stop is over after this long; null for no such end
   * @throws TSD_DISK_FULL when the container is down and that it shall stay so could not be written down
   */
  async stop(record: ContainerRecord, timeoutMs: number | null, forMs: number | null): Promise<void> {
    const key = keyOf(record);
    const world = this.#world;
    const now = world.clock.now();
    const until =
      forMs === null
        ? null
        : { at: formatTime(now.wallMs + forMs), bootId: world.bootId, atBootMs: now.bootMs + forMs };
    const specHash = world.desired().resources.get(key)?.specHash ?? null;
    const override = { at: formatTime(now.wallMs), specHash, until };
    const how = describeStop({ stopUntil: forMs === null ? null : { wallMs: now.wallMs + forMs, bootMs: 0 } });
    const forgotten = await this.#changeWithoutRoom(record, (current) => ({
      ...current,
      stopOverride: override,
      stopTimeoutMs: timeoutMs,
      restart: { ...current.restart, requested: false },
    }));
    this.#timeline.override(key, 'stop', `asked to stop; ${how}`);
    if (timeoutMs !== null) world.stopClocks.change(record.id, timeoutMs);
    const before = this.#loop.hold(key);
    this.#loop.enqueue([key]);
    await this.#until(key, endsWithin(record, timeoutMs), (current) => {
      const running = current !== undefined && world.exec.running(current.id) !== null;
      const hold = this.#loop.hold(key);
      if (running && hold && hold !== before && HOLD_TRAITS[hold.reason].failure !== null) {
        throw new TsdError('TSD_CONTAINER_SETUP', `container ${record.engineName} was not stopped: ${hold.message}`, {
          key,
          hint: 'It is tried again until it is down; nothing else waits for it.',
        });
      }
      return !running && !this.#loop.inFlight(key);
    });
    if (forgotten) throw forgotten;
  }

  async start(record: ContainerRecord, options: StartOptions, signal?: AbortSignal): Promise<StartedView> {
    this.#requireLoop(record);
    const runs = this.#world.exec.running(record.id) !== null && record.stopOverride === null;
    const begin = async (): Promise<void> => {
      if (!runs) await this.#begin(record, 'start', null, options);
    };
    return await this.#proving(record, endsWithin(record, null), options, begin, signal);
  }

  /** @param timeoutMs shortens or lengthens the time to end */
  async restart(
    record: ContainerRecord,
    timeoutMs: number | null,
    options: StartOptions,
    signal?: AbortSignal,
  ): Promise<StartedView> {
    this.#requireLoop(record);
    const begin = () => this.#begin(record, 'restart', timeoutMs, options);
    return await this.#proving(record, endsWithin(record, timeoutMs), options, begin, signal);
  }

  /** Asks for another run, and waits until that has begun. */
  async #begin(
    record: ContainerRecord,
    what: 'start' | 'restart',
    timeoutMs: number | null,
    { together = false }: StartOptions,
  ): Promise<void> {
    const key = keyOf(record);
    const before = this.#loop.hold(key);
    this.#world.failures.clear(key);
    this.#world.leftDown.delete(record.id);
    await this.#change(record, (current) => ({
      ...current,
      stopOverride: null,
      stopTimeoutMs: timeoutMs,
      restart: { restarts: 0, consecutive: 0, requested: true },
    }));
    this.#timeline.override(key, what, `asked to ${what}`);
    if (timeoutMs !== null) this.#world.stopClocks.change(record.id, timeoutMs);
    await this.#untilStarted(record, endsWithin(record, timeoutMs), { before, together });
  }

  /** @param endsMs what the run of before may take to end */
  async #proving(
    record: ContainerRecord,
    endsMs: number,
    { settleMs = null, waitMs }: StartOptions,
    begin: () => Promise<void>,
    signal?: AbortSignal,
  ): Promise<StartedView> {
    const key = keyOf(record);
    const looks = { ...this.#world, observed: this.#observed };
    const ends = new Ends(looks, (other) => other === key);
    const sinceBootMs = this.#world.clock.now().bootMs;
    const parts = { ...looks, loop: this.#loop, events: this.#events };
    const proof = { key, engineName: record.engineName, ends, sinceBootMs, settleMs };
    try {
      await begin();
      return await proveRun(parts, { ...proof, waitMs: waitMs ?? PATIENCE_MS + endsMs }, signal);
    } finally {
      ends.close();
    }
  }

  /** @throws TSD_ENGINE_SHUTDOWN when the loop has stopped */
  #requireLoop(record: ContainerRecord): void {
    const ended = this.#loop.ended();
    if (ended === null) return;
    throw new TsdError('TSD_ENGINE_SHUTDOWN', `container ${record.engineName} cannot be started: ${ended}`, {
      key: keyOf(record),
      hint: AFTER_SHUTDOWN,
    });
  }

  /** Sends a signal. The restart policy answers a death by it. */
  async kill(record: ContainerRecord, signal: string): Promise<void> {
    const number = requestedSignal(signal);
    if (!this.#world.exec.running(record.id)) {
      throw new TsdError('TSD_CONTAINER_NOT_RUNNING', `container ${record.engineName} is not running`);
    }
    this.#timeline.override(keyOf(record), 'kill', `sent signal ${signal}`);
    if (number === constants.signals.SIGKILL) await this.#world.exec.kill(record.id);
    else await this.#world.exec.signal(record.id, number);
  }

  async wait(record: ContainerRecord, signal?: AbortSignal): Promise<number> {
    // A run has a number before it has begun.
    const hasStarted = (current: ContainerRecord | undefined) => !current || current.state.startedAt !== null;
    if (!hasStarted(record)) await this.#until(keyOf(record), Number.POSITIVE_INFINITY, hasStarted, signal);
    await this.#world.exits.ended(record.id, signal);
    const { exitCode } = this.#world.containers.get(record.id)?.state ?? { exitCode: null };
    // 255 for an unknown exit code, as shells report a lost process.
    return exitCode ?? 255;
  }

  /** When the container is recreated or replaced meanwhile, the change applies to the new one. */
  async #change(record: ContainerRecord, change: (current: ContainerRecord) => ContainerRecord): Promise<void> {
    const { commits, containers } = this.#world;
    const key = keyOf(record);
    for (let id: string | undefined = record.id; id !== undefined; id = containers.byKey(key)?.id) {
      const changed = id;
      if (containers.get(changed))
        await commits.commit({ files: (batch) => containers.change(changed, change, batch) });
      if (containers.byKey(key)?.id === changed) break;
      await this.#until(key, 0, (current) => current !== undefined || !this.#loop.inFlight(key));
    }
    this.#loop.enqueue([key]);
  }

  /**
   * As {@link #change}, with the reserve; where even that is not enough, for this supervisor only. Returns what to say of
   * it then.
   */
  async #changeWithoutRoom(
    record: ContainerRecord,
    change: (current: ContainerRecord) => ContainerRecord,
  ): Promise<TsdError | null> {
    try {
      await this.#reserve.spendOnAsync(async () => {
        // What failed before is no reason to go on.
        this.#world.failures.clear(keyOf(record));
        await this.#change(record, change);
      });
      return null;
    } catch (thrown) {
      const cause = toTsdError(thrown);
      if (cause.code !== 'TSD_DISK_FULL') throw cause;
      this.#world.containers.updateSoon(change(this.#world.containers.get(record.id) ?? record));
      this.#loop.enqueue([keyOf(record)]);
      const name = record.engineName;
      const message = `container ${name} is stopped, but the disk is full: that it shall stay so could not be written down`;
      const hint = `Free space and \`tsdocker stop ${name}\` again; until then the next start of the supervisor starts it.`;
      return new TsdError('TSD_DISK_FULL', message, { key: keyOf(record), cause, hint });
    }
  }

  /**
   * @param before the hold of the time before the request: only a new one says why the start does not come
   * @param together it may wait for others that were asked at the same time
   */
  async #untilStarted(
    record: ContainerRecord,
    endsMs: number,
    { before, together }: { readonly before: Hold | undefined; readonly together: boolean },
  ): Promise<void> {
    const isPatient = ({ reason }: Hold): boolean => {
      const { waitsFor } = HOLD_TRAITS[reason];
      return waitsFor === 'ops' || (together && waitsFor === 'needs');
    };
    const key = keyOf(record);
    await this.#until(key, endsMs, (current) => {
      if (this.#loop.inFlight(key)) return false;
      const hold = this.#loop.hold(key);
      const running = current !== undefined && this.#world.exec.running(current.id) !== null;
      // A change that waited may have recreated it.
      const begun = current !== undefined && (current.id === record.id ? current.run > record.run : current.run > 0);
      const startError = current?.state.startError ?? null;
      // A container that has started and ended by now is reported as ended.
      if (begun && !current.restart.requested && (running || startError === null)) return true;
      if (hold && hold !== before && !isPatient(hold) && !running) throw notStarted(record, hold.message, hold.hint);
      if (!current) return !this.#world.desired().resources.has(key);
      if (!begun || current.restart.requested || startError === null) return false;
      // The next pass records its hold.
      throw notStarted(record, startError.message, this.#world.failures.get(key)?.hint);
    });
  }

  /** @param endsMs what its run may take to end, on top of what the loop may take */
  async #until(
    key: ResourceKey,
    endsMs: number,
    reached: (current: ContainerRecord | undefined) => boolean,
    signal?: AbortSignal,
  ): Promise<void> {
    const patienceMs = PATIENCE_MS + endsMs;
    const deadline = this.#world.clock.now().bootMs + patienceMs;
    for (;;) {
      const current = this.#world.containers.byKey(key);
      if (signal?.aborted || reached(current)) return;
      if (this.#world.clock.now().bootMs > deadline) {
        const name = current?.engineName ?? key;
        throw new TsdError('TSD_TIMEOUT', `container ${name} did not get there within ${patienceMs / 1000} s`, { key });
      }
      await this.#events.nextChange(RECHECK_MS, signal);
    }
  }
}
