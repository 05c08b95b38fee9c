/** A declared container whose record cannot be read: it runs on, and a person says when another one takes its place. */

import type { ExecDriver } from '../../../drivers/contract/exec.ts';
import type { Networks } from '../../../drivers/contract/network.ts';
import type { Desired } from '../../../model/desired.ts';
import { describeError, TsdError } from '../../../model/errors/errors.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import type { ApprovalStore } from '../../../state/history/approval-store.ts';
import type { LinkGraph } from '../../../state/link-graph.ts';
import type { GroupCommit } from '../../group-commit.ts';
import type { KeyedMutex } from '../keyed-mutex.ts';

/** Names of containers, and which of their records cannot be read. */
export interface DamagedNames {
  readonly containers: Pick<ContainerStore, 'hasDamaged' | 'damaged'>;
  readonly links: Pick<LinkGraph, 'get'>;
}

export interface DamagedRecords extends DamagedNames {
  readonly approvals: Pick<ApprovalStore, 'all'>;
}

export interface ReplacePorts extends DamagedNames {
  readonly containers: DamagedNames['containers'] & Pick<ContainerStore, 'setAside'>;
  readonly links: DamagedNames['links'] & Pick<LinkGraph, 'purge'>;
  readonly approvals: Pick<ApprovalStore, 'all' | 'withdraw'>;
  readonly mutex: KeyedMutex;
  readonly exec: Pick<ExecDriver, 'kill' | 'remove'>;
  readonly network: Pick<Networks, 'detach'>;
  readonly commits: Pick<GroupCommit, 'commit'>;
}

/** Its id, by the name that the link graph has for it; null where there is none. */
export function damagedHolder({ containers, links }: DamagedNames, engineName: string): string | null {
  if (!containers.hasDamaged) return null;
  const id = links.get(`/${engineName}`);
  return id !== null && containers.damaged(id) !== undefined ? id : null;
}

/** Returns what blocks a declared container; null once the removal of the damaged one is approved. */
export function damagedRecord(
  records: DamagedRecords,
  { key, engineName, source }: Desired<'container'>,
): TsdError | null {
  const id = damagedHolder(records, engineName);
  if (id === null || records.approvals.all().has(key)) return null;
  const error = records.containers.damaged(id);
  const why = error ? describeError(error) : 'its record cannot be read';
  return new TsdError('TSD_STATE_CORRUPT', `${why}; ${id.slice(0, 12)} is left as it is`, {
    source,
    hint:
      `Put a backup of the file back and run \`systemctl restart tsdocker\`, or ` +
      `\`tsdocker approve ${key}\` ends it and makes another one; its log and record are kept, what it wrote outside of volumes is not.`,
  });
}

/** Ends a damaged container that has the name of one to be made, where that is approved, and keeps its files. */
export async function replaceDamaged(ports: ReplacePorts, key: ResourceKey, engineName: string): Promise<void> {
  const id = damagedHolder(ports, engineName);
  if (id === null || !ports.approvals.all().has(key)) return;
  await ports.mutex.runExclusive(id, async () => {
    await ports.exec.kill(id);
    await ports.exec.remove(id);
    ports.network.detach(id);
    await ports.commits.commit({ names: () => ports.links.purge(id) });
    ports.containers.setAside(id);
  });
  ports.approvals.withdraw(key);
}
