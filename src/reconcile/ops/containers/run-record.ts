/** What is written down of a run: that it begins, that it runs, that it could not be started. */
import type { TaskHandle } from '../../../drivers/contract/exec.ts';
import { formatTime } from '../../../model/clock.ts';
import type { Desired } from '../../../model/desired.ts';
import { toTsdError } from '../../../model/errors/errors.ts';
import { linkedAddress } from '../../../model/linked-address.ts';
import { runName } from '../../../model/observed.ts';
import type { ContainerRecord } from '../../../state/containers/container-record.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import { addressesOf, endpointsOf, ownAddresses } from '../../../state/containers/endpoints.ts';
import { bootTimeOfLaunch, type ExitRecorder } from '../../exits.ts';
import type { OpOf } from '../../op.ts';
import { startDependencies } from '../../plan/references.ts';
import type { ResolvedVolume } from '../../task/task-spec.ts';
import { recordOf } from '../declared.ts';
import type { ContainerImage } from '../images/image-of.ts';
import { linkTargets } from '../networks/links.ts';
import { containerTexts, linkAddresses, type TextPorts } from './container-texts.ts';
import { recordedVolumes } from './mounts.ts';
import { declaredPart } from './record-draft.ts';
import { type StopPorts, stopAgainst } from './stop-override.ts';

/** What answers the names of containers. */
export interface NameService {
  /**
   * Sees to it that the resolver answers in the namespace of a container that is about to run. Returns false where it
   * cannot: the container then finds names in its hosts file, and its conditions say why.
   */
  serve(containerId: string): boolean;
}

export interface RunRecordPorts extends StopPorts {
  readonly containers: Pick<ContainerStore, 'get' | 'byKey' | 'update' | 'updateSoon' | 'renewTexts'>;
  readonly texts: TextPorts;
  readonly resolver: NameService;
  readonly exits: Pick<ExitRecorder, 'started'>;
  /** Containers that did not run when this supervisor started and are not started by itself (`--restart=false`). */
  readonly leftDown: Pick<Set<string>, 'delete'>;
}

/** Addresses that the variables of links name: those of containers that have ports. */
function envAddresses({ containers }: RunRecordPorts, desired: Desired<'container'>): Record<string, string> {
  const addresses = linkTargets(desired).flatMap(({ key, alias }) => {
    const record = containers.byKey(key);
    const address = record ? linkedAddress(addressesOf(record), desired.references.networks) : null;
    const ports = record?.network ? record.network.ports.length + record.network.exposed.length : 0;
    return address !== null && ports > 0 ? [[alias, address] as const] : [];
  });
  return Object.fromEntries(addresses);
}

function dependencyRuns({ containers }: RunRecordPorts, { references }: Desired<'container'>): Record<string, string> {
  const records = startDependencies(references).flatMap((key) => {
    const record = containers.byKey(key);
    return record ? [[key, runName(record)] as const] : [];
  });
  return Object.fromEntries(records);
}

/** Writes the texts and the record of a run that is about to start. */
export function recordBegin(
  ports: RunRecordPorts,
  desired: Desired<'container'>,
  image: ContainerImage,
  volumes: readonly ResolvedVolume[],
  op: OpOf<'container.start'>,
): ContainerRecord {
  const record = recordOf(ports, op.containerId);
  const { files, resolver } = containerTexts(ports.texts, desired, op.containerId, {
    addresses: ownAddresses(record),
    resolver: endpointsOf(record).length > 0 && ports.resolver.serve(op.containerId),
  });
  ports.containers.renewTexts(op.containerId, files);
  const { wallMs, bootMs } = ports.clock.now();
  const begun: ContainerRecord = {
    ...record,
    ...declaredPart(ports, desired, image, op.containerId),
    run: op.run,
    begunAt: { at: formatTime(wallMs), bootId: ports.bootId, atBootMs: bootMs },
    stopOverride: stopAgainst(ports, op, record),
    stopTimeoutMs: null,
    stopping: null,
    restart: { restarts: op.restarts, consecutive: op.consecutive, requested: false },
    linkAddresses: linkAddresses(ports.texts, desired),
    envAddresses: envAddresses(ports, desired),
    dependencyRuns: dependencyRuns(ports, desired),
    resolver,
    volumes: recordedVolumes(volumes),
  };
  // Written before the start, so that a run whose supervisor died meanwhile is looked for.
  ports.containers.update(begun);
  ports.leftDown.delete(op.containerId);
  return begun;
}

/** The run counts although it came to nothing: its number is used up, and the start that is still due is the same one. */
export function recordFailure({ containers }: RunRecordPorts, op: OpOf<'container.start'>, thrown: unknown): void {
  const error = toTsdError(thrown);
  const record = containers.get(op.containerId);
  if (!record) return;
  const failed: ContainerRecord = {
    ...record,
    run: op.run,
    restart: { restarts: op.restarts, consecutive: op.consecutive, requested: false },
    handle: null,
    state: {
      ...record.state,
      status: record.state.exitCode === null ? 'created' : 'exited',
      pid: 0,
      startError: { class: error.class, message: error.message },
    },
  };
  try {
    containers.update(failed);
  } catch {
    // The disk may be what failed. Without it the start must stay due; the next supervisor sees that the run never began.
    containers.updateSoon(failed);
  }
}

export function recordRunning(ports: RunRecordPorts, { id, run }: ContainerRecord, handle: TaskHandle): void {
  const record = recordOf(ports, id);
  // The exec driver has its own record of the run, so this one may reach the disk a moment later.
  ports.containers.updateSoon({
    ...record,
    handle,
    state: {
      status: 'running',
      pid: handle.pid,
      exitCode: null,
      oomKilled: false,
      startError: null,
      startedAt: formatTime(handle.startedAtMs),
      finishedAt: record.state.finishedAt,
      bootId: ports.bootId,
      startedAtBootMs: bootTimeOfLaunch(record.begunAt, handle, ports.clock.now()),
      finishedAtBootMs: null,
    },
  });
  ports.exits.started(id, run);
}
