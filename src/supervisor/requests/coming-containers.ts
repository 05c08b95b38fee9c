/** Containers that requests are about, those too that the loop is about to make or to start: a request after `apply` waits. */
import type { ExecDriver } from '../../drivers/contract/exec.ts';
import type { Clock } from '../../model/clock.ts';
import type { DesiredState } from '../../model/desired.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';
import { HOLD_TRAITS } from '../../model/status/holds.ts';
import type { Hold } from '../../reconcile/op.ts';
import type { OpFailureCache } from '../../reconcile/op-failure-cache.ts';
import { dependenciesOf } from '../../reconcile/plan/references.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { SupervisorEventBus } from '../events.ts';
import type { LoopStatus } from '../loop-status.ts';
import { whereToLook } from '../views/hints.ts';
import { requireWaiting } from './cancelled-wait.ts';
import { PATIENCE_MS } from './container-changes.ts';
import type { NamedResources } from './named-resources.ts';

export interface ComingPorts {
  readonly named: Pick<NamedResources, 'key' | 'reachable'>;
  desired(): DesiredState;
  readonly containers: Pick<ContainerStore, 'byKey'>;
  readonly exec: Pick<ExecDriver, 'running'>;
  readonly failures: Pick<OpFailureCache, 'clear'>;
  readonly loop: Pick<LoopStatus, 'enqueue' | 'hold' | 'inFlight'>;
  readonly clock: Clock;
  readonly events: Pick<SupervisorEventBus, 'nextChange'>;
}

interface Waiting {
  /** How long it may take; null or absent for what the loop usually may take. */
  readonly waitMs?: number | null | undefined;
  /** Failures of before no longer keep the loop from trying. */
  readonly retry?: boolean;
}

interface Awaited extends Waiting {
  readonly key: ResourceKey;
  reached(record: ContainerRecord | undefined): boolean;
}

/** Nothing changes for so long only when the loop itself is stuck. */
const RECHECK_MS = 500;

export class ComingContainers {
  readonly #ports: ComingPorts;

  constructor(ports: ComingPorts) {
    this.#ports = ports;
  }

  /**
   * Returns a container whose run state is known, when it is made.
   * @throws TSD_CONTAINER_NOT_RUNNING with the reason when the loop holds it back, TSD_NO_SUCH_RESOURCE, TSD_TIMEOUT, TSD_SHIM
   */
  async made(name: string, signal?: AbortSignal, waiting: Waiting = {}): Promise<ContainerRecord> {
    const { named } = this.#ports;
    const key = named.key('container', name);
    const reached = (record: ContainerRecord | undefined) => record !== undefined;
    await this.#until({ ...waiting, key, reached }, signal);
    return named.reachable(key);
  }

  /** As {@link made}, when it runs. */
  async running(name: string, signal?: AbortSignal): Promise<ContainerRecord> {
    const { named, exec } = this.#ports;
    const key = named.key('container', name);
    const reached = (record: ContainerRecord | undefined) =>
      record !== undefined && exec.running(named.reachable(key).id) !== null;
    await this.#until({ key, reached }, signal);
    return named.reachable(key);
  }

  /** As {@link made}; of one that is yet to be made, when its first start is over too: its files can be read then. */
  async atRest(name: string, signal?: AbortSignal): Promise<ContainerRecord> {
    const { named, containers, exec, loop } = this.#ports;
    const key = named.key('container', name);
    const isThere = containers.byKey(key) !== undefined;
    const reached = (record: ContainerRecord | undefined) =>
      record !== undefined && (isThere || exec.running(record.id) !== null || loop.inFlight(key) === undefined);
    await this.#until({ key, reached }, signal);
    return named.reachable(key);
  }

  async #until(awaited: Awaited, signal: AbortSignal | undefined): Promise<void> {
    const { containers, failures, loop, clock, events } = this.#ports;
    const { key, reached, retry = false } = awaited;
    if (reached(containers.byKey(key))) return;
    // The declaration may have changed since the loop decided: it looks again.
    const before = loop.hold(key);
    if (retry) failures.clear(key);
    loop.enqueue([key]);
    const waitMs = awaited.waitMs ?? PATIENCE_MS;
    const deadline = clock.now().bootMs + waitMs;
    for (;;) {
      const record = containers.byKey(key);
      if (reached(record)) return;
      const { app, name } = parseKey(key);
      requireWaiting(signal, key, `\`tsdocker why ${app}/${name}\` tells what becomes of it.`);
      const held = this.#heldBack(key, before);
      if (held !== null) throw this.#absent(key, record, held);
      if (clock.now().bootMs >= deadline) {
        const late = this.#absent(key, record, null).message;
        throw new TsdError('TSD_TIMEOUT', `${late} after ${waitMs / 1000} s`, { key, hint: whereToLook(key) });
      }
      await events.nextChange(Math.min(RECHECK_MS, deadline - clock.now().bootMs), signal);
    }
  }

  /** Why it does not come; null while it may. */
  #heldBack(key: ResourceKey, before: Hold | undefined): Pick<Hold, 'message' | 'hint'> | null {
    const { desired, loop } = this.#ports;
    if (loop.inFlight(key)) return null;
    if (!desired().resources.has(key)) return { message: 'no manifest declares it' };
    const hold = loop.hold(key);
    return hold !== undefined && hold !== before && this.#lasts(hold, new Set()) ? hold : null;
  }

  /** False where ops in flight end it, or something that it needs and that still becomes ready. */
  #lasts({ key, reason }: Hold, seen: Set<ResourceKey>): boolean {
    const { desired, containers, loop } = this.#ports;
    const { waitsFor, rest } = HOLD_TRAITS[reason];
    if (loop.inFlight(key) || waitsFor === 'ops') return false;
    // Another may need it to have completed.
    if (rest === 'done' && seen.size > 0) return containers.byKey(key)?.state.exitCode !== 0;
    if (waitsFor === null) return true;
    seen.add(key);
    const declared = desired().resources.get(key);
    const needs = declared === undefined ? [] : dependenciesOf(declared);
    return needs.some((need) => {
      const hold = seen.has(need) ? undefined : loop.hold(need);
      return hold !== undefined && this.#lasts(hold, seen);
    });
  }

  #absent(
    key: ResourceKey,
    record: ContainerRecord | undefined,
    held: Pick<Hold, 'message' | 'hint'> | null,
  ): TsdError {
    const { desired, loop } = this.#ports;
    const name = record?.engineName ?? desired().resources.get(key)?.engineName ?? parseKey(key).name;
    const reason = held?.message ?? loop.hold(key)?.message ?? loop.inFlight(key)?.cause.message;
    const is = record === undefined ? 'does not exist yet' : 'is not running';
    const message = `container ${name} ${is}${reason === undefined ? '' : `: ${reason}`}`;
    return new TsdError('TSD_CONTAINER_NOT_RUNNING', message, { key, hint: held?.hint });
  }
}
