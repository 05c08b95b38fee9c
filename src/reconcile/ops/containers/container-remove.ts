import type { ExecDriver } from '../../../drivers/contract/exec.ts';
import type { GraphDriver } from '../../../drivers/contract/graph.ts';
import type { Networks } from '../../../drivers/contract/network.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import { baseKey } from '../../../model/update.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import type { LinkGraph } from '../../../state/link-graph.ts';
import type { ExitRecorder } from '../../exits.ts';
import type { GroupCommit } from '../../group-commit.ts';
import type { HealthBook } from '../../health/health-book.ts';
import type { OpOf } from '../../op.ts';
import type { UpdateBook } from '../../update-book.ts';
import type { Declared } from '../declared.ts';
import type { FileReaders } from '../file-readers.ts';
import { giveUpStrayLeases, type StrayLeasePorts } from '../networks/stray-leases.ts';
import { type StopPorts, stopAgainst } from './stop-override.ts';

/** What is remembered of a container beside its record. */
interface Memories extends Declared {
  readonly exits: Pick<ExitRecorder, 'forget'>;
  /** Why it is unknown whether a container still runs, by its id. */
  readonly unanswered: Pick<Map<string, string>, 'delete'>;
  readonly health: Pick<HealthBook, 'forget'>;
  readonly updates: Pick<UpdateBook, 'forget'>;
  readonly strayLeases: StrayLeasePorts;
}

export interface RemovePorts {
  readonly containers: Pick<ContainerStore, 'get' | 'remove'>;
  readonly fileReaders: Pick<FileReaders, 'changing'>;
  readonly exec: Pick<ExecDriver, 'remove'>;
  readonly network: Pick<Networks, 'sandbox' | 'detach'>;
  readonly graph: Pick<GraphDriver, 'remove'>;
  readonly links: Pick<LinkGraph, 'purge'>;
  readonly commits: Pick<GroupCommit, 'commit'>;
  readonly memories: Memories;
  readonly stops: StopPorts;
}

/**
 * Removes a container that is not running, with its log and writable layer. Every step may have happened before. What
 * needs room on the disk comes after what makes room; where it fails all the same, name and leases are orphans.
 */
export async function removeContainer(ports: RemovePorts, op: OpOf<'container.remove'>): Promise<void> {
  const record = ports.containers.get(op.containerId);
  if (record) await ports.fileReaders.changing(record, 'removed', () => removeAll(ports, op));
  else await removeAll(ports, op);
}

async function removeAll(ports: RemovePorts, op: OpOf<'container.remove'>): Promise<void> {
  const { containerId, key } = op;
  await ports.exec.remove(containerId);
  if (ports.network.sandbox(containerId)) ports.network.detach(containerId);
  refuseStopped(ports, op);
  await ports.containers.remove(containerId);
  ports.memories.exits.forget(containerId);
  ports.memories.unanswered.delete(containerId);
  await ports.graph.remove(containerId);
  await ports.commits.commit({ names: () => ports.links.purge(containerId) });
  await forgetRemoved(ports.memories, containerId, key);
}

/** What is written down; it may need room that the removal gave. */
async function forgetRemoved(memories: Memories, containerId: string, key: ResourceKey): Promise<void> {
  memories.health.forget(containerId);
  if (!memories.desired().resources.has(key)) memories.updates.forget(key);
  await giveUpStrayLeases(memories.strayLeases, key);
}

/** A stop that came since this began would go with the record, and what takes its place would be started. */
function refuseStopped(
  { containers, stops }: Pick<RemovePorts, 'containers' | 'stops'>,
  op: OpOf<'container.remove'>,
): void {
  const { key, containerId } = op;
  const record = containers.get(containerId);
  const isReplaced = key === baseKey(key) && stops.desired().resources.has(key);
  if (!isReplaced || !record || stopAgainst(stops, op, record) === null) return;
  throw new TsdError('TSD_CALLED_OFF', 'it was asked to stop meanwhile', { key });
}
