/** `start` and `restart`: they ask for another run, and wait until it has settled. */
import type { StartedView, StartOptions } from '../../api/requests.ts';
import type { ExecDriver } from '../../drivers/contract/exec.ts';
import { formatTime } from '../../model/clock.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { HOLD_TRAITS } from '../../model/status/holds.ts';
import type { Hold } from '../../reconcile/op.ts';
import type { OpFailureCache } from '../../reconcile/op-failure-cache.ts';
import type { StopClocks } from '../../reconcile/ops/containers/stop-clocks.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { LoopStatus } from '../loop-status.ts';
import type { Timeline } from '../timeline.ts';
import { AFTER_SHUTDOWN, whereToLook } from '../views/hints.ts';
import { requireWaiting } from './cancelled-wait.ts';
import { type ContainerChanges, endsWithin, keyOf, PATIENCE_MS } from './container-changes.ts';
import { type EndPorts, Ends } from './ends.ts';
import { continues, type ProofParts, proveRun } from './run-proof.ts';

export interface StartPorts {
  readonly changes: Pick<ContainerChanges, 'make' | 'until'>;
  /** Inputs for watching a run until it has settled. */
  readonly proof: ProofParts & EndPorts;
  readonly exec: Pick<ExecDriver, 'running'>;
  readonly stopClocks: Pick<StopClocks, 'change'>;
  readonly failures: Pick<OpFailureCache, 'get' | 'clear'>;
  /** Containers that did not run when this supervisor started and are not started by itself. */
  readonly leftDown: Set<string>;
  readonly loop: Pick<LoopStatus, 'hold' | 'inFlight' | 'ended'>;
  readonly timeline: Pick<Timeline, 'override'>;
}

interface StartWait {
  /** The hold of the time before the request: only a new one says why the start does not come. */
  readonly before: Hold | undefined;
  /** It may wait for others that were asked at the same time. */
  readonly together: boolean;
  readonly signal: AbortSignal | undefined;
}

function notStarted(record: ContainerRecord, why: string, hint?: string): TsdError {
  const message = `container ${record.engineName} was not started: ${why}`;
  const key = keyOf(record);
  return new TsdError('TSD_CONTAINER_SETUP', message, { key, hint: hint ?? whereToLook(key) });
}

export class StartCommands {
  readonly #ports: StartPorts;

  constructor(ports: StartPorts) {
    this.#ports = ports;
  }

  async start(record: ContainerRecord, options: StartOptions, signal?: AbortSignal): Promise<StartedView> {
    this.#requireLoop(record);
    const begin = () => this.#beginOnce(record, options, signal);
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
    const begin = () => this.#begin(record, 'restart', timeoutMs, options, signal);
    return await this.#proving(record, endsWithin(record, timeoutMs), options, begin, signal);
  }

  /** As {@link start}, but resolves when the run has begun: what becomes of it is not waited for. */
  async begin(record: ContainerRecord, signal?: AbortSignal): Promise<void> {
    this.#requireLoop(record);
    await this.#beginOnce(record, {}, signal);
  }

  /** As {@link restart}, but resolves when the new run has begun. */
  async beginAgain(record: ContainerRecord, timeoutMs: number | null, signal?: AbortSignal): Promise<void> {
    this.#requireLoop(record);
    await this.#begin(record, 'restart', timeoutMs, {}, signal);
  }

  async #beginOnce(record: ContainerRecord, options: StartOptions, signal?: AbortSignal): Promise<void> {
    const current = await this.#afterOps(record, signal);
    const runs = this.#ports.exec.running(current.id) !== null && current.stopOverride === null;
    if (!runs) await this.#begin(current, 'start', null, options, signal);
  }

  /** What the loop is about to start is not asked for a second time. Returns the container as its ops left it. */
  async #afterOps(record: ContainerRecord, signal: AbortSignal | undefined): Promise<ContainerRecord> {
    const { changes, loop } = this.#ports;
    const key = keyOf(record);
    let latest = record;
    const isDone = (current: ContainerRecord | undefined): boolean => {
      this.#requireLoop(record);
      latest = current ?? latest;
      return latest.stopOverride !== null || loop.inFlight(key) === undefined;
    };
    await changes.until(key, endsWithin(record, null), isDone, signal);
    requireWaiting(signal, key, continues(record.engineName));
    return latest;
  }

  /** Asks for another run, and waits until that has begun. */
  async #begin(
    record: ContainerRecord,
    what: 'start' | 'restart',
    timeoutMs: number | null,
    { together = false }: StartOptions,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { changes, failures, leftDown, stopClocks, loop, timeline } = this.#ports;
    const key = keyOf(record);
    const before = loop.hold(key);
    failures.clear(key);
    leftDown.delete(record.id);
    await changes.make(record, (current) => ({
      ...current,
      stopOverride: null,
      stopTimeoutMs: timeoutMs,
      restart: { restarts: 0, consecutive: 0, requested: true },
    }));
    timeline.override(key, what, `asked to ${what}`);
    if (timeoutMs !== null) stopClocks.change(record.id, timeoutMs);
    try {
      await this.#untilStarted(record, endsWithin(record, timeoutMs), { before, together, signal });
    } catch (error) {
      if (signal?.aborted !== true) await this.#takeBack(record);
      throw error;
    }
  }

  /** @param endsMs what the run of before may take to end */
  async #proving(
    record: ContainerRecord,
    endsMs: number,
    { settleMs = null, waitMs }: StartOptions,
    begin: () => Promise<void>,
    signal?: AbortSignal,
  ): Promise<StartedView> {
    const { proof } = this.#ports;
    const key = keyOf(record);
    const ends = new Ends(proof, (other) => other === key);
    const sinceBootMs = proof.clock.now().bootMs;
    try {
      await begin();
      const { engineName } = record;
      const asked = { key, engineName, ends, sinceBootMs, settleMs, waitMs: waitMs ?? PATIENCE_MS + endsMs };
      return await proveRun(proof, asked, signal);
    } finally {
      ends.close();
    }
  }

  /** A client of the Docker API whose start failed asks again by itself: until then the container stays down. */
  async #takeBack(record: ContainerRecord): Promise<void> {
    const { changes, proof, failures } = this.#ports;
    if (record.owner?.request === undefined) return;
    const at = formatTime(proof.clock.now().wallMs);
    await changes.make(record, (current) => ({
      ...current,
      stopOverride: current.stopOverride ?? { at, specHash: null, until: null },
      restart: { ...current.restart, requested: false },
    }));
    failures.clear(keyOf(record));
  }

  /** @throws TSD_ENGINE_SHUTDOWN when the loop has stopped */
  #requireLoop(record: ContainerRecord): void {
    const ended = this.#ports.loop.ended();
    if (ended === null) return;
    throw new TsdError('TSD_ENGINE_SHUTDOWN', `container ${record.engineName} cannot be started: ${ended}`, {
      key: keyOf(record),
      hint: AFTER_SHUTDOWN,
    });
  }

  /**
   * @throws TSD_ENGINE_SHUTDOWN when the loop stops meanwhile
   */
  async #untilStarted(record: ContainerRecord, endsMs: number, { before, together, signal }: StartWait): Promise<void> {
    const isPatient = ({ reason }: Hold): boolean => {
      const { waitsFor } = HOLD_TRAITS[reason];
      return waitsFor === 'ops' || (together && waitsFor === 'needs');
    };
    const { changes, proof, exec, failures, loop } = this.#ports;
    const key = keyOf(record);
    const hasStarted = (current: ContainerRecord | undefined): boolean => {
      if (loop.inFlight(key)) return false;
      const hold = loop.hold(key);
      const running = current !== undefined && exec.running(current.id) !== null;
      // A change that waited may have recreated it.
      const begun = current !== undefined && (current.id === record.id ? current.run > record.run : current.run > 0);
      const startError = current?.state.startError ?? null;
      // A container that has started and ended by now is reported as ended.
      if (begun && !current.restart.requested && (running || startError === null)) return true;
      if (hold && hold !== before && !isPatient(hold) && !running) throw notStarted(record, hold.message, hold.hint);
      if (!current && !proof.desired().resources.has(key)) return true;
      this.#requireLoop(record);
      if (!current) return false;
      if (!begun || current.restart.requested || startError === null) return false;
      // The next pass records its hold.
      throw notStarted(record, startError.message, failures.get(key)?.hint);
    };
    await changes.until(key, endsMs, hasStarted, signal);
    requireWaiting(signal, key, continues(record.engineName));
  }
}
