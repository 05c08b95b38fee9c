/** The log of a container by its key: `follow` continues when the container is recreated under another id. */
import type { LogEntry, LogOptions } from '../../api/requests.ts';
import type { ExecDriver } from '../../drivers/contract/exec.ts';
import type { DesiredState } from '../../model/desired.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { HOLD_TRAITS } from '../../model/status/holds.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { SupervisorEventBus } from '../events.ts';
import type { LoopState } from '../views/view-input.ts';
import { readLog } from './read-log.ts';

export interface ContainerLogParts {
  desired(): DesiredState;
  readonly containers: Pick<ContainerStore, 'get' | 'byKey' | 'logPath'>;
  readonly exec: Pick<ExecDriver, 'running'>;
  readonly loop: LoopState;
  readonly events: SupervisorEventBus;
}

const RECHECK_MS = 1_000;

/** True when a container writes no more unless somebody changes what is wanted. */
function isOver({ containers, exec, loop }: ContainerLogParts, id: string): boolean {
  const record = containers.get(id);
  if (!record) return true;
  if (exec.running(id) || !record.owner) return false;
  const hold = loop.hold(record.owner.key);
  if (!hold) return false;
  const { rest, failure } = HOLD_TRAITS[hold.reason];
  return rest !== null || failure === 'final';
}

/** The container that took the place of `id`; null when none will. */
async function successor(
  { desired, containers, events }: ContainerLogParts,
  key: ResourceKey,
  id: string,
  signal: AbortSignal,
): Promise<ContainerRecord | null> {
  while (!signal.aborted) {
    const record = containers.byKey(key);
    if (record && record.id !== id) return record;
    if (record || !desired().resources.has(key)) return null;
    await events.nextChange(RECHECK_MS, signal);
  }
  return null;
}

/** Entries in order, as {@link readLog} gives them, from the container of now and those that take its place. */
export async function* containerLogs(
  parts: ContainerLogParts,
  first: ContainerRecord,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<LogEntry> {
  const path = (id: string): string => parts.containers.logPath(id);
  let id = first.id;
  yield* readLog(path(id), options, () => isOver(parts, id), signal);
  const key = first.owner?.key;
  if (!options.follow || key === undefined) return;
  for (;;) {
    const next = await successor(parts, key, id, signal);
    if (!next) return;
    id = next.id;
    yield* readLog(path(id), { ...options, tail: null, sinceMs: null }, () => isOver(parts, id), signal);
  }
}
