/** What a person asks of a container: written into its record, and waited for. */
import type { Clock } from '../../model/clock.ts';
import { TsdError, toTsdError } from '../../model/errors/errors.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { GroupCommit } from '../../reconcile/group-commit.ts';
import type { OpFailureCache } from '../../reconcile/op-failure-cache.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { Reserve } from '../../state/files/reserve.ts';
import type { SupervisorEventBus } from '../events.ts';
import type { LoopStatus } from '../loop-status.ts';

/** Nothing changes for so long only when the loop itself is stuck. */
const RECHECK_MS = 500;
/** On top of the container's own time to stop. */
export const PATIENCE_MS = 60_000;

/** @throws TsdError TSD_BAD_REQUEST for a container that no manifest declared */
export function keyOf(record: ContainerRecord): ResourceKey {
  if (record.owner) return record.owner.key;
  throw new TsdError('TSD_BAD_REQUEST', `${record.engineName} was made by Docker and is left alone`, {
    class: 'unsupported',
    hint: 'Declare it in a manifest to run it here.',
  });
}

/** What a run of it may take to end. */
export function endsWithin({ owner }: ContainerRecord, timeoutMs: number | null): number {
  return timeoutMs ?? (owner?.written as ContainerSpec | undefined)?.stopTimeoutMs ?? 0;
}

export interface ChangePorts {
  readonly containers: Pick<ContainerStore, 'get' | 'byKey' | 'change' | 'updateSoon'>;
  readonly commits: Pick<GroupCommit, 'commit'>;
  readonly failures: Pick<OpFailureCache, 'clear'>;
  readonly reserve: Pick<Reserve, 'spendOnAsync'>;
  readonly clock: Clock;
  readonly events: Pick<SupervisorEventBus, 'nextChange'>;
  readonly loop: Pick<LoopStatus, 'enqueue' | 'inFlight'>;
}

export class ContainerChanges {
  readonly #ports: ChangePorts;

  constructor(ports: ChangePorts) {
    this.#ports = ports;
  }

  /** When the container is recreated or replaced meanwhile, the change applies to the new one. */
  async make(record: ContainerRecord, change: (current: ContainerRecord) => ContainerRecord): Promise<void> {
    const { commits, containers, loop } = this.#ports;
    const key = keyOf(record);
    for (let id: string | undefined = record.id; id !== undefined; id = containers.byKey(key)?.id) {
      const changed = id;
      if (containers.get(changed))
        await commits.commit({ files: (batch) => containers.change(changed, change, batch) });
      if (containers.byKey(key)?.id === changed) break;
      await this.until(key, 0, (current) => current !== undefined || !loop.inFlight(key));
    }
    loop.enqueue([key]);
  }

  /**
   * As {@link make}, with the reserve; where even that is not enough, for this supervisor only. Returns what to say of
   * it then.
   */
  async makeWithoutRoom(
    record: ContainerRecord,
    change: (current: ContainerRecord) => ContainerRecord,
  ): Promise<TsdError | null> {
    const { containers, failures, reserve, loop } = this.#ports;
    try {
      await reserve.spendOnAsync(async () => {
        // An earlier failure must not keep the change from being made.
        failures.clear(keyOf(record));
        await this.make(record, change);
      });
      return null;
    } catch (thrown) {
      const cause = toTsdError(thrown);
      if (cause.code !== 'TSD_DISK_FULL') throw cause;
      containers.updateSoon(change(containers.get(record.id) ?? record));
      loop.enqueue([keyOf(record)]);
      const name = record.engineName;
      const message = `container ${name} is stopped, but the disk is full: that it shall stay so could not be written down`;
      const hint = `Free space and \`tsdocker stop ${name}\` again; until then the next start of the supervisor starts it.`;
      return new TsdError('TSD_DISK_FULL', message, { key: keyOf(record), cause, hint });
    }
  }

  /**
   * @param endsMs what its run may take to end, on top of what the loop may take
   * @throws TsdError TSD_TIMEOUT
   */
  async until(
    key: ResourceKey,
    endsMs: number,
    reached: (current: ContainerRecord | undefined) => boolean,
    signal?: AbortSignal,
  ): Promise<void> {
    const { clock, containers, events } = this.#ports;
    const patienceMs = PATIENCE_MS + endsMs;
    const deadline = clock.now().bootMs + patienceMs;
    for (;;) {
      const current = containers.byKey(key);
      if (signal?.aborted || reached(current)) return;
      if (clock.now().bootMs > deadline) {
        const name = current?.engineName ?? key;
        throw new TsdError('TSD_TIMEOUT', `container ${name} did not get there within ${patienceMs / 1000} s`, { key });
      }
      await events.nextChange(RECHECK_MS, signal);
    }
  }
}
