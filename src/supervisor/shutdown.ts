/** Stops every container for a host that goes down, or for `--stop-containers`; what is wanted stays as it is. */
import type { ExecDriver } from '../drivers/contract/exec.ts';
import type { DesiredState } from '../model/desired.ts';
import type { ResourceKey } from '../model/resource.ts';
import { type WithdrawPorts, withdrawPorts } from '../reconcile/ops/containers/container-connect.ts';
import { type Ask, type EndPorts, endRun } from '../reconcile/ops/containers/container-stop.ts';
import { startDependencies } from '../reconcile/plan/references.ts';
import type { ContainerRecord } from '../state/containers/container-record.ts';
import type { ContainerStore } from '../state/containers/containers.ts';
import { containerSpecOf } from '../state/containers/written-spec.ts';

const DEFAULT_STOP_MS = 10_000;
/** Its shim kills a container so much later than the supervisor, which also ends what is in the container beside the payload. */
const SHIM_LATER_MS = 1_000;

/** Those that need a container, by its key. */
function dependents(desired: DesiredState): ReadonlyMap<ResourceKey, readonly ResourceKey[]> {
  const users = new Map<ResourceKey, ResourceKey[]>();
  for (const { key, references } of desired.resources.values()) {
    const needs = new Set(startDependencies(references));
    for (const need of needs) users.set(need, [...(users.get(need) ?? []), key]);
  }
  return users;
}

export interface StopPorts {
  readonly containers: Pick<ContainerStore, 'all' | 'byKey' | 'get' | 'update'>;
  readonly exec: Pick<ExecDriver, 'running' | 'end' | 'kill'>;
  readonly ends: EndPorts;
  readonly withdrawals: WithdrawPorts;
}

export interface StopOptions {
  /** Called before one is stopped. */
  readonly onStop: (key: ResourceKey) => void;
  /** Aborts when no more containers are to be stopped. */
  readonly letGo: AbortSignal;
  /** Has the names of those that are being stopped. */
  readonly underWay: Set<string>;
}

export interface StopReport {
  readonly stopped: number;
  /** Names of containers that run all the same. */
  readonly running: readonly string[];
  /** Those of them that were asked to end, and are ended by their shims. */
  readonly ending: readonly string[];
}

/** What a client made comes back by its restart policy alone. */
function endsWithTheHost({ owner }: ContainerRecord): boolean {
  return owner?.request !== undefined && containerSpecOf(owner).restart.policy === 'no';
}

/** It ran and is to run again, independent of its policy for the coming end, unless a person stopped it. */
function wantAgain(containers: StopPorts['containers'], id: string): void {
  const record = containers.get(id);
  if (!record || record.stopOverride !== null || endsWithTheHost(record)) return;
  try {
    containers.update({ ...record, restart: { ...record.restart, requested: true, afterShutdown: true } });
  } catch {
    // A disk that takes nothing any more must not keep it from an end in peace.
  }
}

type Stopped = 'stopped' | 'ending' | 'left';

/**
 * A container that was not asked yet when it is let go of stays as it is. One that was asked is left to its shim, which kills
 * it when its time is over; where the shim cannot do that, it is waited for as before.
 */
async function stopOne(
  { containers, exec, ends, withdrawals }: StopPorts,
  record: ContainerRecord,
  letGo: AbortSignal,
): Promise<Stopped> {
  const { id } = record;
  const spec = record.owner ? containerSpecOf(record.owner) : null;
  const leave = new AbortController();
  let state: 'unasked' | 'asking' | 'shim' | 'us' = 'unasked';
  const obey = (): void => {
    if (letGo.aborted && (state === 'unasked' || state === 'shim')) leave.abort(letGo.reason);
  };
  letGo.addEventListener('abort', obey, { once: true });
  const ask: Ask = async (signal, leftMs) => {
    state = 'asking';
    wantAgain(containers, id);
    state = (await exec.end(id, signal, leftMs + SHIM_LATER_MS)) ? 'shim' : 'us';
    obey();
  };
  try {
    const timeoutMs = record.stopTimeoutMs ?? spec?.stopTimeoutMs ?? DEFAULT_STOP_MS;
    await endRun(ends, record, { signal: spec?.stopSignal ?? 'SIGTERM', timeoutMs, ask, cancelled: leave.signal });
  } catch {
    if (leave.signal.aborted) return state === 'unasked' ? 'left' : 'ending';
    // A shim that does not answer passes no signal on; its payload can still be killed.
    wantAgain(containers, id);
    await exec.kill(id);
  } finally {
    letGo.removeEventListener('abort', obey);
  }
  // No pass comes any more that would see it at rest. A run in its namespace goes as well.
  await withdrawPorts(withdrawals, id);
  return 'stopped';
}

/** Dependents first, independent containers at the same time. Failures of one do not keep the others running. */
export async function stopAll(
  ports: StopPorts,
  desired: DesiredState,
  { onStop, letGo, underWay }: StopOptions,
): Promise<StopReport> {
  const users = dependents(desired);
  const works = new Map<string, Promise<Stopped>>();
  const stop = (record: ContainerRecord): Promise<Stopped> => {
    const known = works.get(record.id);
    if (known !== undefined) return known;
    const work = (async (): Promise<Stopped> => {
      const key = record.owner?.key;
      const waits = (key ? (users.get(key) ?? []) : []).flatMap((user) => ports.containers.byKey(user) ?? []);
      // Cycles are refused at validation, so this ends.
      await Promise.allSettled(waits.map(stop));
      // As it is by now: its dependents may have taken long.
      const present = ports.containers.get(record.id);
      if (letGo.aborted || !present || ports.exec.running(present.id) === null) return 'left';
      if (key) onStop(key);
      underWay.add(present.engineName);
      return stopOne(ports, present, letGo).finally(() => underWay.delete(present.engineName));
    })();
    works.set(record.id, work);
    return work;
  };
  const all = ports.containers.all();
  const results = await Promise.allSettled(all.map(stop));
  const namesOf = (wanted: Stopped): string[] =>
    all.flatMap(({ engineName }, index) => {
      const result = results[index];
      return result?.status === 'fulfilled' && result.value === wanted ? [engineName] : [];
    });
  const running = ports.containers.all().filter(({ id }) => ports.exec.running(id) !== null);
  return {
    stopped: namesOf('stopped').length,
    running: running.map(({ engineName }) => engineName).sort(),
    ending: namesOf('ending').sort(),
  };
}
