/** Stops every container for a host that goes down, or for `--stop-containers`; what is wanted stays as it is. */
import type { DesiredState } from '../model/desired.ts';
import type { ResourceKey } from '../model/resource.ts';
import { withdrawPorts } from '../reconcile/ops/containers/container-connect.ts';
import { endRun } from '../reconcile/ops/containers/container-stop.ts';
import type { World } from '../reconcile/ops/world.ts';
import type { ContainerRecord } from '../state/containers/container-record.ts';
import { containerSpecOf } from '../state/containers/written-spec.ts';

const DEFAULT_STOP_MS = 10_000;

/** Those that need a container, by its key. */
function dependents(desired: DesiredState): ReadonlyMap<ResourceKey, readonly ResourceKey[]> {
  const users = new Map<ResourceKey, ResourceKey[]>();
  for (const { key, references } of desired.resources.values()) {
    const { links, dependsOn, networkContainer } = references;
    const needs = new Set([...links, ...dependsOn, ...(networkContainer === null ? [] : [networkContainer])]);
    for (const need of needs) users.set(need, [...(users.get(need) ?? []), key]);
  }
  return users;
}

export interface StopOptions {
  /** Called before one is stopped. */
  readonly onStop: (key: ResourceKey) => void;
  /** Aborts when no more containers are to be stopped. */
  readonly letGo: AbortSignal;
}

export interface StopReport {
  readonly stopped: number;
  /** Names of containers that run all the same. */
  readonly running: readonly string[];
}

async function stopOne(world: World, id: string, letGo: AbortSignal): Promise<boolean> {
  const record = world.containers.get(id);
  if (!record || !world.exec.running(id)) return false;
  try {
    // Whatever its policy says about the end that comes now, it ran and shall run again, unless somebody stops it for good.
    if (record.stopOverride === null) {
      world.containers.update({ ...record, restart: { ...record.restart, requested: true, afterShutdown: true } });
    }
  } catch {
    // A disk that takes nothing any more must not keep it from an end in peace.
  }
  const spec = record.owner ? containerSpecOf(record.owner) : null;
  try {
    const patienceMs = record.stopTimeoutMs ?? spec?.stopTimeoutMs ?? DEFAULT_STOP_MS;
    await endRun(world, record, spec?.stopSignal ?? 'SIGTERM', patienceMs, letGo);
  } catch {
    if (letGo.aborted) return false;
    // A shim that does not answer passes no signal on; its payload can still be killed.
    await world.exec.kill(record.id);
  }
  // No pass comes any more that would see it at rest. A run in its namespace goes as well.
  await withdrawPorts(world, id);
  return true;
}

/** Dependents first, independent containers at the same time. Failures of one do not keep the others running. */
export async function stopAll(
  world: World,
  desired: DesiredState,
  { onStop, letGo }: StopOptions,
): Promise<StopReport> {
  const users = dependents(desired);
  const stopped = new Map<string, Promise<boolean>>();
  const stop = (record: ContainerRecord): Promise<boolean> => {
    const known = stopped.get(record.id);
    if (known !== undefined) return known;
    const work = (async () => {
      const key = record.owner?.key;
      const waits = (key ? (users.get(key) ?? []) : []).flatMap((user) => world.containers.byKey(user) ?? []);
      // Cycles are refused at validation, so this ends.
      await Promise.allSettled(waits.map(stop));
      if (letGo.aborted || world.exec.running(record.id) === null) return false;
      if (key) onStop(key);
      return stopOne(world, record.id, letGo);
    })();
    stopped.set(record.id, work);
    return work;
  };
  const results = await Promise.allSettled(world.containers.all().map(stop));
  const stoppedCount = results.filter((result) => result.status === 'fulfilled' && result.value).length;
  const running = world.containers.all().filter(({ id }) => world.exec.running(id) !== null);
  return { stopped: stoppedCount, running: running.map(({ engineName }) => engineName).sort() };
}
